# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO on the velocity-tracking tasks of Unitree's humanoid H1."""

from __future__ import annotations

from isaaclab.utils import configclass

from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg
from .velocity import VelocityBpoRunnerCfg


@configclass
class H1RoughBpoRunnerCfg(VelocityBpoRunnerCfg):
    """Rough terrain, with the paper's hyperparameters."""

    max_iterations = 3000
    experiment_name = "h1_rough_bpo"
    algorithm = RslRlBpoAlgorithmCfg(clip_param=0.2, num_learning_epochs=5, entropy_coef=0.0, online_advantage=False)


@configclass
class H1FlatBpoRunnerCfg(H1RoughBpoRunnerCfg):
    """Flat terrain: the hyperparameters of rough terrain, iterations and networks of Isaac Lab's PPO agent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.max_iterations = 500
        self.experiment_name = "h1_flat_bpo"
        self.set_hidden_dims(128, 128, 128)
