# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The configuration that a command line asks for, resolved as Isaac Lab does it and checked beforehand."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal

Action = Literal["train", "play"]


class UserError(Exception):
    """A mistake in the command line; the message is the one sentence that the user reads."""


def similar(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that offers the closest of ``names``."""
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f": did you mean {' or '.join(close)}?" if close else ""


def override(overrides: list[str], key: str) -> str | None:
    """Return the last value that ``overrides`` give to ``key``."""
    return next((token.split("=", 1)[1] for token in reversed(overrides) if token.startswith(f"{key}=")), None)


def load_quietly(load: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call one of Isaac Lab's configuration loaders without the lines that it prints: it will be called again."""
    with contextlib.redirect_stdout(io.StringIO()):
        return load(*args, **kwargs)


def resolve(args: argparse.Namespace, overrides: list[str], play_mode: bool) -> tuple[Any, Any]:
    """Return the task's environment and agent configuration with ``overrides`` applied."""
    from isaaclab_tasks.utils import resolve_task_config

    return load_quietly(resolve_task_config, args.task, args.agent, play_mode=play_mode, overrides=overrides)


def selectors(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Return the overrides that choose presets, after checking that the presets exist."""
    from isaaclab_tasks.utils.hydra import collect_presets
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry
    from isaaclab_tasks.utils.preset_cli import enumerate_task_presets
    from isaaclab_tasks.utils.preset_target import PresetTarget

    presets = load_quietly(enumerate_task_presets, args.task) or {}
    aliases = PresetTarget.all_legacy_aliases()
    paths = {
        f"{section}.{path}"
        for section, key in {"env": "env_cfg_entry_point", "agent": args.agent}.items()
        for path in collect_presets(load_quietly(load_cfg_from_registry, args.task, key))
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


def check_configuration(action: Action, args: argparse.Namespace, overrides: list[str]) -> tuple[Any, Any]:
    """Refuse wrong overrides, wrong values anywhere in the agent's configuration, and robots without a file.

    Returns:
        The configurations of environment and agent.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from isaaclab_bpo.cli.agent_cfg import check_agent_cfg
    from isaaclab_bpo.robots import missing_asset, uses_standins

    play_mode = action == "play" and not args.train_env_cfg
    chosen = selectors(args, overrides)
    env_cfg, agent_cfg = resolve(args, chosen, play_mode)
    wrong = {}
    for token in overrides:
        if token not in chosen:
            try:
                _check_override(token, {"env": env_cfg, "agent": agent_cfg})
            except UserError as error:
                wrong[token] = str(error)
    good = [token for token in overrides if token not in wrong]
    unsuitable = (ValueError, TypeError, KeyError, AttributeError, HydraException, OmegaConfBaseException)
    try:
        env_cfg, agent_cfg = resolve(args, good, play_mode)
    except unsuitable as error:
        for token in good:  # which one?
            try:
                resolve(args, [*chosen, token], play_mode)
            except unsuitable as one:
                wrong[token] = f"{token!r} does not suit the field: {' '.join(str(one).split())}"
        if not wrong:
            raise UserError(f"the overrides do not suit each other: {' '.join(str(error).split())}") from None
    num_envs = args.num_envs or env_cfg.scene.num_envs
    problems = [*wrong.values()]
    if not isinstance(num_envs, int) or num_envs < 1:
        problems.append(f"env.scene.num_envs={num_envs} is out of range: it must be an integer of at least 1")
        num_envs = None
    problems += check_agent_cfg(agent_cfg, num_envs if action == "train" else None, _observation_groups(env_cfg))
    if problems:
        raise UserError("; ".join(problem.removesuffix(".") for problem in problems))
    missing = missing_asset(env_cfg)
    if missing is not None and not uses_standins():
        root = os.environ["ISAACSIM_ASSET_ROOT"]
        raise UserError(
            f"--task {args.task!r} needs {missing}, which is not in ISAACSIM_ASSET_ROOT={root!r}: let it name a copy "
            "of NVIDIA's assets, or unset it"
        )
    if missing is not None:
        raise UserError(
            f"--task {args.task!r} needs {missing}, NVIDIA's asset server is out of reach and this package has no "
            "stand-in for it: connect to the server, or set ISAACSIM_ASSET_ROOT to a local copy of NVIDIA's assets"
        )
    return env_cfg, agent_cfg


def _observation_groups(env_cfg: Any) -> list[str] | None:
    """Return the names of the observation groups of a manager-based environment."""
    groups = getattr(env_cfg, "observations", None)
    return [name for name, group in vars(groups).items() if group is not None] if is_dataclass(groups) else None


def _check_override(token: str, configurations: dict[str, Any]) -> None:
    """Refuse an override of a field that does not exist or holds another type."""
    key, text = token.split("=", 1)
    if key.startswith(("+", "~", "hydra.")):  # Hydra's own language
        return
    section, *path = key.split(".")
    if section not in configurations or not path:
        raise UserError(
            f"{token!r} is not an override: they start with env. or agent., or are physics=, renderer= or presets="
        )
    node = configurations[section]
    for depth, name in enumerate(path):
        fields = _fields(node)
        if name not in fields:
            where = ".".join([section, *path[:depth]])
            raise UserError(f"{token!r} names an unknown field: {where} has no {name!r}{similar(name, fields)}")
        node = fields[name]
    if isinstance(node, (int, float)) and not isinstance(node, bool) and not _is_number(text):
        raise UserError(f"{token!r} needs a number: {key} is {node!r} by default")


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
