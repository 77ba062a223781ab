# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Algorithms between PPO and BPO, which tell what of BPO makes a difference."""

from __future__ import annotations

import torch

from isaaclab_bpo import brrl
from isaaclab_bpo.algorithms import BPO


class PageLossBPO(BPO):
    """BPO with PPO's loss as the paper's project page writes it: flat outside the bounds, with V for the median."""

    def policy_loss(
        self,
        ratio: torch.Tensor,
        returns: torch.Tensor,
        values: torch.Tensor,
        medians: torch.Tensor,
        advantages: torch.Tensor,
    ) -> torch.Tensor:
        """Return the mean of |A| |ρ - ρ_A| within the bounds, see :func:`brrl.ppo_ratio_fit_loss_inside_bounds`."""
        if self.options.online_advantage:
            advantages = returns - values
        return brrl.ppo_ratio_fit_loss_inside_bounds(ratio, advantages, self.bounds)
