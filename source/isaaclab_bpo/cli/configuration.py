# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The configurations that a command line asks for, resolved as Isaac Lab does it and checked."""

from __future__ import annotations

import argparse
import contextlib
import os
from dataclasses import is_dataclass
from typing import Any

from .arguments import Action
from .errors import UserError
from .loading import resolve
from .overrides import field_error, preset_overrides


def checked_configurations(action: Action, args: argparse.Namespace, overrides: list[str]) -> tuple[Any, Any]:
    """Return the configurations of environment and agent with all arguments applied.

    Args:
        action: What they are to do.
        args: The parsed arguments.
        overrides: All overrides.

    Returns:
        Isaac Lab's configuration of the task, and that of rsl_rl's runner.

    Raises:
        UserError: If overrides or values of the agent's configuration are wrong, or a robot's file is missing.
    """
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import update_rsl_rl_cfg
    from isaaclab_rl.rsl_rl import check_rsl_rl_version, handle_deprecated_rsl_rl_cfg

    from .agent_cfg import check_agent_cfg

    env_cfg, agent_cfg, errors = _apply(args, overrides, play_mode=action == "play" and not args.train_env_cfg)
    with contextlib.suppress(TypeError):  # of a logger that is no text, which is named below
        update_rsl_rl_cfg(agent_cfg, args)
    num_envs = args.num_envs or env_cfg.scene.num_envs
    if not isinstance(num_envs, int) or num_envs < 1:
        errors.append(f"env.scene.num_envs={num_envs} is out of range: it must be an integer of at least 1")
        num_envs = None
    errors += check_agent_cfg(agent_cfg, num_envs if action == "train" else None, _observation_groups(env_cfg))
    if errors:
        raise UserError("; ".join(error.removesuffix(".") for error in errors))
    _check_assets(args.task, env_cfg)
    return env_cfg, handle_deprecated_rsl_rl_cfg(agent_cfg, check_rsl_rl_version())


def _apply(args: argparse.Namespace, overrides: list[str], play_mode: bool) -> tuple[Any, Any, list[str]]:
    """Return both configurations with those overrides that suit them, and what is wrong with the others."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    presets = preset_overrides(args, overrides)
    env_cfg, agent_cfg = resolve(args, presets, play_mode)
    errors = {}
    for token in overrides:
        if token not in presets and (error := field_error(token, {"env": env_cfg, "agent": agent_cfg})):
            errors[token] = error
    good = [token for token in overrides if token not in errors]
    unsuitable = (ValueError, TypeError, KeyError, AttributeError, HydraException, OmegaConfBaseException)
    try:
        env_cfg, agent_cfg = resolve(args, good, play_mode)
    except unsuitable as error:
        for token in good:  # which one?
            try:
                resolve(args, [*presets, token], play_mode)
            except unsuitable as one:
                errors[token] = f"{token!r} does not suit the field: {' '.join(str(one).split())}"
        if not errors:
            raise UserError(f"the overrides do not suit each other: {' '.join(str(error).split())}") from None
    return env_cfg, agent_cfg, [*errors.values()]


def _observation_groups(env_cfg: Any) -> list[str] | None:
    """Return the names of the observation groups of a manager-based environment."""
    groups = getattr(env_cfg, "observations", None)
    return [name for name, group in vars(groups).items() if group is not None] if is_dataclass(groups) else None


def _check_assets(task: str, env_cfg: Any) -> None:
    """Refuse a task that needs a file which a local asset root lacks."""
    from isaaclab_bpo.robots import missing_asset, uses_standins

    missing = missing_asset(env_cfg)
    if missing is None:
        return
    if uses_standins():
        raise UserError(
            f"--task {task!r} needs {missing}, NVIDIA's asset server is out of reach and this package has no "
            "stand-in for it: connect to the server, or set ISAACSIM_ASSET_ROOT to a local copy of NVIDIA's assets"
        )
    root = os.environ["ISAACSIM_ASSET_ROOT"]
    raise UserError(
        f"--task {task!r} needs {missing}, which is not in ISAACSIM_ASSET_ROOT={root!r}: let it name a copy of "
        "NVIDIA's assets, or unset it"
    )
