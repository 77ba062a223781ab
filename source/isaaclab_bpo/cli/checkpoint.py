# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The checkpoint that a command line names."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from isaaclab_bpo.agents import GYM_PREFIX

from .arguments import Action
from .configuration import resolve
from .errors import UserError


def find_checkpoint(action: Action, args: argparse.Namespace, overrides: list[str]) -> Path | None:
    """Return the local checkpoint that ``--checkpoint`` names, or None if there is none to look at."""
    name = "latest" if args.checkpoint is None and action != "train" else args.checkpoint
    if name is None or "://" in name or name.startswith("wandb:"):
        return None
    if name == "pretrained":
        if args.task.startswith(GYM_PREFIX):
            raise UserError(f"--checkpoint pretrained: none is published for --task {args.task}, name one")
        return None
    if name in ("latest", "best"):
        return _newest(name, args, overrides)
    if not name.strip():
        raise UserError("--checkpoint is empty: give a file, a run's folder, 'latest' or 'best', or leave it out")
    try:
        return _named(name)
    except OSError as error:
        raise UserError(f"--checkpoint {name!r} cannot be looked at: {error.strerror}") from None


def _named(name: str) -> Path:
    """Return the checkpoint that is the file ``name``, or the newest one in that folder."""
    from isaaclab_bpo.runners import CheckpointError

    path = Path(name)
    if path.is_dir():
        newest_first = checkpoints(path)
        if not newest_first:
            raise UserError(f"--checkpoint {name!r} is a folder without a file model_*.pt")
        path = newest_first[0]
    if not path.is_file():
        raise UserError(f"--checkpoint {name!r} does not exist: give a file, a run's folder, 'latest' or 'best'")
    try:
        _read(path)
    except CheckpointError as error:
        raise UserError(f"--checkpoint {error}") from None
    return path.absolute()  # which compare looks for


def _newest(selector: str, args: argparse.Namespace, overrides: list[str]) -> Path:
    """Return the newest or best checkpoint, of the newest run of the task with one undamaged; warn of those skipped.

    Isaac Lab's resolve_checkpoint_selector returns the newest one, damaged or not, of runs under a single id.
    """
    from isaaclab_bpo.runners import CheckpointError
    from isaaclab_bpo.tasks import canonical_id

    experiment = args.experiment_name
    if experiment is None:
        named = [token for token in overrides if token.startswith("agent.experiment_name=")]
        experiment = resolve(args, named)[1].experiment_name
    root = Path("logs", "rsl_rl", str(experiment)).resolve()
    runs = []
    for file in root.glob("*/run.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # not a run's
            run = json.loads(file.read_text(encoding="utf-8"))
            of_task = run["library"] == "rsl_rl" and canonical_id(run["task"]) == canonical_id(args.task)
            if of_task and run["metadata"]["agent"] == args.agent:
                runs.append((datetime.fromisoformat(run["created_at"]), file.parent))
    choose = _best if selector == "best" else checkpoints
    for path in (path for _, folder in sorted(runs, reverse=True) for path in choose(folder)):
        try:
            _read(path)
        except CheckpointError as error:
            print(f"[isaaclab_bpo] --checkpoint {selector} skips one: {error}", file=sys.stderr)
        else:
            return path
    hint = "take latest (a best one needs 100 episodes that ended), " if selector == "best" and runs else ""
    raise UserError(
        f"--checkpoint {selector!r} finds no run of {args.task} with agent {args.agent} in {str(root)!r} that left a "
        f"whole checkpoint: {hint}train one first, start in the folder that holds its logs/, or name a checkpoint"
    )


def _best(folder: Path) -> list[Path]:
    """Return the best checkpoint of a run, if it has one."""
    from isaaclab_bpo.runners import BEST

    return list(folder.glob(BEST))


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a run's folder, the one with the most iterations first."""

    def iterations(path: Path) -> int:
        number = path.stem.removeprefix("model_")
        return int(number) if number.isdecimal() else -1

    return sorted(folder.glob("model_*.pt"), key=iterations, reverse=True)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint of BPO or PPO; a CheckpointError says why it is none."""
    from isaaclab_bpo.runners import CheckpointError, check_content, read

    checkpoint = read(path, "cpu")
    try:
        check_content(checkpoint)
    except CheckpointError as error:
        raise CheckpointError(f"{str(path)!r} cannot be loaded: {error}") from None
    return checkpoint


def check_widths(path: Path, agent_cfg: Any) -> None:
    """Refuse a checkpoint whose hidden layers are not as wide as configured; all else shows when the task is there."""
    checkpoint = _read(path)
    for name in ("actor", "critic"):
        configured = getattr(getattr(agent_cfg, name, None), "hidden_dims", None)
        state = checkpoint[f"{name}_state_dict"]
        layers = [key for key in state if re.fullmatch(r"mlp\.\d+\.weight", str(key))][:-1]
        widths = [len(state[key]) for key in layers]
        if not layers or not isinstance(configured, list) or -1 in configured or widths == configured:
            continue
        wrong = next((i for i, pair in enumerate(zip(widths, configured, strict=False)) if pair[0] != pair[1]), 0)
        raise UserError(
            f"--checkpoint {str(path)!r} cannot be loaded: {layers[wrong]} of the {name} has shape "
            f"{tuple(state[layers[wrong]].shape)} in it, one of hidden layers {widths}, and agent.{name}.hidden_dims "
            f"is {configured}: give both runs the same networks"
        )
