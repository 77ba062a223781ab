# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Divergences of a policy from the optimum, estimated from samples of the old policy π₀.

The paper's is :func:`advantage_weighted_tv`; the others are for its ablation. To add one, write its function and enter
it into :data:`DIVERGENCES`: BPO's option ``loss`` takes the name.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ._checks import check_tensors
from ._reduction import Reduction, reduce


def advantage_weighted_tv(
    ratio: torch.Tensor, target_ratio: torch.Tensor, weights: torch.Tensor, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Return the advantage-weighted total variation, the divergence of the BPO loss.

    |A| · |ρ - ρ*|

    Reference: Ao et al., arXiv:2604.18578, the BPO loss.

    Args:
        ratio: ρ = π(a|s)/π₀(a|s), any shape; carries the gradient.
        target_ratio: ρ*, same shape.
        weights: |A|, same shape, in units of return.
        reduction: See :data:`isaaclab_bpo.brrl.Reduction`.

    Returns:
        A scalar, or with the reduction "none" a tensor shaped like ``ratio``.
    """
    check_tensors(ratio=ratio, target_ratio=target_ratio, weights=weights)
    return reduce(weights * (ratio - target_ratio).abs(), reduction)


def total_variation(ratio: torch.Tensor, target_ratio: torch.Tensor, reduction: Reduction = "mean") -> torch.Tensor:
    """Return |ρ - ρ*|, whose mean is twice the total variation. Arguments as in :func:`advantage_weighted_tv`."""
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    return reduce((ratio - target_ratio).abs(), reduction)


def log_total_variation(ratio: torch.Tensor, target_ratio: torch.Tensor, reduction: Reduction = "mean") -> torch.Tensor:
    """Return |log ρ - log ρ*|, for ρ > 0 and ρ* > 0. Arguments as in :func:`advantage_weighted_tv`."""
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    return reduce((ratio.log() - target_ratio.log()).abs(), reduction)


def mean_squared_error(ratio: torch.Tensor, target_ratio: torch.Tensor, reduction: Reduction = "mean") -> torch.Tensor:
    """Return (ρ - ρ*)². Arguments as in :func:`advantage_weighted_tv`."""
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    return reduce((ratio - target_ratio).square(), reduction)


def kl_divergence(ratio: torch.Tensor, target_ratio: torch.Tensor, reduction: Reduction = "mean") -> torch.Tensor:
    """Return ρ* log(ρ*/ρ) - ρ* + ρ, whose mean estimates KL(π* || π), for ρ > 0 and ρ* >= 0.

    The terms -ρ* + ρ vanish in expectation and make every sample's divergence non-negative. Arguments as in
    :func:`advantage_weighted_tv`.
    """
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    return reduce(torch.special.xlogy(target_ratio, target_ratio / ratio) - target_ratio + ratio, reduction)


def _unweighted(divergence: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda ratio, target_ratio, weights, reduction="mean": divergence(ratio, target_ratio, reduction)


DIVERGENCES: dict[str, Callable[..., torch.Tensor]] = {
    "atv": advantage_weighted_tv,
    "tv": _unweighted(total_variation),
    "log_tv": _unweighted(log_total_variation),
    "mse": _unweighted(mean_squared_error),
    "kl": _unweighted(kl_divergence),
}
"""The divergences by the names of BPO's option ``loss``, called as (ratio, target_ratio, weights, reduction)."""
