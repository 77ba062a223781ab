# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded-ratio reinforcement learning as pure functions of tensors (needs torch and nothing else).

Reference: Ao et al., "Bounded Ratio Reinforcement Learning", arXiv:2604.18578.
"""

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
from .ratio import RatioBounds, target_ratio

__all__ = [
    "POLICY_LOSSES",
    "RatioBounds",
    "advantage_weighted_tv",
    "generalized_advantages",
    "kl_divergence",
    "log_total_variation",
    "mean_squared_error",
    "median_loss",
    "target_ratio",
    "total_variation",
]
