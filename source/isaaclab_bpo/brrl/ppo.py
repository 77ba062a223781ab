# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO seen through bounded-ratio reinforcement learning."""

from __future__ import annotations

import torch

from ._checks import check_tensors
from ._reduction import Reduction, reduce
from .losses import bpo_loss
from .ratio import RatioBounds


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
    """Return PPO's loss rewritten as the fit of the ratio to a target, l'(ρ).

    l' = |A| · |ρ - ρ_A|,   ρ_A = c_h if A > 0, c_l if A < 0

    Where PPO's loss is not clipped, it is l' minus a constant that does not depend on the policy (A ρ_A), so the
    gradients are equal. Beyond the target, ρ > c_h with A > 0 or ρ < c_l with A < 0, PPO's gradient vanishes, while
    that of l' leads back. l' is BPO's hard loss with the mean V in the place of the median μ.

    Reference: Ao et al., arXiv:2604.18578, on the equivalence of PPO's loss to l'(ρ).

    Args:
        ratio: ρ = π(a|s)/π₀(a|s), any shape; carries the gradient.
        advantages: A = Q - V, same shape.
        bounds: Bounds (c_l, c_h) of the ratio.
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``ratio``.
    """
    check_tensors(ratio=ratio, advantages=advantages)
    return bpo_loss(ratio, advantages, advantages, bounds, reduction=reduction)
