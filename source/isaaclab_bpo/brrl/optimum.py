# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The bounded-ratio problem over a finite set of actions, solved exactly.

Maximise Σ_a π(a) Q(a), with or without the entropy of :func:`soft_optimal_policy`, over distributions π with
c_l <= π(a)/π₀(a) <= c_h.
"""

from __future__ import annotations

import math

import torch

from ._checks import check_number, check_tensors
from .ratio import RatioBounds

# Halvings of the bracket; a double has 53 bits, and the bracket may be 1e12 times wider than the scale of the root
_BISECTIONS = 120


def optimal_policy(q_values: torch.Tensor, prior: torch.Tensor, bounds: RatioBounds) -> torch.Tensor:
    """Return the policy that solves the bounded-ratio problem without regularisation: the limit λ -> 0.

    π*(a) = c_h π₀(a) where Q(a) > μ,  c_l π₀(a) where Q(a) < μ,

    with μ the quantile of Q under π₀ at level τ = (c_h - 1)/(c_h - c_l). Actions with Q(a) = μ share what is left: the
    part of their mass that lies below the level gets c_l, the rest c_h. So π* sums to 1 also where Q has ties.

    Reference: Ao et al., arXiv:2604.18578, Remark 4.3 and Section 4.6; the exact treatment of ties is ours.

    Args:
        q_values: Q(a), shape (..., A).
        prior: π₀(a), same shape, sums to 1 over the last dimension.
        bounds: Bounds (c_l, c_h) of the ratio.

    Returns:
        π*(a), shape (..., A).
    """
    q, p = _validated(q_values, prior)
    below, up_to = _cumulative_masses(q, p)
    share_below = (bounds.level - below) / (up_to - below)  # where the level lies within the atom
    # Every other atom has no part beyond the level, also if it begins or ends there but for rounding of the masses
    tolerance = _rounding(p)
    share_below = share_below.masked_fill(bounds.level - below <= tolerance, 0.0)
    share_below = share_below.masked_fill(bounds.level - up_to >= -tolerance, 1.0)
    policy = p * (bounds.upper - (bounds.upper - bounds.lower) * share_below)
    return policy.to(q_values.dtype)


def quantile(q_values: torch.Tensor, prior: torch.Tensor, level: float = 0.5) -> torch.Tensor:
    """Return the (lower) quantile of Q under π₀, the smallest μ among the values of Q with P(Q <= μ) >= level.

    Args:
        q_values: Q(a), shape (..., A).
        prior: π₀(a), same shape, sums to 1 over the last dimension.
        level: Level in [0, 1]; 1/2 is the median.

    Returns:
        μ, shape (...).
    """
    q, p = _validated(q_values, prior)
    check_number("level", level, low=0.0, high=1.0)
    _, up_to = _cumulative_masses(q, p)
    # Rounding of the cumulated mass must not push the quantile to the next value
    enough = (up_to >= level - _rounding(p)) & (p > 0.0)
    return q.masked_fill(~enough, math.inf).amin(dim=-1).to(q_values.dtype)


def soft_optimal_policy(
    q_values: torch.Tensor, prior: torch.Tensor, bounds: RatioBounds, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the solution of the regularised bounded-ratio problem, the paper's, and its normaliser.

    π*(a) = π₀(a) (c_l + (c_h - c_l) σ((Q(a) - μ)/λ + b)) with b as in :func:`target_ratio` and μ such that Σ_a π* = 1,

    solves  max_ρ E_{π₀}[ρ Q] + λ (c_h - c_l) E_{π₀}[H((ρ - c_l)/(c_h - c_l))]  subject to  E_{π₀}[ρ] = 1,

    where H(x) = -x log x - (1 - x) log(1 - x) is the binary entropy. As λ -> 0 it tends to :func:`optimal_policy`, and
    μ to a quantile; as λ -> ∞ to π₀, and μ to E[Q].

    Σ_a π* falls as μ grows, and with b its root lies between the least and the greatest Q. The bisection runs in units
    of λ from the hard quantile, near which the root lies when λ is small, so that it stays accurate there.

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.1.

    Args:
        q_values: Q(a), shape (..., A).
        prior: π₀(a), same shape, sums to 1 over the last dimension.
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: λ > 0, in units of Q.

    Returns:
        π*(a), shape (..., A), and μ, shape (...).
    """
    q, p = _validated(q_values, prior)
    check_number("temperature", temperature, low=0.0, open_low=True)
    origin = quantile(q, p, bounds.level)
    scaled = (q - origin.unsqueeze(-1)) / temperature
    possible = p > 0.0
    low = scaled.masked_fill(~possible, math.inf).amin(dim=-1)
    high = scaled.masked_fill(~possible, -math.inf).amax(dim=-1)

    def share(shift: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(scaled - shift.unsqueeze(-1) + bounds.offset)

    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        too_low = (p * share(middle)).sum(dim=-1) > 1.0 - bounds.level
        low, high = torch.where(too_low, middle, low), torch.where(too_low, high, middle)
    shift = 0.5 * (low + high)
    policy = p * (bounds.lower + (bounds.upper - bounds.lower) * share(shift))
    return policy.to(q_values.dtype), (origin + temperature * shift).to(q_values.dtype)


def group_target_ratio(rewards: torch.Tensor, bounds: RatioBounds, temperature: float | None = None) -> torch.Tensor:
    """Return the optimal ratio of each member of a group that was sampled from π₀, exactly normalised.

    The bounded-ratio problem over the G members, each of mass 1/G: the ratios average 1 in every group, also where
    rewards tie. The sign form 1 + ε sign(r - median) does not: with 5 of 8 right and ε = 0.3 it gives {1, 0.7}, whose
    mean is 0.89; this function gives {1.18, 0.7}.

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.1 over a group; the exact treatment of ties is ours.

    Args:
        rewards: r, shape (..., G).
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: λ > 0 in units of reward; None gives the hard optimum.

    Returns:
        ρ*, shape (..., G).
    """
    check_tensors(rewards=rewards)
    prior = torch.full_like(rewards, 1.0 / rewards.shape[-1])
    if temperature is None:
        return optimal_policy(rewards, prior, bounds) / prior
    return soft_optimal_policy(rewards, prior, bounds, temperature)[0] / prior


def elite_weights(scores: torch.Tensor, elite_fraction: float) -> torch.Tensor:
    """Return the weights that the cross-entropy method gives to its samples, as a bounded-ratio optimum.

    With c_l = 0 and c_h = 1/f, and π₀ uniform over the samples, the optimum gives weight 1/(f n) to the best f n
    samples and 0 to the others. They are the elite that the cross-entropy method fits its next distribution to.

    Reference: Ao et al., arXiv:2604.18578, Section 4.6.

    Args:
        scores: Scores of n samples, shape (..., n); higher is better. Samples that tie at the threshold share its
            weight.
        elite_fraction: f, in (0, 1).

    Returns:
        Weights, shape (..., n), which sum to 1 over the last dimension.
    """
    check_tensors(scores=scores)
    check_number("elite_fraction", elite_fraction, low=0.0, high=1.0, open_low=True, open_high=True)
    prior = torch.full_like(scores, 1.0 / scores.shape[-1])
    return optimal_policy(scores, prior, RatioBounds(0.0, 1.0 / elite_fraction))


def _validated(q_values: torch.Tensor, prior: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Check Q and π₀ and return them in double precision, in which cumulated masses resolve a single action."""
    check_tensors(q_values=q_values, prior=prior)
    prior = prior.double()
    return q_values.double(), prior / prior.sum(dim=-1, keepdim=True)


def _rounding(p: torch.Tensor) -> float:
    """Return a bound of the rounding error of cumulated probabilities."""
    return p.shape[-1] * torch.finfo(p.dtype).eps


def _cumulative_masses(q: torch.Tensor, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return P(Q < Q(a)) and P(Q <= Q(a)) under π₀ for each action, shape (..., A) each."""
    q_sorted, order = q.sort(dim=-1)
    cumulative = torch.nn.functional.pad(p.gather(-1, order).cumsum(dim=-1), (1, 0))
    below = cumulative.gather(-1, torch.searchsorted(q_sorted, q.contiguous()))
    up_to = cumulative.gather(-1, torch.searchsorted(q_sorted, q.contiguous(), right=True))
    return below, up_to
