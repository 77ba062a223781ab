# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The two losses of BPO: the fit of the policy to the optimal ratio, and of μ to the median of Q."""

from __future__ import annotations

import torch
from torch.nn import functional

from ._checks import check_choice, check_number, check_tensors
from ._reduction import Reduction, reduce
from .divergences import DIVERGENCES
from .ratio import RatioBounds, target_ratio


def bpo_loss(
    ratio: torch.Tensor,
    median_advantages: torch.Tensor,
    advantages: torch.Tensor,
    bounds: RatioBounds,
    temperature: float | None = None,
    divergence: str = "atv",
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Return the loss of BPO: the divergence of the policy from the optimum of the bounded-ratio problem.

    l_BPO = |A| · |ρ - ρ*|,   ρ* = c_l + (c_h - c_l) σ(Ã/λ)

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.1 (ρ*) and the BPO loss.

    Args:
        ratio: ρ = π(a|s)/π₀(a|s) of samples from π₀, any shape; carries the gradient.
        median_advantages: Ã = Q̂ - μ, same shape, in units of return; its sign picks the bound.
        advantages: A = Q̂ - V, same shape; its magnitude is the weight.
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: λ > 0 in units of return; None gives the hard optimum.
        divergence: A key of :data:`isaaclab_bpo.brrl.DIVERGENCES`; "atv" is the paper's.
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``ratio``.
    """
    check_choice("divergence", divergence, tuple(DIVERGENCES))
    target = target_ratio(median_advantages.detach(), bounds, temperature)
    return DIVERGENCES[divergence](ratio, target, advantages.detach().abs(), reduction)


def median_loss(
    returns: torch.Tensor,
    medians: torch.Tensor,
    level: float = 0.5,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Return the smoothed pinball loss whose minimiser μ is the (smoothed) median, or another quantile, of Q̂.

    T · ( softplus(-|x|) + level · max(x, 0) + (1 - level) · max(-x, 0) ),  x = (Q̂ - μ)/T

    At level 1/2 and temperature 1 this is softplus(-|x|) + |x|/2, a log-cosh. The gradient with respect to Q̂ - μ
    is σ(x) - (1 - level), so that at the minimum E[σ((Q̂ - μ)/T)] = 1 - level: the (soft) mass above μ is 1 - level.
    As T -> 0 the loss becomes the pinball loss, and μ the quantile itself.

    Reference: Ao et al., arXiv:2604.18578, the loss of the median critic.

    Args:
        returns: Q̂, any shape, in units of return.
        medians: μ, same shape; carries the gradient.
        level: Quantile level in [0, 1], see :attr:`RatioBounds.level`.
        temperature: T > 0, in units of return.

        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``returns``.
    """
    check_tensors(returns=returns, medians=medians)
    check_number("level", level, low=0.0, high=1.0)
    check_number("temperature", temperature, low=0.0, open_low=True)
    error = (returns - medians) / temperature
    pinball = level * error.relu() + (1.0 - level) * (-error).relu()
    return temperature * reduce(functional.softplus(-error.abs()) + pinball, reduction)
