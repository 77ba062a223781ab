# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO on the velocity-tracking tasks of Unitree's quadruped Go1."""

from __future__ import annotations

from isaaclab.utils import configclass

from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg
from .velocity import VelocityBpoRunnerCfg


@configclass
class Go1RoughBpoRunnerCfg(VelocityBpoRunnerCfg):
    """Rough terrain, with the paper's hyperparameters."""

    max_iterations = 1500
    experiment_name = "unitree_go1_rough_bpo"
    algorithm = RslRlBpoAlgorithmCfg(clip_param=0.3, num_learning_epochs=10, entropy_coef=0.001, online_advantage=False)


@configclass
class Go1FlatBpoRunnerCfg(Go1RoughBpoRunnerCfg):
    """Flat terrain: the hyperparameters of rough terrain, iterations and networks of Isaac Lab's PPO agent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.max_iterations = 300
        self.experiment_name = "unitree_go1_flat_bpo"
        self.set_hidden_dims(128, 128, 128)
