# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Train a policy with BPO (or PPO) on an Isaac Lab task.

Exit codes: 0, done; 1, the run could not go on; 2, a mistake in the command line; 75, preempted by SIGTERM or SIGUSR1
and saved, so that the same command with ``--checkpoint latest`` finishes the run.
"""

from __future__ import annotations

import sys

from isaaclab_bpo.cli import video
from isaaclab_bpo.cli.command import announce, fail, translate
from isaaclab_bpo.cli.configuration import UserError


def main() -> None:
    """Check the command line and train."""
    try:
        command = translate("train", sys.argv[1:])
        if command.args.video:
            video.prepare(command)
        announce(command)

        from isaaclab_bpo.cli import workflow  # not before the check, since it imports all of Isaac Lab

        workflow.train(command)
    except UserError as error:
        fail("train.py", error)


if __name__ == "__main__":
    main()
