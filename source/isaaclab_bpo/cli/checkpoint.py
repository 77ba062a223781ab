# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The checkpoint that a command line names, and the physics engine and joint order that its policy knows."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .configuration import Action, UserError, load_quietly, override, resolve, selectors

if TYPE_CHECKING:
    from .command import Command

JOINT_ORDER = {"isaaclab_physx": "physx", "isaaclab_ov": "physx", "isaaclab_newton": "mjwarp"}
"""The order of a robot's joints in the engines of each Isaac Lab package, by its name in ``joint_ordering``."""


def find_checkpoint(action: Action, args: argparse.Namespace, overrides: list[str]) -> Path | None:
    """Return the local checkpoint that ``--checkpoint`` names, or None if there is none to look at."""
    from isaaclab_bpo.runners import CheckpointError

    name = args.checkpoint or ("latest" if action == "play" else None)
    if name is None or name == "pretrained" or "://" in name or name.startswith("wandb:"):
        return None
    if name in ("latest", "best"):
        return _newest(name, args, overrides)
    path = Path(name)
    if path.is_dir():
        newest_first = _checkpoints(path)
        if not newest_first:
            raise UserError(f"--checkpoint {name!r} is a folder without a file model_*.pt")
        path = newest_first[0]
    if not path.is_file():
        raise UserError(f"--checkpoint {name!r} does not exist: give a file, a run's folder or 'latest'")
    try:
        _read(path)
    except CheckpointError as error:
        raise UserError(f"--checkpoint {error}") from None
    return path


def _newest(selector: str, args: argparse.Namespace, overrides: list[str]) -> Path:
    """Return the newest readable checkpoint of the runs of the task, under any of its ids; warn of those skipped."""
    from isaaclab_bpo.runners import CheckpointError
    from isaaclab_bpo.tasks import canonical_id

    experiment = args.experiment_name or override(overrides, "agent.experiment_name")
    if experiment is None:
        experiment = resolve(args, [], play_mode=False)[1].experiment_name
    root = Path("logs", "rsl_rl", experiment).resolve()
    runs = []
    for file in root.glob("*/run.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # not a run's
            run = json.loads(file.read_text(encoding="utf-8"))
            of_task = run["library"] == "rsl_rl" and canonical_id(run["task"]) == canonical_id(args.task)
            if of_task and run["metadata"]["agent"] == args.agent:
                runs.append((datetime.fromisoformat(run["created_at"]), file.parent))
    for _, folder in sorted(runs, reverse=True):
        for path in _checkpoints(folder):
            try:
                _read(path)
            except CheckpointError as error:
                print(f"[isaaclab_bpo] --checkpoint {selector} skips one: {error}", file=sys.stderr)
            else:
                return path
    raise UserError(
        f"--checkpoint {selector!r} finds no run of {args.task} with agent {args.agent} in {str(root)!r} that left a "
        "whole checkpoint: train one first, start in the folder that holds its logs/, or name a checkpoint"
    )


def _checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a run's folder, the one with the most iterations first."""
    found = {path: re.fullmatch(r"model_(\d+)\.pt", path.name) for path in folder.glob("model_*.pt")}
    return sorted(found, key=lambda path: int(match[1]) if (match := found[path]) else -1, reverse=True)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint of BPO or PPO; a CheckpointError says why it is none."""
    from isaaclab_bpo.runners import read
    from isaaclab_bpo.runners.checkpoint import CheckpointError, check_content

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


def choose_engine(args: argparse.Namespace, overrides: list[str], command: Command) -> list[str]:
    """Choose a physics engine where the user did not, and a joint order that the checkpoint's policy knows.

    PhysX numbers joints breadth-first and Newton depth-first, so a policy must act in the order that it was trained
    with: a checkpoint is run with its own engine or, if another one is asked for, with its own engine's joint order.

    Returns:
        Overrides to add.
    """
    import torch
    from isaaclab_tasks.utils.hydra import collect_presets
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    env_cfg = load_quietly(load_cfg_from_registry, args.task, "env_cfg_entry_point")
    engines = collect_presets(env_cfg).get("sim.physics", {})
    usable = [name for name, cfg in engines.items() if _installed(cfg)]
    run = _run_configuration(command.checkpoint)
    added = []

    presets = (override(overrides, "presets") or "").split(",")
    chosen = any(override(overrides, key) is not None for key in ("physics", "env.sim.physics"))
    if engines and not chosen and not any(name in engines for name in presets):
        if run is not None:
            trained = run["sim"]["physics"]
            same = [name for name in usable if _manager(engines[name]) == _manager(trained)]
            kin = [name for name in usable if _joint_order(engines[name]) == _joint_order(trained)]
            preferred = [*same, *kin, *usable]
        else:
            preferred = [] if torch.cuda.is_available() else ["ovphysx"]
            preferred += ["default", "ovphysx", "newton_mjwarp"]
        engine = next((name for name in preferred if name in usable), "default")
        if _manager(engines[engine]) != _manager(engines["default"]):
            added.append(f"physics={engine}")
            command.notes.append(f"physics={engine}{' as in training' if run is not None else ''}")

    if run is not None:
        env_cfg = resolve(args, [*selectors(args, overrides), *added], play_mode=False)[0]
        added += _joint_ordering(env_cfg, run, overrides, command)
    return added


def _joint_ordering(env_cfg: Any, run: dict[str, Any], overrides: list[str], command: Command) -> list[str]:
    """Return overrides that number the joints of every robot as in the run that trained the policy."""
    from isaaclab.assets import ArticulationCfg

    added = []
    for name, asset in vars(env_cfg.scene).items():
        if not isinstance(asset, ArticulationCfg) or not isinstance(run["scene"].get(name), dict):
            continue
        for kind in ("joint_ordering", "body_ordering"):
            trained = run["scene"][name].get(kind) or _joint_order(run["sim"]["physics"])
            key = f"env.scene.{name}.{kind}"
            if trained is not None and not str(trained).isidentifier():  # somebody else's file must not add overrides
                raise UserError(
                    f"the run of the checkpoint was trained with {kind}={trained!r}, which is not the name of one"
                )
            if override(overrides, key) is None and trained not in (None, _joint_order(env_cfg.sim.physics)):
                added.append(f"{key}={trained}")
    if added:
        command.notes.append("joints ordered as in training")
    return added


def _run_configuration(checkpoint: Path | None) -> dict[str, Any] | None:
    """Return the environment configuration that Isaac Lab stored with the run of ``checkpoint``."""
    import yaml

    from isaaclab_bpo.plain_yaml import read_plain_yaml

    file = checkpoint.parent / "params" / "env.yaml" if checkpoint is not None else None
    if file is None or not file.is_file():
        return None
    try:
        run = read_plain_yaml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise UserError(
            f"{str(file)!r}, which says how the checkpoint was trained, is damaged: restore or delete it"
        ) from None
    try:
        known = isinstance(run["scene"], dict) and isinstance(run["sim"]["physics"], dict)
    except (KeyError, TypeError):  # Isaac Lab 2.x stored no engine
        known = False
    return run if known else None


def _manager(physics: Any) -> tuple[str, ...]:
    """Return the classes of manager and solver of a physics configuration, an object or a mapping read from YAML."""

    def read(cfg: Any, name: str) -> Any:
        return cfg.get(name) if isinstance(cfg, Mapping) else getattr(cfg, name, None)

    solver = read(physics, "solver_cfg")
    return tuple(str(read(cfg, "class_type")) for cfg in (physics, solver) if cfg is not None)


def _joint_order(physics: Any) -> str | None:
    """Return the name of the joint order of a physics configuration's engine."""
    return JOINT_ORDER.get(_manager(physics)[0].split(".")[0])


def _installed(physics: Any) -> bool:
    """Whether the engine of a physics configuration can start here."""
    needs = {"PhysxCfg": "isaacsim", "PhysxAutoCfg": "isaacsim", "OvPhysxCfg": "ovphysx"}.get(type(physics).__name__)
    return needs is None or importlib.util.find_spec(needs) is not None
