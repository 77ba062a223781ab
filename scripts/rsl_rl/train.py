# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Train a policy with BPO (or PPO) on an Isaac Lab task, with Isaac Lab's own rsl_rl training."""

from __future__ import annotations

import sys

import video
from cli import announce, fail, translate
from configuration import UserError


def main() -> int:
    """Check the command line and hand it over to Isaac Lab."""
    try:
        command = translate("train", sys.argv[1:])
        if command.args.video:
            video.prepare(command)
    except UserError as error:
        fail("train.py", error)
    announce(command)

    from isaaclab_rl.entrypoints import run_train_cli

    return run_train_cli(command.argv)


if __name__ == "__main__":
    sys.exit(main())
