# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the agents of the velocity-tracking tasks have in common."""

from __future__ import annotations

from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg

from .rsl_rl_bpo_cfg import RslRlBpoRunnerCfg


@configclass
class VelocityBpoRunnerCfg(RslRlBpoRunnerCfg):
    """BPO on a velocity-tracking task: rollouts and networks of Isaac Lab's PPO agents on rough terrain."""

    num_steps_per_env = 24
    save_interval = 50
    obs_groups = {"actor": ["policy"], "critic": ["policy"]}
    actor = RslRlMLPModelCfg(
        hidden_dims=[512, 256, 128],
        activation="elu",
        distribution_cfg=RslRlMLPModelCfg.GaussianDistributionCfg(init_std=1.0),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[512, 256, 128], activation="elu")

    def set_hidden_dims(self, *hidden_dims: int) -> None:
        """Give all networks the same hidden layers.

        Args:
            *hidden_dims: Width of each hidden layer.
        """
        self.actor.hidden_dims = list(hidden_dims)
        self.critic.hidden_dims = list(hidden_dims)
