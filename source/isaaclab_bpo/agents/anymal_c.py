# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO on the velocity-tracking tasks of ANYbotics' quadruped ANYmal-C."""

from __future__ import annotations

from isaaclab.utils import configclass

from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg
from .velocity import VelocityBpoRunnerCfg


@configclass
class AnymalCRoughBpoRunnerCfg(VelocityBpoRunnerCfg):
    """Rough terrain, with the paper's hyperparameters."""

    max_iterations = 1500
    experiment_name = "anymal_c_rough_bpo"
    algorithm = RslRlBpoAlgorithmCfg(clip_param=0.25, num_learning_epochs=5, entropy_coef=0.0)


@configclass
class AnymalCFlatBpoRunnerCfg(AnymalCRoughBpoRunnerCfg):
    """Flat terrain: the hyperparameters of rough terrain, iterations and networks of Isaac Lab's PPO agent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.max_iterations = 300
        self.experiment_name = "anymal_c_flat_bpo"
        self.set_hidden_dims(128, 128, 128)
