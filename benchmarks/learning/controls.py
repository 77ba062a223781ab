# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Variants of BPO that are no options of it, since they are here to be compared with it."""

from __future__ import annotations

from typing import Any

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


class BoundedRateBPO(BPO):
    """BPO whose adaptive learning rate does not rise above its initial value."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Initialize the algorithm; arguments as for :class:`BPO`."""
        super().__init__(*args, **kwargs)
        self._highest_rate = self.learning_rate

    def apply_gradients(self, usable: torch.Tensor, kl: torch.Tensor) -> None:
        """Do what :meth:`BPO.apply_gradients` does, with a KL divergence that does not let the highest rate rise."""
        if 1.4 * self.learning_rate > self._highest_rate:  # the rule would multiply by 1.5
            kl = kl.clamp(min=self.desired_kl)
        super().apply_gradients(usable, kl)


class RatioRateBPO(BPO):
    """BPO whose adaptive learning rate watches the mean of |ρ - 1|, in place of the KL divergence.

    ``desired_kl`` is then the deviation that is desired. Unlike the KL divergence, which ε bounds from above, it tells
    how far the policy is on its way to the optimum, where it is ε.
    """

    def losses(
        self, batch: Any, num_samples: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Return what :meth:`BPO.losses` does, with the mean of |ρ - 1| as "kl"."""
        loss, statistics, samples = super().losses(batch, num_samples)
        statistics["kl"] = (samples[0].detach() - 1.0).abs().mean()
        return loss, statistics, samples
