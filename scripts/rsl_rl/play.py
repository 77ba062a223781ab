# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Play a trained policy, export it, and film it with ``--video``."""

from __future__ import annotations

import sys
import time

from isaaclab_bpo.cli import video
from isaaclab_bpo.cli.command import announce, fail, translate
from isaaclab_bpo.cli.configuration import UserError


def main() -> None:
    """Check the command line, play, and check the video."""
    start = time.time()
    try:
        command = translate("play", sys.argv[1:])
        if command.args.video:
            video.prepare(command)
        announce(command)

        from isaaclab_bpo.cli import workflow  # not before the check, since it imports all of Isaac Lab

        workflow.play(command)
        if command.args.video and command.checkpoint is not None:
            print(f"[isaaclab_bpo] {video.check(command.checkpoint.parent / 'videos' / 'play', start)}")
    except UserError as error:
        fail("play.py", error)


if __name__ == "__main__":
    main()
