# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The optimum of the bounded-ratio problem: which probability ratio each action should get."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ._checks import check_number, check_tensors

# Beyond this |Ã/λ| the sigmoid of symmetric bounds is flat to 5e-5. The authors' code for robots has this clamp, their
# code for language models has not. It keeps ρ* above the lower bound, so that log ρ* exists also where that is 0.
_MAX_SCALED_ADVANTAGE = 10.0


@dataclass(frozen=True)
class RatioBounds:
    """Bounds c_l <= ρ <= c_h on the probability ratio ρ = π(a|s)/π₀(a|s), with 0 <= c_l < 1 < c_h.

    Reference: Ao et al., arXiv:2604.18578, the constraint of the bounded-ratio problem.

    Args:
        lower: Lower bound c_l.
        upper: Upper bound c_h.
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.lower < 1.0 < self.upper < math.inf:
            raise ValueError(f"Ratio bounds must satisfy 0 <= lower < 1 < upper, got ({self.lower}, {self.upper}).")

    @classmethod
    def symmetric(cls, epsilon: float) -> RatioBounds:
        """Return the bounds [1 - ε, 1 + ε].

        Args:
            epsilon: Half-width ε in (0, 1], PPO's and BPO's ``clip_param``.
        """
        check_number("epsilon", epsilon, low=0.0, high=1.0, open_low=True)
        return cls(1.0 - epsilon, 1.0 + epsilon)

    @property
    def level(self) -> float:
        """Level (c_h - 1)/(c_h - c_l) of the quantile μ that normalises the optimum; 1/2, the median, if symmetric.

        E[ρ*] = 1 asks for P(Q < μ) c_l + P(Q > μ) c_h = 1, hence P(Q < μ) = (c_h - 1)/(c_h - c_l).
        """
        above, below = self.upper - 1.0, 1.0 - self.lower
        return above / (above + below)

    @property
    def offset(self) -> float:
        """Log-odds b = log((1 - c_l)/(c_h - 1)) of the share that ρ = 1 has of the bounds; 0 if they are symmetric.

        c_l + (c_h - c_l) σ(b) = 1: with b, an action that is as good as the normaliser keeps its probability.
        """
        return math.log((1.0 - self.lower) / (self.upper - 1.0))

    @property
    def max_kl(self) -> float:
        """Largest KL divergence E[-log ρ] of π₀ from a policy within the bounds; infinite if c_l = 0.

        -log is convex and E[ρ] = 1, so it is largest where ρ is c_l with probability :attr:`level`, and else c_h: that
        is ρ* where the level divides no atom of Q. With symmetric bounds it is -½ log(1 - ε²), about ε²/2.
        """
        if self.lower == 0.0:
            return math.inf
        return -self.level * math.log(self.lower) - (1.0 - self.level) * math.log(self.upper)

    @property
    def desired_kl(self) -> float:
        """KL divergence from which PPO's rule for the learning rate can go up and down: 0.01, as usual, or less.

        The rule lowers the rate above twice that. It must be within reach, so it is at most half of :attr:`max_kl`.
        """
        return min(0.01, self.max_kl / 4.0)


def target_ratio(
    median_advantages: torch.Tensor, bounds: RatioBounds, temperature: float | None = None
) -> torch.Tensor:
    """Return the ratio that the optimal policy of the bounded-ratio problem gives to each action.

    Temperature λ:              ρ* = c_l + (c_h - c_l) σ(Ã/λ + b), with Ã/λ clamped to ±10
    Its limit λ -> 0, "hard":   ρ* = c_l if Ã < 0, 1 if Ã = 0, c_h if Ã > 0

    The offset b = log((1 - c_l)/(c_h - 1)) makes ρ* = 1 at Ã = 0, so that (ρ* - 1) Ã >= 0 for every sample. It is 0 for
    symmetric bounds, the paper's. For others it is our choice of μ: without b the same optimum has the normaliser
    μ - λ b, which leaves the range of Q as λ grows.

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.1 and Remark 4.3.

    Args:
        median_advantages: Ã = Q̂ - μ, any shape, in units of return.
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: λ > 0 in units of return; None gives the hard optimum.

    Returns:
        ρ*, shaped like ``median_advantages``.
    """
    check_tensors(median_advantages=median_advantages)
    if temperature is None:
        sign = median_advantages.sign()
        return 1.0 + (bounds.upper - 1.0) * sign.relu() - (1.0 - bounds.lower) * (-sign).relu()
    check_number("temperature", temperature, low=0.0, open_low=True)
    scaled = (median_advantages / temperature).clamp(-_MAX_SCALED_ADVANTAGE, _MAX_SCALED_ADVANTAGE)
    share = torch.sigmoid(scaled + bounds.offset if bounds.offset else scaled)
    return bounds.lower + (bounds.upper - bounds.lower) * share


def ratio_statistics(
    ratio: torch.Tensor, median_advantages: torch.Tensor, bounds: RatioBounds
) -> dict[str, torch.Tensor]:
    """Return what shows how far the policy is, and whether μ is the median, as means over samples.

    Args:
        ratio: ρ = π(a|s)/π₀(a|s), any shape; samples that are NaN do not count.
        median_advantages: Ã = Q̂ - μ, same shape, NaN where ``ratio`` is.
        bounds: Bounds (c_l, c_h) of the ratio.

    Returns:
        "ratio_deviation", mean |ρ - 1|; "clip_fraction", the fraction of ρ outside the bounds; "above_median", that of
        Ã > 0; "median_deviation", mean |Ã|.
    """
    check_tensors(ratio=ratio, median_advantages=median_advantages)
    of_samples = {
        "ratio_deviation": (ratio - 1.0).abs(),
        "clip_fraction": (ratio < bounds.lower) | (ratio > bounds.upper),
        "above_median": median_advantages > 0.0,
        "median_deviation": median_advantages.abs(),
    }
    count = ratio.isnan().logical_not().sum()
    return {name: values.nansum() / count for name, values in of_samples.items()}
