# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportMissingImports=false
# mjlab cannot be installed beside Isaac Lab.

"""What mjlab loads through the entry-point group ``mjlab.tasks``: its tasks of the paper's robots, to train with BPO.

``Mjlab-Velocity-Rough-Unitree-G1-BPO`` is ``Mjlab-Velocity-Rough-Unitree-G1`` with the paper's settings, and so are the
other three. Importing this module registers them, and does nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import mjlab.tasks  # noqa: F401  # registers mjlab's
from mjlab.rl import RslRlPpoAlgorithmCfg
from mjlab.tasks.registry import load_env_cfg, load_rl_cfg, load_runner_cls, register_mjlab_task

from isaaclab_bpo.algorithms.options import BpoOptions

from .robots import ROBOTS


@dataclass
class MjlabBpoAlgorithmCfg(BpoOptions, RslRlPpoAlgorithmCfg):
    """Configuration of the BPO algorithm. What BPO shares with PPO has mjlab's defaults."""

    class_name: str = "isaaclab_bpo.algorithms:BPO"
    """The algorithm class."""


def register() -> Iterator[str]:
    """Register the tasks, and yield their ids."""
    for robot in ROBOTS:
        for terrain in ("Rough", "Flat") if robot.mjlab_task is not None else ():
            task = str(robot.mjlab_task).replace("Rough", terrain)
            ppo = load_rl_cfg(task)
            own = ("class_name", "use_clipped_value_loss")
            shared = {it.name: getattr(ppo.algorithm, it.name) for it in fields(ppo.algorithm) if it.name not in own}
            algorithm = MjlabBpoAlgorithmCfg(**shared | robot.algorithm)
            bpo = replace(ppo, algorithm=algorithm, experiment_name=f"{ppo.experiment_name}_bpo")
            environments = load_env_cfg(task), load_env_cfg(task, play=True)
            register_mjlab_task(f"{task}-BPO", *environments, bpo, load_runner_cls(task))
            yield f"{task}-BPO"


TASKS = tuple(register())
"""The ids of the tasks."""
