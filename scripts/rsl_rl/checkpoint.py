# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The checkpoint that a command line names, and the physics engine and joint order that its policy knows."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configuration import Action, UserError, load_quietly, override, resolve, selectors

if TYPE_CHECKING:
    from cli import Command

JOINT_ORDER = {"isaaclab_physx": "physx", "isaaclab_ov": "physx", "isaaclab_newton": "mjwarp"}
"""The order of a robot's joints in the engines of each Isaac Lab package, by its name in ``joint_ordering``."""


def find_checkpoint(action: Action, args: argparse.Namespace, overrides: list[str]) -> Path | None:
    """Return the local checkpoint that ``--checkpoint`` names, or None if there is none to look at."""
    from isaaclab_tasks.utils import get_checkpoint_path

    name = args.checkpoint or ("latest" if action == "play" else None)
    if name is None or name == "pretrained" or "://" in name or name.startswith("wandb:"):
        return None
    if name in ("latest", "best"):
        path = _newest(name, args, overrides)
    elif Path(name).is_dir():
        try:
            path = Path(get_checkpoint_path(str(Path(name).parent), Path(name).name, r"model_.*\.pt"))
        except ValueError:
            raise UserError(f"--checkpoint {name!r} is a folder without a file model_*.pt") from None
    else:
        path = Path(name)
    if not path.is_file():
        raise UserError(f"--checkpoint {name!r} does not exist: give a file, a run's folder or 'latest'")
    _check_readable(path)
    return path


def _newest(selector: str, args: argparse.Namespace, overrides: list[str]) -> Path:
    """Return the checkpoint that ``latest`` or ``best`` selects among the runs of the task, under any of its ids."""
    import gymnasium as gym
    from isaaclab_rl.entrypoints.common import resolve_checkpoint_selector

    from isaaclab_bpo.tasks import canonical_id

    experiment = args.experiment_name or override(overrides, "agent.experiment_name")
    if experiment is None:
        experiment = resolve(args, [], play_mode=False)[1].experiment_name
    root = Path("logs", "rsl_rl", experiment).resolve()
    found = []
    for task in (key for key in gym.registry if canonical_id(key) == canonical_id(args.task)):
        with contextlib.suppress(ValueError):  # no run of that id
            found.append(
                resolve_checkpoint_selector(
                    str(root),
                    selector,
                    library="rsl_rl",
                    task=task,
                    checkpoint_pattern=r"model_.*\.pt",
                    metadata={"agent": args.agent},
                )
            )
    if not found:
        raise UserError(
            f"--checkpoint {selector!r} finds no run of {args.task} with agent {args.agent} in {str(root)!r}: "
            "train one first, start in the folder that holds its logs/, or name a checkpoint"
        )
    return max((Path(path) for path in found), key=lambda path: (path.parent / "run.json").stat().st_mtime)


def _check_readable(path: Path) -> None:
    """Refuse a file that is not a whole checkpoint of plain data, before rsl_rl unpickles it without restrictions."""
    import pickle
    import zipfile

    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError, KeyError, ValueError):
        raise UserError(
            f"--checkpoint {str(path)!r} is not a whole file of tensors and plain data, as checkpoints are: it was "
            "cut short while saving, or is something else; name another one"
        ) from None


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
        if not isinstance(asset, ArticulationCfg) or name not in run["scene"]:
            continue
        for kind in ("joint_ordering", "body_ordering"):
            trained = run["scene"][name].get(kind) or _joint_order(run["sim"]["physics"])
            key = f"env.scene.{name}.{kind}"
            if override(overrides, key) is None and trained not in (None, _joint_order(env_cfg.sim.physics)):
                added.append(f"{key}={trained}")
    if added:
        command.notes.append("joints ordered as in training")
    return added


def _run_configuration(checkpoint: Path | None) -> dict[str, Any] | None:
    """Return the environment configuration that Isaac Lab stored with the run of ``checkpoint``."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads plain YAML; Python objects in it (tuples, slices), which we do not need, become None."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
    file = checkpoint.parent / "params" / "env.yaml" if checkpoint is not None else None
    if file is None or not file.is_file():
        return None
    run = yaml.load(file.read_text(encoding="utf-8"), Loader)  # a SafeLoader
    return run if "scene" in run and "physics" in run.get("sim", {}) else None  # Isaac Lab 2.x stored no engine


def _manager(physics: Any) -> tuple[str, ...]:
    """Return the classes of manager and solver of a physics configuration, an object or a mapping read from YAML."""
    read = Mapping.get if isinstance(physics, Mapping) else getattr
    solver = read(physics, "solver_cfg", None)
    return tuple(str(read(cfg, "class_type", None)) for cfg in (physics, solver) if cfg is not None)


def _joint_order(physics: Any) -> str | None:
    """Return the name of the joint order of a physics configuration's engine."""
    return JOINT_ORDER.get(_manager(physics)[0].split(".")[0])


def _installed(physics: Any) -> bool:
    """Whether the engine of a physics configuration can start here."""
    needs = {"PhysxCfg": "isaacsim", "PhysxAutoCfg": "isaacsim", "OvPhysxCfg": "ovphysx"}.get(type(physics).__name__)
    return needs is None or importlib.util.find_spec(needs) is not None
