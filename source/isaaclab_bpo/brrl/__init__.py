# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded-ratio reinforcement learning as pure functions of tensors (needs torch and nothing else).

The losses and the target ratio are what BPO trains with. :mod:`.optimum` solves the problem exactly over finite sets of
actions, :mod:`.tabular` iterates that on finite Markov decision processes, and :mod:`.group` has the losses of GBPO for
language models.

The functions raise a TypeError for a tensor that is not of floating-point numbers, and a ValueError if shapes or
devices differ or a number is out of its range. None looks at a tensor's values, because the host would have to wait for
them. The exceptions are the two bounds of :mod:`.tabular`, which check the condition of their corollary.

Reference: Ao et al., "Bounded Ratio Reinforcement Learning", arXiv:2604.18578.
"""

from ._reduction import Reduction
from .advantages import generalized_advantages
from .divergences import (
    DIVERGENCES,
    advantage_weighted_tv,
    kl_divergence,
    log_total_variation,
    mean_squared_error,
    total_variation,
)
from .group import (
    Aggregation,
    aggregate,
    gbpo_loss,
    group_advantages,
    group_median,
    group_median_advantages,
    group_scale,
    group_sign_target,
    token_metrics,
    token_ratio,
)
from .learning_rate import adapted_learning_rate
from .losses import bpo_loss, median_loss, value_loss
from .optimum import elite_weights, group_target_ratio, optimal_policy, quantile, soft_optimal_policy
from .ppo import ppo_clipped_loss, ppo_ratio_fit_loss, ppo_ratio_fit_loss_inside_bounds
from .ratio import RatioBounds, ratio_statistics, target_ratio

__all__ = [
    "DIVERGENCES",
    "Aggregation",
    "RatioBounds",
    "Reduction",
    "adapted_learning_rate",
    "advantage_weighted_tv",
    "aggregate",
    "bpo_loss",
    "elite_weights",
    "gbpo_loss",
    "generalized_advantages",
    "group_advantages",
    "group_median",
    "group_median_advantages",
    "group_scale",
    "group_sign_target",
    "group_target_ratio",
    "kl_divergence",
    "log_total_variation",
    "mean_squared_error",
    "median_loss",
    "optimal_policy",
    "ppo_clipped_loss",
    "ppo_ratio_fit_loss",
    "ppo_ratio_fit_loss_inside_bounds",
    "quantile",
    "ratio_statistics",
    "soft_optimal_policy",
    "target_ratio",
    "token_metrics",
    "token_ratio",
    "total_variation",
    "value_loss",
]
