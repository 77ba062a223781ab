# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Agent configurations: BPO's fields, the paper's robots, and any PPO configuration turned into BPO's."""

from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg, RslRlBpoRunnerCfg, bpo_from_ppo

__all__ = ["RslRlBpoAlgorithmCfg", "RslRlBpoRunnerCfg", "bpo_from_ppo"]
