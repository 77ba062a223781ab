# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Losses: the fit of the policy to the optimal ratio, and of μ to the median of Q.

All are means over the samples, which come from the old policy π₀.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from ._checks import check_number, check_tensors, check_values


def advantage_weighted_tv(ratio: torch.Tensor, target_ratio: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the loss of BPO, the advantage-weighted total variation between policy and optimum.

    l_BPO = mean( |A| · |ρ - ρ*| )

    Reference: Ao et al., arXiv:2604.18578, the BPO loss.

    Args:
        ratio: ρ = π(a|s)/π₀(a|s), any shape; carries the gradient.
        target_ratio: ρ*, same shape.
        weights: |A|, same shape, in units of return.

    Returns:
        Scalar loss.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If shapes or devices differ, or a value is not finite.
    """
    check_tensors(ratio=ratio, target_ratio=target_ratio, weights=weights)
    return (weights * (ratio - target_ratio).abs()).mean()


def total_variation(ratio: torch.Tensor, target_ratio: torch.Tensor) -> torch.Tensor:
    """Return twice the total variation between policy and optimum, mean |ρ - ρ*|.

    Args:
        ratio: ρ, any shape; carries the gradient.
        target_ratio: ρ*, same shape.

    Returns:
        Scalar loss.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If shapes or devices differ, or a value is not finite.
    """
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    return (ratio - target_ratio).abs().mean()


def log_total_variation(ratio: torch.Tensor, target_ratio: torch.Tensor) -> torch.Tensor:
    """Return mean |log ρ - log ρ*|; needs a lower bound above 0, so that ρ* > 0.

    Args:
        ratio: ρ > 0, any shape; carries the gradient.
        target_ratio: ρ* > 0, same shape.

    Returns:
        Scalar loss.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If shapes or devices differ, or a value is not finite.
    """
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    _check_positive(ratio=ratio, target_ratio=target_ratio)
    return (ratio.log() - target_ratio.log()).abs().mean()


def mean_squared_error(ratio: torch.Tensor, target_ratio: torch.Tensor) -> torch.Tensor:
    """Return mean (ρ - ρ*)².

    Args:
        ratio: ρ, any shape; carries the gradient.
        target_ratio: ρ*, same shape.

    Returns:
        Scalar loss.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If shapes or devices differ, or a value is not finite.
    """
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    return (ratio - target_ratio).square().mean()


def kl_divergence(ratio: torch.Tensor, target_ratio: torch.Tensor) -> torch.Tensor:
    """Return KL(π* || π), estimated from samples of π₀ as mean( ρ* log(ρ*/ρ) - ρ* + ρ ).

    The terms -ρ* + ρ vanish in expectation and make every sample's term non-negative.

    Args:
        ratio: ρ > 0, any shape; carries the gradient.
        target_ratio: ρ* >= 0, same shape.

    Returns:
        Scalar loss.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If shapes or devices differ, or a value is not finite.
    """
    check_tensors(ratio=ratio, target_ratio=target_ratio)
    _check_positive(ratio=ratio)
    check_values("target_ratio", target_ratio, lambda r: r >= 0.0, "must not be negative")
    return (torch.special.xlogy(target_ratio, target_ratio / ratio) - target_ratio + ratio).mean()


def _check_positive(**ratios: torch.Tensor) -> None:
    """Check that ratios have a logarithm."""
    for name, ratio in ratios.items():
        check_values(name, ratio, lambda r: r > 0.0, "must be positive")


POLICY_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "atv": advantage_weighted_tv,
    "tv": lambda ratio, target, weights: total_variation(ratio, target),
    "log_tv": lambda ratio, target, weights: log_total_variation(ratio, target),
    "mse": lambda ratio, target, weights: mean_squared_error(ratio, target),
    "kl": lambda ratio, target, weights: kl_divergence(ratio, target),
}
"""The losses by the name that BPO's ``loss`` field gives them, each called as (ratio, target_ratio, weights)."""


def median_loss(
    returns: torch.Tensor, medians: torch.Tensor, level: float = 0.5, temperature: float = 1.0
) -> torch.Tensor:
    """Return the smoothed pinball loss whose minimiser μ is the (smoothed) median, or another quantile, of Q̂.

    T · mean( softplus(-|x|) + level · max(x, 0) + (1 - level) · max(-x, 0) ),  x = (Q̂ - μ)/T

    At level 1/2 and temperature 1 this is softplus(-|x|) + |x|/2, a log-cosh. The gradient with respect to Q̂ - μ
    is σ(x) - (1 - level), so that at the minimum E[σ((Q̂ - μ)/T)] = 1 - level: the (soft) mass above μ is 1 - level.
    As T -> 0 the loss becomes the pinball loss, and μ the quantile itself.

    Reference: Ao et al., arXiv:2604.18578, the loss of the median critic.

    Args:
        returns: Q̂, any shape, in units of return.
        medians: μ, same shape; carries the gradient.
        level: Quantile level in [0, 1], see :attr:`RatioBounds.level`.
        temperature: T > 0, in units of return.

    Returns:
        Scalar loss.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If shapes or devices differ, a value is not finite, ``level`` is outside [0, 1], or
            ``temperature`` is not positive.
    """
    check_tensors(returns=returns, medians=medians)
    check_number("level", level, low=0.0, high=1.0)
    check_number("temperature", temperature, low=0.0, open_low=True)
    error = (returns - medians) / temperature
    pinball = level * error.relu() + (1.0 - level) * (-error).relu()
    return temperature * (functional.softplus(-error.abs()) + pinball).mean()
