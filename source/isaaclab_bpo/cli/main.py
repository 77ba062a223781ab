# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The console command."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path

from isaaclab_bpo.command_line import similar
from isaaclab_bpo.output import printing_survives

from . import demo
from .errors import UserError, fail
from .surroundings import prepare

USAGE = """\
usage: isaaclab_bpo COMMAND [ARG ...]

  demo      film a robot that walks, with a policy that comes with this package
  train     train a policy with BPO (or PPO) on a task of Isaac Lab or Gymnasium
  play      play a trained policy, export it, and film it with --video
  evaluate  run episodes of a trained policy: return, length and the task's metrics, with intervals
  curves    show the logged curves of all runs in TensorBoard
  doctor    tell what of this machine and environment can be used, and how to mend the rest
  compare   tables and learning curves of several algorithms and seeds
  ttrl      improve a language model by the majority of its own answers, with GBPO (or GRPO)

isaaclab_bpo COMMAND --help lists a command's arguments.

Exit codes: 0, done; 1, the run could not go on; 2, a mistake in the command line; 75, preempted by SIGTERM, SIGUSR1 or
SIGHUP and saved, so that the same command with --checkpoint latest finishes the run; 130, the same after Ctrl-C."""

HELP = Path(__file__).parent / "data" / "help"
"""What --help prints, by docs/make_help.py: the arguments of Isaac Lab take seconds to import."""

COMMANDS = ("demo", "train", "play", "evaluate", "curves", "doctor", "compare", "ttrl")


def main(argv: list[str] | None = None) -> None:
    """Run a subcommand.

    Args:
        argv: Its name and arguments; None for those that the program was started with.

    Raises:
        SystemExit: If it fails.
    """
    prepare()
    try:
        with printing_survives():
            _run(*((sys.argv[1:] if argv is None else argv) or ["--help"]))
    except KeyboardInterrupt:  # while there was nothing to save
        raise SystemExit(128 + signal.SIGINT) from None


def _run(name: str, *argv: str) -> None:
    """Run a command by its name."""
    arguments = list(argv)
    wants_help = bool({"-h", "--help"} & set(arguments))
    if name == "play" and "--demo" in arguments:
        name, arguments = "demo", [token for token in arguments if token != "--demo"]
    if name in ("-h", "--help"):
        print(USAGE)
    elif name == "compare":
        from isaaclab_bpo.compare.__main__ import main as compare

        compare(arguments)
    elif name == "curves":
        from .curves import run as show

        raise SystemExit(show(arguments))
    elif name == "doctor":
        from .doctor import run as examine

        raise SystemExit(examine())
    elif name == "ttrl":
        from .ttrl import run

        try:
            run(arguments)
        except UserError as error:
            fail("ttrl.py", error)
    elif name == "demo" and wants_help:
        print(demo.USAGE)
    elif name in ("train", "play", "evaluate") and wants_help and not any(map(_adds_arguments, arguments)):
        print((HELP / f"{name}.txt").read_text(encoding="utf-8"), end="")
    elif name in ("demo", "train", "play", "evaluate"):
        try:
            _simulate(name, arguments)
        except UserError as error:
            fail(f"{name}.py", error)
    else:
        hint = similar(name, COMMANDS) or f": there are {', '.join(COMMANDS[:-1])} and {COMMANDS[-1]}"
        fail("isaaclab_bpo", UserError(f"{name!r} is not a command{hint}"))


def _simulate(name: str, arguments: list[str]) -> None:
    """Run a command that needs Isaac Lab, once its command line has been checked."""
    from .command import translate

    _silence_others()
    if name == "demo":
        arguments = demo.arguments(arguments)
    sys.argv[1:] = arguments  # which Isaac Lab and the users' callbacks read, too
    command = translate("play" if name == "demo" else name, arguments)  # type: ignore[arg-type]
    if command.notes:
        print(f"[isaaclab_bpo] {'; '.join(command.notes)}.", flush=True)

    from . import workflow  # not before the check, since it imports all of Isaac Lab

    getattr(workflow, name)(command)


def _adds_arguments(token: str) -> bool:
    """Whether an argument chooses what has arguments of its own: a task has presets, a callback may have any."""
    return token.startswith(("--task", "--external_callback"))


def _silence_others() -> None:
    """Keep other people's packages from complaining of what no user can mend."""
    warnings.filterwarnings("ignore", "invalid escape sequence", SyntaxWarning, r".*/moviepy/")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")  # pygame, which moviepy imports, looks for audio hardware
