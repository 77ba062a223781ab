# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO seen through bounded-ratio reinforcement learning."""

from __future__ import annotations

import torch

from ._checks import check_tensors
from ._reduction import Reduction, reduce
from .ratio import RatioBounds, target_ratio


def ppo_clipped_loss(
    ratio: torch.Tensor, advantages: torch.Tensor, bounds: RatioBounds, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Return PPO's clipped surrogate, as a loss.

    l_PPO = max(-A ρ, -A clip(ρ, c_l, c_h))

    Reference: Schulman et al., "Proximal policy optimization algorithms", arXiv:1707.06347, equation (7).

    Args:
        ratio: ρ = π(a|s)/π₀(a|s), any shape; carries the gradient.
        advantages: A, same shape.
        bounds: Bounds (c_l, c_h) of the ratio, in PPO (1 - ε, 1 + ε).
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``ratio``.
    """
    check_tensors(ratio=ratio, advantages=advantages)
    clipped = ratio.clamp(bounds.lower, bounds.upper)
    return reduce(torch.maximum(-advantages * ratio, -advantages * clipped), reduction)


def ppo_ratio_fit_loss(
    ratio: torch.Tensor, advantages: torch.Tensor, bounds: RatioBounds, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Return PPO's loss as the one-sided fit of the ratio to a bound.

    l = max(0, A (ρ_A - ρ)) = l_PPO + A ρ_A,   ρ_A = c_h if A > 0, c_l if A < 0

    A ρ_A does not depend on the policy, so that gradients are those of PPO for every ρ. BPO's hard loss with the mean V
    for the median μ is |A| |ρ - ρ_A| = max(0, A (ρ_A - ρ)) + max(0, A (ρ - ρ_A)): it adds to PPO's gradient exactly
    where A (ρ - ρ_A) > 0, beyond the bound, from where PPO does not come back.

    Reference: Ao et al., arXiv:2604.18578, on PPO's loss as the fit of a ratio; this form for all ρ is ours.

    Args:
        ratio: ρ = π(a|s)/π₀(a|s), any shape; carries the gradient.
        advantages: A = Q - V, same shape.
        bounds: Bounds (c_l, c_h) of the ratio.
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``ratio``.
    """
    check_tensors(ratio=ratio, advantages=advantages)
    return reduce((advantages * (target_ratio(advantages, bounds) - ratio)).relu(), reduction)


def ppo_ratio_fit_loss_inside_bounds(
    ratio: torch.Tensor, advantages: torch.Tensor, bounds: RatioBounds, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Return PPO's loss as the paper's project page writes it, which is 0 outside the bounds.

    l' = |A| |ρ - ρ_A| if c_l <= ρ <= c_h, else 0

    It differs from :func:`ppo_ratio_fit_loss` on the wrong side only: for A > 0 and ρ < c_l, and for A < 0 and ρ > c_h,
    PPO pulls the ratio back, while l' is flat. There l' jumps by (c_h - c_l) |A|, which is 2 ε |A|.

    Reference: Ao et al., arXiv:2604.18578, its project page, l'(ρ).

    Args:
        ratio: ρ = π(a|s)/π₀(a|s), any shape; carries the gradient.
        advantages: A = Q - V, same shape.
        bounds: Bounds (c_l, c_h) of the ratio.
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``ratio``.
    """
    check_tensors(ratio=ratio, advantages=advantages)
    inside = (ratio >= bounds.lower) & (ratio <= bounds.upper)
    distance = advantages.abs() * (ratio - target_ratio(advantages, bounds)).abs()
    return reduce(torch.where(inside, distance, 0.0), reduction)
