# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The losses of BPO: the fits of the policy to the optimal ratio, of μ to the median of Q, and of V to its mean."""

from __future__ import annotations

import math

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

    l_BPO = |A| · |ρ - ρ*|,   ρ* = c_l + (c_h - c_l) σ(Ã/λ + b),   b = 0 for symmetric bounds

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.1 (ρ*), and the BPO loss, which Corollary 4.5 justifies.

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
    """Return the loss whose minimiser μ normalises the soft optimum: the smoothed median, or another quantile, of Q̂.

    T · ( softplus(x + b) - (1 - level) · x ),   x = (Q̂ - μ)/T,   b = logit(1 - level)

    At level 1/2 and temperature 1 this is softplus(-|x|) + |x|/2, a log-cosh. The gradient with respect to Q̂ - μ
    is σ(x + b) - (1 - level), so that at the minimum E[σ((Q̂ - μ)/T + b)] = 1 - level, which is E[ρ*] = 1 for the
    target ratio of temperature λ = T. As T -> 0 the loss becomes the pinball loss, and μ the quantile at the level;
    as T -> ∞ μ becomes the mean.

    Reference: Ao et al., arXiv:2604.18578, the loss of the median critic; levels other than 1/2 and b are ours.

    Args:
        returns: Q̂, any shape, in units of return.
        medians: μ, same shape; carries the gradient.
        level: Quantile level in (0, 1), see :attr:`RatioBounds.level`.
        temperature: T > 0, in units of return.
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``returns``.
    """
    check_tensors(returns=returns, medians=medians)
    check_number("level", level, low=0.0, high=1.0, open_low=True, open_high=True)
    check_number("temperature", temperature, low=0.0, open_low=True)
    # softplus(x + b) = softplus(-x - b) + x + b; beyond 40, softplus(x) is x in double precision
    error, offset = medians - returns, temperature * math.log((1.0 - level) / level)
    smoothed = functional.softplus(error - offset if offset else error, 1.0 / temperature, threshold=40.0)
    losses = torch.sub(smoothed, error, alpha=level)
    return reduce(losses + offset if offset else losses, reduction)


def value_loss(
    values: torch.Tensor,
    returns: torch.Tensor,
    old_values: torch.Tensor | None = None,
    clip_param: float | None = None,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Return the squared error of V, clipped as PPO's where ``old_values`` are given.

    (Q̂ - V)², or max( (Q̂ - V)², (Q̂ - V₀ - clip(V - V₀, -ε, ε))² )

    Args:
        values: V, any shape, in units of return; carries the gradient.
        returns: Q̂, same shape.
        old_values: V₀, that of when the rollout was collected, same shape; None for the error that is not clipped.
        clip_param: ε, in units of return.
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``values``.
    """
    check_tensors(values=values, returns=returns)
    losses = functional.mse_loss(values, returns, reduction="none")
    if old_values is not None:
        check_tensors(values=values, old_values=old_values)
        check_number("clip_param", clip_param or 0.0, low=0.0, open_low=True)
        clipped = old_values + (values - old_values).clamp(-clip_param, clip_param)  # type: ignore[operator]
        losses = torch.max(losses, (clipped - returns).pow(2))
    return reduce(losses, reduction)
