# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The overrides of configurations on a command line, in Hydra's language: those of presets, and those of fields."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Mapping
from typing import Any

from .errors import UserError, similar
from .loading import load


def is_override(token: str) -> bool:
    """Whether an argument is an override of a configuration."""
    return "=" in token and not token.startswith("-")


def override(overrides: list[str], key: str) -> str | None:
    """Return the last value that ``overrides`` give to ``key``."""
    return next((token.split("=", 1)[1] for token in reversed(overrides) if token.startswith(f"{key}=")), None)


def preset_overrides(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Return the overrides that choose presets, after checking that the presets exist."""
    from isaaclab_tasks.utils.hydra import collect_presets
    from isaaclab_tasks.utils.preset_cli import enumerate_task_presets
    from isaaclab_tasks.utils.preset_target import PresetTarget

    with contextlib.redirect_stdout(io.StringIO()):
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


def field_error(token: str, configurations: dict[str, Any]) -> str | None:
    """Return what is wrong with an override of a field: its name, or a text where a number belongs.

    Args:
        token: The override.
        configurations: The configurations by the word that overrides of them start with.

    Returns:
        The mistake in one sentence; None if there is none to see.
    """
    key, text = token.split("=", 1)
    if key.startswith(("+", "~", "hydra.")):  # Hydra's own language
        return None
    section, *path = key.split(".")
    if section not in configurations or not path:
        return f"{token!r} is not an override: they start with env. or agent., or are physics=, renderer= or presets="
    node = configurations[section]
    for depth, name in enumerate(path):
        fields = _fields(node)
        if name not in fields:
            where = ".".join([section, *path[:depth]])
            return f"{token!r} names an unknown field: {where} has no {name!r}{similar(name, fields)}"
        node = fields[name]
    if isinstance(node, (int, float)) and not isinstance(node, bool) and not _is_number(text):
        return f"{token!r} needs a number: {key} is {node!r} by default"
    return None


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
