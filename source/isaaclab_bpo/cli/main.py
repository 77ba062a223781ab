# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The console command."""

from __future__ import annotations

import sys

from isaaclab_bpo.command_line import similar

from .errors import UserError, fail
from .surroundings import prepare

USAGE = """\
usage: isaaclab_bpo COMMAND [ARG ...]

  train     train a policy with BPO (or PPO) on a task of Isaac Lab or Gymnasium
  play      play a trained policy, export it, and film it with --video
  compare   tables and learning curves of several algorithms and seeds
  ttrl      improve a language model by the majority of its own answers, with GBPO (or GRPO)

isaaclab_bpo COMMAND --help lists a command's arguments.

Exit codes: 0, done; 1, the run could not go on; 2, a mistake in the command line; 75, preempted by SIGTERM, SIGUSR1
or SIGHUP and saved, so that the same command with --checkpoint latest finishes the run."""


def main(argv: list[str] | None = None) -> None:
    """Run a subcommand.

    Args:
        argv: Its name and arguments; None for those that the program was started with.

    Raises:
        SystemExit: If it fails.
    """
    prepare()
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(USAGE)
    elif name == "compare":
        from isaaclab_bpo.compare.__main__ import main as compare

        compare(arguments)
    elif name == "ttrl":
        from .ttrl import run

        try:
            run(arguments)
        except UserError as error:
            fail("ttrl.py", error)
    elif name in ("train", "play"):
        from .command import translate

        sys.argv[1:] = arguments  # which Isaac Lab and the users' callbacks read, too
        try:
            command = translate(name, arguments)
            if command.notes:
                print(f"[isaaclab_bpo] {'; '.join(command.notes)}.", flush=True)

            from . import workflow  # not before the check, since it imports all of Isaac Lab

            (workflow.train if name == "train" else workflow.play)(command)
        except UserError as error:
            fail(f"{name}.py", error)
    else:
        hint = similar(name, ("train", "play", "compare", "ttrl")) or ": there are train, play, compare and ttrl"
        fail("isaaclab_bpo", UserError(f"{name!r} is not a command{hint}"))
