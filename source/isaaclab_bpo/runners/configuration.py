# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A checkpoint's runner configuration beside another one: parameters fit many networks, and are of one only."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from rsl_rl.utils import resolve_callable

MAY_CHANGE = ("init_std", "std_range", "learn_std", "orthogonal_init", "weight", "weight_schedule", "learning_rate")
"""Fields of a network that say how it starts and learns, and not what it computes with given parameters."""

Changes = dict[str, tuple[Any, Any]]
"""The value in the checkpoint and the one in another configuration, by the dotted path of the field."""


def plain(value: Any) -> Any:
    """Return a configuration as plain data: functions and classes become their names."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)  # not a subclass, which could not be read back
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if callable(value):
        return f"{value.__module__}:{value.__qualname__}"
    return None if value is None else repr(value)


def network_changes(saved: Any, own: Mapping[str, Any]) -> Changes:
    """Return the fields in which networks differ that parameters alone do not tell apart, such as the activation.

    Args:
        saved: The configuration in a checkpoint, as it was read; nothing that it names is imported.
        own: The configuration that networks are or will be built from, valid and plain.
    """
    changes = {}
    for path in ("actor", "critic", "algorithm.rnd_cfg"):
        there, here = _section(saved, path), _section(own, path)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            changes |= dict(_changes(path, there, here))
    for path in ("obs_groups.actor", "obs_groups.critic", "obs_groups.rnd_state"):
        there, here = _section(saved, path), _section(own, path)
        if isinstance(there, list) and there != here:
            changes[path] = there, here
    return changes


def same_class(saved: Any, own: Any) -> bool:
    """Return whether two names mean one class: rsl_rl takes a simple name, or one with its module."""
    return str(saved).replace(":", ".").split(".")[-1] == str(own).replace(":", ".").split(".")[-1]


def _section(cfg: Any, path: str) -> Any:
    for name in path.split("."):
        cfg = cfg.get(name) if isinstance(cfg, Mapping) else None
    return cfg


def _changes(path: str, saved: Mapping[Any, Any], own: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield the fields of a section that differ, and only its class if that does."""
    class_name = own.get("class_name")
    if not same_class(saved.get("class_name"), class_name):
        yield f"{path}.class_name", (saved.get("class_name"), class_name)
        return
    defaults = _defaults(class_name)
    for name in sorted({*map(str, saved), *own} - {"class_name", *MAY_CHANGE}):
        there, here = (section.get(name, defaults.get(name)) for section in (saved, own))
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            yield from _changes(f"{path}.{name}", there, here)
        elif there != here:
            yield f"{path}.{name}", (there, here)


def _defaults(class_name: str | None) -> dict[str, Any]:
    """Return the defaults of the arguments of a class."""
    built: Any = object if class_name is None else resolve_callable(class_name)
    return {
        name: plain(parameter.default)
        for base in reversed(built.__mro__[:-1])
        for name, parameter in inspect.signature(base.__init__).parameters.items()
        if parameter.default is not parameter.empty
    }
