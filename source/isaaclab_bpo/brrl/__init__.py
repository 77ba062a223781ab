# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded-ratio reinforcement learning as pure functions of tensors (needs torch and nothing else).

The losses and the target ratio are what BPO trains with. :mod:`.optimum` solves the problem exactly over finite sets of
actions, :mod:`.tabular` iterates that on finite Markov decision processes.

Reference: Ao et al., "Bounded Ratio Reinforcement Learning", arXiv:2604.18578.
"""

from ._checks import unchecked_values
from .advantages import generalized_advantages
from .losses import (
    POLICY_LOSSES,
    advantage_weighted_tv,
    kl_divergence,
    log_total_variation,
    mean_squared_error,
    median_loss,
    total_variation,
)
from .optimum import elite_weights, optimal_policy, quantile, soft_optimal_policy
from .ppo import ppo_clipped_loss, ppo_ratio_fit_loss
from .ratio import RatioBounds, target_ratio

__all__ = [
    "POLICY_LOSSES",
    "RatioBounds",
    "advantage_weighted_tv",
    "elite_weights",
    "generalized_advantages",
    "kl_divergence",
    "log_total_variation",
    "mean_squared_error",
    "median_loss",
    "optimal_policy",
    "ppo_clipped_loss",
    "ppo_ratio_fit_loss",
    "quantile",
    "soft_optimal_policy",
    "target_ratio",
    "total_variation",
    "unchecked_values",
]
