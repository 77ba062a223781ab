# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registration of BPO's agents on Isaac Lab's tasks, and of the task ids of Isaac Lab 2.x."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import isaaclab_tasks  # noqa: F401  (registers Isaac Lab's tasks)
from gymnasium.envs.registration import EnvSpec
from isaaclab_tasks.utils import load_cfg_from_registry

from isaaclab_bpo.agents import AGENT_KEYS
from isaaclab_bpo.agents.robots import ROBOTS, bpo_cfg
from isaaclab_bpo.tasks.gym_tasks import register_gym_tasks

AGENT_KEY = AGENT_KEYS["bpo"]
"""Keyword of a task's registration that names its BPO agent; the value for Isaac Lab's ``--agent``."""

_LEGACY_IDS = {
    f"{robot.legacy_task.format(terrain)}{suffix}": robot.task.format(terrain)
    for robot in ROBOTS
    for terrain in ("Rough", "Flat")
    for suffix in ("-v0", "-Play-v0")
}


def canonical_id(task: str) -> str:
    """Return Isaac Lab 3.0's id of a task.

    Args:
        task: Id in Isaac Lab 2.x, for example ``Isaac-Velocity-Rough-G1-Play-v0``, or any other id.

    Returns:
        The id in 3.0, for example ``Isaac-Velocity-Rough-G1``; any id that 2.x did not have is returned as it is.
    """
    return _LEGACY_IDS.get(task, task)


def register() -> None:
    """Give every task with a PPO agent a BPO agent; register ids of Isaac Lab 2.x and Gymnasium's tasks. Idempotent."""
    register_gym_tasks()
    for task, spec in list(gym.registry.items()):
        if AGENT_KEYS["ppo"] in spec.kwargs:
            spec.kwargs.setdefault(AGENT_KEY, lambda task=task: bpo_cfg(task))
    for legacy_id, task in _LEGACY_IDS.items():
        base = gym.registry[task]
        base.entry_point = "isaaclab_bpo.tasks.robot_env:make_robot_env"  # where the robot's files are chosen
        kwargs = copy.copy(base.kwargs)
        if legacy_id.endswith("-Play-v0"):
            kwargs["env_cfg_entry_point"] = _play_env_cfg(task)
        # gym.register refuses a versioned id beside the unversioned id of the same name, and gym.make would prefer it
        # to that one, with a warning; so the version is made part of the name.
        spec = EnvSpec(legacy_id, base.entry_point, disable_env_checker=base.disable_env_checker, kwargs=kwargs)
        spec.name, spec.version = legacy_id, None
        gym.registry[legacy_id] = spec


def _play_env_cfg(task: str) -> Callable[[], Any]:
    """Return a function that makes the environment configuration that Isaac Lab 2.x kept under the Play id."""

    def make() -> Any:
        env_cfg: Any = load_cfg_from_registry(task, "env_cfg_entry_point")
        env_cfg.play_mode()
        return env_cfg

    return make
