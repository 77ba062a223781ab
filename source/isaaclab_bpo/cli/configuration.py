# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The configurations that a command line asks for, resolved as Isaac Lab does it and checked."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import secrets
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from isaaclab_bpo.agents import AGENT_KEYS
from isaaclab_bpo.command_line import similar

from .arguments import Action
from .errors import UserError

_NEEDED = ("env.scene", "env.sim", "agent.actor", "agent.critic", "agent.algorithm")
"""Sections that no run can do without."""


def _quietly() -> contextlib.redirect_stdout[io.StringIO]:
    """Return a context in which Isaac Lab's loaders do not print a line at every call."""
    return contextlib.redirect_stdout(io.StringIO())


def load(task: str, key: str) -> Any:
    """Return the configuration that a task is registered with under ``key``, presets not yet chosen."""
    from isaaclab_tasks.utils import load_cfg_from_registry

    with _quietly():
        return load_cfg_from_registry(task, key)


def resolve(args: argparse.Namespace, overrides: list[str], play_mode: bool = False) -> tuple[Any, Any]:
    """Return the task's environment and agent configuration with ``overrides`` applied."""
    from isaaclab_tasks.utils import resolve_task_config

    with _quietly():
        return resolve_task_config(args.task, args.agent, play_mode=play_mode, overrides=overrides)


def override(overrides: list[str], key: str) -> str | None:
    """Return the last value that ``overrides`` give to ``key``."""
    return next((token.split("=", 1)[1] for token in reversed(overrides) if token.startswith(f"{key}=")), None)


def draw_seed(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Draw the seed where -1 asks for it, and return the notes that say which."""
    if override(overrides, "env.seed") is not None:
        raise UserError("env.seed is set from agent.seed: give --seed")
    asked = override(overrides, "agent.seed") if args.seed is None else args.seed
    if asked is None:
        asked = getattr(load(args.task, args.agent), "seed", None)
    if str(asked) != "-1":
        return []
    args.seed = secrets.randbelow(2**31)
    return [f"seed {args.seed} (drawn, as -1 asks)"]


def preset_overrides(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Return the overrides that choose presets, after checking that the presets exist."""
    from isaaclab_tasks.utils.hydra import collect_presets
    from isaaclab_tasks.utils.preset_cli import enumerate_task_presets
    from isaaclab_tasks.utils.preset_target import PresetTarget

    with _quietly():
        presets = enumerate_task_presets(args.task) or {}
    aliases = PresetTarget.all_legacy_aliases()
    paths = {
        f"{section}.{path}"
        for section, key in {"env": "env_cfg_entry_point", "agent": args.agent}.items()
        for path in collect_presets(load(args.task, key))
    }
    chosen = []
    for token in overrides:
        key, value = token.split("=", 1)
        targets = [target for target in PresetTarget if target.value == key]
        for name in value.split(",") if targets else []:
            of_target = set(presets.get(targets[0], []))
            valid = of_target.union(*presets.values()) if targets[0] is PresetTarget.DOMAIN else of_target
            if aliases.get(name, name) not in valid:
                choices = ", ".join(sorted(valid)) or "none"
                raise UserError(f"{key}={name} is not a preset of {args.task}: valid are {choices}")
        if targets or key in paths:
            chosen.append(token)
    return chosen


def checked_configurations(action: Action, args: argparse.Namespace, overrides: list[str]) -> tuple[Any, Any]:
    """Return the configurations of environment and agent with all arguments applied.

    Raises:
        UserError: If overrides or values of the agent's configuration are wrong, or a robot's file is missing.
    """
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import update_rsl_rl_cfg
    from isaaclab_rl.rsl_rl import check_rsl_rl_version, handle_deprecated_rsl_rl_cfg

    from .agent_cfg import check_agent_cfg

    env_cfg, agent_cfg, errors = _apply(args, overrides, play_mode=action != "train" and not args.train_env_cfg)
    with contextlib.suppress(TypeError):  # of a logger that is no text: a log writer, or a mistake that is named below
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
        if token not in presets and (error := _field_error(token, {"env": env_cfg, "agent": agent_cfg}, args)):
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


def _field_error(token: str, configurations: dict[str, Any], args: argparse.Namespace) -> str | None:
    """Return what is wrong with an override: an unknown field of ``configurations``, or a text in place of a number."""
    key, text = token.split("=", 1)
    section, *path = key.split(".")
    node = configurations[section]
    for depth, name in enumerate(path):
        fields = _fields(node)
        if name not in fields:
            where = ".".join([section, *path[:depth]])
            hint = _owner(key, args) or similar(name, fields)
            return f"{token!r} names an unknown field: {where} has no {name!r}{hint}"
        node = fields[name]
    if is_dataclass(node) and (text not in ("null", "None") or key in _NEEDED):
        some = f"{key}.{next(iter(sorted(_fields(node))), '')}"
        return f"{token!r} replaces a whole section: set its fields, such as {some}"
    if isinstance(node, (int, float)) and not isinstance(node, bool) and not _is_number(text):
        return f"{token!r} needs a number: {key} is {node!r} by default"
    return None


def _owner(field: str, args: argparse.Namespace) -> str:
    """Return the end of a sentence that names the algorithm whose configuration has the field that this one lacks."""
    section, *path = field.split(".")
    for algo, key in AGENT_KEYS.items() if section == "agent" else ():
        if key == args.agent:
            continue
        with contextlib.suppress(ValueError, KeyError):  # the task has no such configuration
            node = load(args.task, key)
            for name in path:
                node = _fields(node)[name]
            return f": it is one of --algo {algo}"
    return ""


def _fields(node: Any) -> dict[str, Any]:
    """Return the fields of a configuration object, mapping or list by name."""
    if isinstance(node, Mapping):
        return {str(key): value for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return {str(index): value for index, value in enumerate(node)}
    if not hasattr(node, "__dataclass_fields__"):
        return {}
    return {name: getattr(node, name) for name in {*node.__dataclass_fields__, *vars(node)}}


def _is_number(text: str) -> bool:
    if text.lower() in ("none", "null"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
