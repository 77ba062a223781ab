# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A checkpoint's own configuration: its networks are built again, and what else is different is said."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .arguments import Action
from .errors import UserError

SAID: dict[Action, tuple[str, ...]] = {
    "train": ("actor", "critic", "algorithm", "obs_groups", "num_steps_per_env", "clip_actions", "seed"),
    "play": ("obs_groups", "clip_actions"),
    "evaluate": ("obs_groups", "clip_actions"),
}
"""What of the agent's configuration tells whether a command goes on with what was trained."""


def adopt_networks(action: Action, path: Path, agent_cfg: Any, overrides: list[str]) -> list[str]:
    """Put the networks of a checkpoint's own configuration in the place of a command's.

    Args:
        action: Which command it is of.
        path: The checkpoint.
        agent_cfg: The checked configuration of rsl_rl's runner.
        overrides: The overrides of the command line.

    Returns:
        What was adopted, and what else the command changes against the checkpoint, in words.

    Raises:
        UserError: If the checkpoint cannot be read, its configuration is not valid, or an override contradicts its
            networks.
    """
    from isaaclab.utils import to_dict

    from isaaclab_bpo.checks import configuration_errors
    from isaaclab_bpo.runners import network_changes, plain

    own, saved = plain(to_dict(agent_cfg)), _saved_cfg(path)
    if not isinstance(saved, dict) or "actor" not in own:  # rsl_rl's own checkpoint, or a distillation
        return []
    keys = [token.split("=", 1)[0].removeprefix("agent.") for token in overrides]
    new, adopted = copy.deepcopy(own), {}
    for field, (there, here) in network_changes(saved, own).items():
        key = _given(field, keys)
        if key is None:
            adopted[field] = there
        elif not field.startswith("obs_groups."):  # whose names may differ between tasks
            raise UserError(
                f"agent.{key} contradicts --checkpoint {str(path)!r}, whose {field} is {there!r} and not {here!r}: "
                "leave it out, since a checkpoint's networks are built as they were trained"
            )
    for field, value in adopted.items():
        _adopt(field, value, saved, new, path)
    if adopted:
        if errors := configuration_errors(new):
            raise UserError(f"--checkpoint {str(path)!r} has a configuration that is not valid: {' '.join(errors)}")
        agent_cfg.actor, agent_cfg.critic, agent_cfg.obs_groups = new["actor"], new["critic"], new["obs_groups"]
        agent_cfg.algorithm.rnd_cfg = new["algorithm"].get("rnd_cfg")
    notes = {
        "as in the checkpoint": [f"agent.{field}={value!r}" for field, value in adopted.items()],
        "changed against the checkpoint": [
            text for name in SAID[action] for text in _differences(name, saved.get(name), new.get(name))
        ],
    }
    return [f"{title}: {', '.join(fields)}" for title, fields in notes.items() if fields]


def _saved_cfg(path: Path) -> Any:
    """Return the configuration in a checkpoint, None if there is none."""
    from isaaclab_bpo.runners import CheckpointError, read

    try:
        checkpoint = read(path, "cpu")
    except CheckpointError as error:
        raise UserError(f"--checkpoint {error}") from None
    return checkpoint.get("cfg") if isinstance(checkpoint, dict) else None


def _given(field: str, keys: list[str]) -> str | None:
    """Return the override, of those without the prefix agent., that says something about a field of a network."""
    from isaaclab_bpo.runners.configuration import MAY_CHANGE

    section = field.removesuffix(".class_name") + "."  # of another class all fields are others
    for key in keys:
        related = f"{key}.".startswith(section) or section.startswith(f"{key}.")
        if related and key.split(".")[-1] not in MAY_CHANGE:
            return key
    return None


def _adopt(field: str, value: Any, saved: Mapping[str, Any], new: dict[str, Any], path: Path) -> None:
    """Put the saved value of a field into the new configuration, or with a class all that belongs to it."""
    section = field.removesuffix(".class_name")
    *parents, last = section.split(".")
    there, here = saved, new
    for parent in parents:
        there = there[parent]
        if not isinstance(here.get(parent), dict):  # observation groups that rsl_rl was left to choose
            here[parent] = {}
        here = here[parent]
    if section != field:
        value = there[last]
    for key, name in _class_names(section, value):  # in any field: the new configuration may be without the section
        if (":" in name or "." in name) and not name.startswith(("rsl_rl.", "isaaclab_bpo.")):
            raise UserError(
                f"--checkpoint {str(path)!r} has networks of the class {name!r}, which nobody imports unless you "
                f"name it: give agent.{key}={name}"
            )
    here[last] = copy.deepcopy(value)


def _class_names(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the names of classes in a value of a configuration, each with its dotted path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "class_name":
                yield f"{path}.{key}", str(item)
            yield from _class_names(f"{path}.{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _class_names(f"{path}.{index}", item)


def _differences(path: str, there: Any, here: Any) -> Iterator[str]:
    """Yield, in words, the fields of two configurations that both have, with different values."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in here:
            if name in there:
                yield from _differences(f"{path}.{name}", there[name], here[name])
    elif there != here:
        yield f"agent.{path}={here!r} (was {there!r})"
