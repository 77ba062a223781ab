# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The physics engine of a run, and the joint order that its policy knows.

PhysX numbers joints breadth-first and Newton depth-first, so a policy must act in the order that it was trained with: a
checkpoint is run with its own engine or, if another one is asked for, with its own engine's joint order.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .configuration import load, override, preset_overrides, resolve
from .errors import UserError
from .machine import has_cuda

JOINT_ORDER = {"isaaclab_physx": "physx", "isaaclab_ov": "physx", "isaaclab_newton": "mjwarp"}
"""The order of a robot's joints in the engines of each Isaac Lab package, by its name in ``joint_ordering``."""


def choose_engine(
    args: argparse.Namespace, overrides: list[str], checkpoint: Path | None
) -> tuple[list[str], list[str]]:
    """Choose a physics engine where the user did not, and a joint order that the checkpoint's policy knows.

    Returns:
        Overrides to add, and notes that tell the user what was chosen.
    """
    run = _run_configuration(checkpoint)
    added, notes = [], []
    engine = _engine(args, overrides, run)
    if engine is not None:
        added.append(f"physics={engine}")
        notes.append(f"physics={engine}{' as in training' if run is not None else ''}")
    if run is not None:
        env_cfg, _ = resolve(args, [*preset_overrides(args, overrides), *added])
        joint_order = _joint_ordering(env_cfg, run, overrides)
        added += joint_order
        notes += ["joints ordered as in training"] if joint_order else []
    return added, notes


def _engine(args: argparse.Namespace, overrides: list[str], run: dict[str, Any] | None) -> str | None:
    """Return the engine to choose in place of the task's default one, if any."""
    from isaaclab_tasks.utils.hydra import collect_presets

    engines = collect_presets(load(args.task, "env_cfg_entry_point")).get("sim.physics", {})
    presets = (override(overrides, "presets") or "").split(",")
    chosen = any(override(overrides, key) is not None for key in ("physics", "env.sim.physics"))
    if not engines or chosen or any(name in engines for name in presets):
        return None
    usable = [name for name, cfg in engines.items() if _installed(cfg)]
    if run is not None:
        trained = run["sim"]["physics"]
        same = [name for name in usable if _manager(engines[name]) == _manager(trained)]
        same_order = [name for name in usable if _joint_order(engines[name]) == _joint_order(trained)]
        preferred = [*same, *same_order, *usable]
    else:
        preferred = [*([] if has_cuda() else ["ovphysx"]), "default", "ovphysx", "newton_mjwarp"]
    engine = next((name for name in preferred if name in usable), "default")
    return None if _manager(engines[engine]) == _manager(engines["default"]) else engine


def _joint_ordering(env_cfg: Any, run: dict[str, Any], overrides: list[str]) -> list[str]:
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
