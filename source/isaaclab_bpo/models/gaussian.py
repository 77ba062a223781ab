# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A Gaussian for a third of the kernels that torch.distributions and autograd launch, which torch.compile can read."""

from __future__ import annotations

import math
from typing import Any

import torch
from rsl_rl.modules.distribution import Distribution, GaussianDistribution


def log_prob(distribution: Distribution, actions: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities of actions, shape (...), of shape (..., A), under a distribution of rsl_rl's."""
    if type(distribution).log_prob is GaussianDistribution.log_prob:
        return GaussianLogProb.apply(actions, distribution.mean, distribution.std)  # type: ignore[return-value]
    return distribution.log_prob(actions)


def kl_divergence(
    distribution: Distribution, old: tuple[torch.Tensor, ...], new: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Return KL(old || new), shape (...), of the parameters of a distribution of rsl_rl's, (..., A) each.

    Of Gaussians it is ½ Σ (σ²/σ'² + (m - m')²/σ'² - 1 - log σ²/σ'²).
    """
    if type(distribution).kl_divergence is not GaussianDistribution.kl_divergence:
        return distribution.kl_divergence(old, new)
    (old_mean, old_std), (mean, std) = old, new
    variance_ratio = (old_std / std).square()
    return (0.5 * (variance_ratio + ((old_mean - mean) / std).square() - 1.0 - variance_ratio.log())).sum(-1)


class GaussianLogProb(torch.autograd.Function):
    """log N(a; m, σ²) = -½ Σ z² - Σ log(σ √2π),  z = (a - m)/σ, summed over the last dimension.

    The gradients are z/σ with respect to m, and (z² - 1)/σ with respect to σ; the actions get none.
    """

    @staticmethod
    def forward(ctx: Any, actions: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
        """Return log-probabilities, shape (...), of actions, given means and standard deviations, all (..., A)."""
        scaled = (actions - mean) / std
        ctx.save_for_backward(scaled, std)
        constant = 0.5 * math.log(math.tau) * std.shape[-1]
        return -constant - torch.add(std.log().sum(-1), scaled.square().sum(-1), alpha=0.5)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Return the gradients with respect to means and standard deviations."""
        scaled, std = ctx.saved_tensors
        gradient = gradients[0].unsqueeze(-1)
        weighted = gradient * scaled
        return None, weighted / std, (weighted * scaled - gradient) / std
