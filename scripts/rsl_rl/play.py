# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Play a trained policy with Isaac Lab's own rsl_rl playback, export it, and film it with ``--video``."""

from __future__ import annotations

import sys
import time

import video
from cli import announce, fail, translate
from configuration import UserError


def main() -> int:
    """Check the command line, hand it over to Isaac Lab, and check the video."""
    start = time.time()
    try:
        command = translate("play", sys.argv[1:])
        if command.args.video:
            video.prepare(command)
    except UserError as error:
        fail("play.py", error)
    announce(command)

    from isaaclab_rl.entrypoints import run_play_cli

    status = run_play_cli(command.argv)
    if command.args.video and command.checkpoint is not None:
        try:
            print(f"[isaaclab_bpo] {video.check(command.checkpoint.parent / 'videos' / 'play', start)}")
        except UserError as error:
            fail("play.py", error)
    return status


if __name__ == "__main__":
    sys.exit(main())
