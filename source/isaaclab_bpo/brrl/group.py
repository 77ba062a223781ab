# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Group-relative BPO (GBPO): the rewards of a group of completions take the place of Q, and tokens that of actions.

Reference: Ao et al., arXiv:2604.18578, Section 5 (GBPO); the forms here are those of the authors' code.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from ._checks import check_choice, check_number, check_tensors
from .ratio import RatioBounds

Aggregation = Literal["token-mean", "seq-mean-token-mean", "seq-mean-token-sum", "seq-mean-token-sum-norm", "none"]
"""From the losses of tokens to the loss: which mean is taken over tokens and sequences; "none" takes none."""

# Beyond e^±20 the authors hold the ratio, so that one token whose probability vanished stays finite
_MAX_LOG_RATIO = 20.0
_EPS_STD, _EPS_MASK = 1e-6, 1e-8  # the authors' guards against a division by zero


def group_scale(rewards: torch.Tensor) -> torch.Tensor:
    """Return what the authors divide advantages by: the group's standard deviation (divisor G - 1) plus 1e-6.

    Args:
        rewards: Rewards of the G completions of a prompt, shape (..., G).

    Returns:
        The divisor, shape (..., 1); of a group of one it is that of a standard deviation of 1.
    """
    check_tensors(rewards=rewards)
    alone = rewards.shape[-1] == 1
    std = torch.ones_like(rewards) if alone else rewards.std(dim=-1, keepdim=True)
    return std + _EPS_STD


def group_median(rewards: torch.Tensor) -> torch.Tensor:
    """Return the median of each group: of an even number the mean of the two in the middle, of one reward 0.

    Args:
        rewards: Rewards of the G completions of a prompt, shape (..., G).

    Returns:
        Medians, shape (..., 1).
    """
    check_tensors(rewards=rewards)
    size = rewards.shape[-1]
    if size == 1:
        return torch.zeros_like(rewards)
    ordered = rewards.sort(dim=-1).values
    return (ordered[..., (size - 1) // 2 : size // 2 + 1]).mean(dim=-1, keepdim=True)


def group_advantages(rewards: torch.Tensor, scale: bool = True) -> torch.Tensor:
    """Return the advantages over the group's mean, A_i = (r_i - mean r) / s; of a group of one, r / s.

    Args:
        rewards: Rewards of the G completions of a prompt, shape (..., G).
        scale: Whether s is :func:`group_scale`, and not 1.

    Returns:
        A, shape (..., G).
    """
    check_tensors(rewards=rewards)
    centred = rewards if rewards.shape[-1] == 1 else rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / group_scale(rewards) if scale else centred


def group_median_advantages(rewards: torch.Tensor, scale: bool = True) -> torch.Tensor:
    """Return the advantages over the group's median, Ã_i = (r_i - median r) / s; arguments of `group_advantages`."""
    centred = rewards - group_median(rewards)
    return centred / group_scale(rewards) if scale else centred


def group_sign_target(median_advantages: torch.Tensor, bounds: RatioBounds, temperature: float) -> torch.Tensor:
    """Return the target ratios of the authors' GBPO, ρ* = c_l + (c_h - c_l) σ(Ã/T).

    It differs from :func:`isaaclab_bpo.brrl.target_ratio` in two ways: it lacks the offset, so that at Ã = 0 it is the
    midpoint of the bounds, which is 1 for symmetric bounds only, and its logit is not clamped. It differs from the
    optimum, :func:`isaaclab_bpo.brrl.group_target_ratio`, in that its mean over the group need not be 1.

    Reference: Ao et al., arXiv:2604.18578, the target of GBPO.

    Args:
        median_advantages: Ã, any shape.
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: T > 0, in units of Ã.

    Returns:
        ρ*, shaped like ``median_advantages``.
    """
    check_tensors(median_advantages=median_advantages)
    check_number("temperature", temperature, low=0.0, open_low=True)
    return bounds.lower + (bounds.upper - bounds.lower) * torch.sigmoid(median_advantages / temperature)


def gbpo_loss(
    log_ratio: torch.Tensor,
    target_ratio: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    aggregation: Aggregation = "token-mean",
    horizon: int | None = None,
) -> torch.Tensor:
    """Return the loss of GBPO: the distance of every token's ratio from the target of its completion.

    l_it = |A_i| · |ρ_it - ρ*_i|,   ρ_it = exp(log π(token) - log π₀(token)), held within e^±20

    Reference: Ao et al., arXiv:2604.18578, the loss of GBPO.

    Args:
        log_ratio: log π - log π₀ of the tokens, shape (N, T); carries the gradient.
        target_ratio: ρ* of the completions, shape (N, 1) or (N, T).
        advantages: A of the completions, same shape as ``target_ratio``; their magnitude is the weight.
        mask: 1 for the tokens that count and 0 for the others, shape (N, T), any type of numbers.
        aggregation: See :func:`aggregate`.
        horizon: See :func:`aggregate`.

    Returns:
        A scalar, or with the aggregation "none" the tokens' losses, shape (N, T), 0 where the mask is.
    """
    check_tensors(target_ratio=target_ratio, advantages=advantages)
    distance = (token_ratio(log_ratio) - target_ratio.detach()).abs()
    return aggregate(advantages.detach().abs() * distance, mask, aggregation, horizon)


def token_ratio(log_ratio: torch.Tensor) -> torch.Tensor:
    """Return ρ = exp(log ratio) of tokens, any shape, held within e^±20; beyond that it carries no gradient."""
    check_tensors(log_ratio=log_ratio)
    return log_ratio.clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO).exp()


def token_metrics(log_ratio: torch.Tensor, target_ratio: torch.Tensor, bounds: RatioBounds) -> dict[str, torch.Tensor]:
    """Return what is worth knowing of each token, to be averaged with :func:`aggregate`.

    Args:
        log_ratio: log π - log π₀ of the tokens, shape (N, T).
        target_ratio: ρ*, shape (N, 1) or (N, T).
        bounds: Bounds (c_l, c_h) of the ratio.

    Returns:
        ``clip_fraction``, 1 where ρ is outside the bounds; ``ratio_deviation``, |ρ - ρ*|; ``ppo_kl``, -log ρ, whose
        mean estimates KL(π₀ ‖ π). Shape (N, T) each, without gradient.
    """
    ratio = token_ratio(log_ratio.detach())
    return {
        "clip_fraction": ((ratio > bounds.upper) | (ratio < bounds.lower)).to(ratio.dtype),
        "ratio_deviation": (ratio - target_ratio).abs(),
        "ppo_kl": -ratio.log(),
    }


def aggregate(
    values: torch.Tensor, mask: torch.Tensor, aggregation: Aggregation = "token-mean", horizon: int | None = None
) -> torch.Tensor:
    """Return one number from the values of tokens.

    ``token-mean``:               Σ_it v_it m_it / Σ_it m_it
    ``seq-mean-token-mean``:      mean_i ( Σ_t v_it m_it / Σ_t m_it )
    ``seq-mean-token-sum``:       mean_i Σ_t v_it m_it
    ``seq-mean-token-sum-norm``:  mean_i Σ_t v_it m_it / L

    A completion without a token that counts contributes 0, and is one of those that the mean is taken over.

    Args:
        values: Values of tokens, shape (N, T).
        mask: 1 for the tokens that count and 0 for the others, shape (N, T), any type of numbers.
        aggregation: One of the above, or "none".
        horizon: L, the longest completion allowed; None for T.

    Returns:
        A scalar, or with "none" v m, shape (N, T).

    Raises:
        ValueError: If the shapes differ or the aggregation is unknown.
    """
    check_choice("aggregation", aggregation, get_args(Aggregation))
    mask = mask.to(values.dtype)
    check_tensors(values=values, mask=mask)
    masked = values * mask
    if aggregation == "none":
        return masked
    if aggregation == "token-mean":
        return masked.sum() / (mask.sum() + _EPS_MASK)
    sums = masked.sum(dim=-1)
    if aggregation == "seq-mean-token-mean":
        return (sums / mask.sum(dim=-1).clamp_min(1.0)).mean()
    return sums.mean() if aggregation == "seq-mean-token-sum" else sums.mean() / (horizon or values.shape[-1])
