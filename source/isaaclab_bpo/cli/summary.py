# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a training leaves behind, and what to type next."""

from __future__ import annotations

import os
import shlex
import statistics
import sys
from collections.abc import Collection
from pathlib import Path

from isaaclab_bpo.agents import AGENT_KEYS
from isaaclab_bpo.runners import BEST, CheckpointError, read

from .checkpoint import checkpoints
from .command import Command


def summary(command: Command, folder: Path, returns: Collection[float]) -> str:
    """Return some lines on a run that has ended, for whatever reason.

    Args:
        command: What it was started with.
        folder: Its folder.
        returns: What its last episodes earned.
    """
    saved = checkpoints(folder)
    lines = [f"Run: {folder}"]
    if returns:
        lines.append(f"Mean return of the last {len(returns)} episodes: {statistics.fmean(returns):.4g}")
    if not saved:
        return "\n  ".join([f"[isaaclab_bpo] {lines[0]}", *lines[1:], "No checkpoint was saved."])
    lines.append(f"Last checkpoint: {saved[0].name}")
    best = folder / BEST
    if best in saved:
        lines.append(f"Best checkpoint: {BEST} {_origin(best)}")
    # The latest one would be another run's if one has been started meanwhile
    lines.append(f"Play it: {_play(command, best if best in saved else saved[0])}")
    lines.append(f"Go on with it: {_resume(saved[0])}")
    return "\n  ".join([f"[isaaclab_bpo] {lines[0]}", *lines[1:]])


def _origin(best: Path) -> str:
    """Return where the best checkpoint comes from, in words."""
    try:
        saved = read(best, "cpu")
        return f"(mean return {saved['mean_return']:.4g} after iteration {saved['iter']})"
    except (CheckpointError, KeyError, TypeError, ValueError):  # left there by something else
        return ""


def _play(command: Command, checkpoint: Path) -> str:
    """Return the command that plays a checkpoint."""
    args = command.args
    given = ["--task", args.task, "--checkpoint", _short(checkpoint)]
    if args.agent != AGENT_KEYS["bpo"]:
        given += ["--agent", args.agent]
    for name in ("assets", "external_callback"):
        if (value := getattr(args, name)) is not None:
            given += [f"--{name}", value]
    return shlex.join([*_program("play"), *given])


def _resume(checkpoint: Path) -> str:
    """Return the command of this process, going on with a checkpoint."""
    given = list(sys.argv[1:])
    for index in reversed(range(len(given))):
        if given[index] == "--checkpoint":
            del given[index : index + 2]
        elif given[index].startswith("--checkpoint="):
            del given[index]
    return shlex.join([*_program("train"), *given, "--checkpoint", _short(checkpoint)])


def _program(name: str) -> list[str]:
    """Return how to start a command in the way in which this one was started."""
    script = Path(sys.argv[0]).resolve()
    launcher = script.parents[min(2, len(script.parents) - 1)] / "isaaclab.sh"
    if script.name == "train.py" and launcher.is_file():
        path = os.path.relpath(launcher)
        return [path if os.sep in path else f"./{path}", "-p", f"scripts/rsl_rl/{name}.py"]
    return ["isaaclab_bpo", name] if script.name == "isaaclab_bpo" else [sys.executable, "-m", "isaaclab_bpo", name]


def _short(path: Path) -> str:
    """Return a path from here, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
