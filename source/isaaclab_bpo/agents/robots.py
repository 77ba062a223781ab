# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO on the velocity-tracking tasks of the paper's robots (Ao et al., arXiv:2604.18578), and on every other task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import AGENT_KEYS

if TYPE_CHECKING:
    from isaaclab_tasks.utils import PresetCfg

    from .rsl_rl_bpo_cfg import RslRlBpoRunnerCfg


@dataclass(frozen=True)
class Robot:
    """What the paper sets for a robot. The rest are BPO's defaults and the settings of the task's PPO agent."""

    task: str
    """Isaac Lab's id of the task; ``{}`` is the terrain, Rough or Flat."""
    legacy_task: str
    """Its id in Isaac Lab 2.x, without version."""
    mjlab_task: str | None
    """mjlab's id of the task on rough terrain, None if it has none."""
    max_iterations: int
    """Iterations on rough terrain."""
    algorithm: dict[str, Any]
    """Fields of the algorithm's configuration, on both terrains."""


ROBOTS = (
    Robot(
        "Isaac-Velocity-{}-G1",
        "Isaac-Velocity-{}-G1",
        "Mjlab-Velocity-Rough-Unitree-G1",
        3000,
        {"clip_param": 0.2, "num_learning_epochs": 10, "entropy_coef": 0.0},
    ),
    Robot(
        "Isaac-Velocity-{}-H1",
        "Isaac-Velocity-{}-H1",
        None,
        3000,
        {"clip_param": 0.2, "num_learning_epochs": 5, "entropy_coef": 0.0, "online_advantage": False},
    ),
    Robot(
        "IsaacContrib-Velocity-{}-UnitreeGo1",
        "Isaac-Velocity-{}-Unitree-Go1",
        "Mjlab-Velocity-Rough-Unitree-Go1",
        1500,
        {"clip_param": 0.3, "num_learning_epochs": 10, "entropy_coef": 0.001, "online_advantage": False},
    ),
    Robot(
        "IsaacContrib-Velocity-{}-AnymalC",
        "Isaac-Velocity-{}-Anymal-C",
        None,
        1500,
        {"clip_param": 0.25, "num_learning_epochs": 5, "entropy_coef": 0.0},
    ),
)
"""The paper's robots."""


def bpo_cfg(task: str) -> RslRlBpoRunnerCfg | PresetCfg:
    """Return the configuration of BPO: that of the task's PPO agent, with the paper's settings for its robots.

    Args:
        task: Isaac Lab's id of a task with a PPO agent.

    Raises:
        ValueError: If its agent trains with another algorithm than PPO.
    """
    from isaaclab_tasks.utils import load_cfg_from_registry

    from .rsl_rl_bpo_cfg import bpo_from_ppo

    cfg: Any = bpo_from_ppo(load_cfg_from_registry(task, AGENT_KEYS["ppo"]))  # type: ignore[arg-type]
    for robot in ROBOTS:
        if task in (robot.task.format("Rough"), robot.task.format("Flat")):
            cfg.check_for_nan = False  # BPO leaves such samples out
            cfg.algorithm = cfg.algorithm.replace(**robot.algorithm)
        if task == robot.task.format("Rough"):
            cfg.max_iterations = robot.max_iterations
    return cfg
