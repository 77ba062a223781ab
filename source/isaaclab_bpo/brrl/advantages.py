# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Generalized advantage estimation."""

from __future__ import annotations

import torch

from ._checks import check_number, check_tensors


def generalized_advantages(
    rewards: torch.Tensor,
    values: torch.Tensor,
    last_values: torch.Tensor,
    dones: torch.Tensor,
    gamma: float,
    lam: float,
) -> torch.Tensor:
    """Return the generalized advantage estimates of a rollout.

    δ_t = r_t + γ (1 - d_t) V(s_{t+1}) - V(s_t),   A_t = δ_t + γ λ (1 - d_t) A_{t+1}

    The λ-returns, the estimates Q̂ of Q_{π₀}, are A + V.

    Reference: Schulman et al., "High-dimensional continuous control using generalized advantage estimation",
    arXiv:1506.02438, equation (16).

    Args:
        rewards: Rewards r, shape (T, N, ...), bootstrapped where an episode timed out.
        values: V(s_0) ... V(s_{T-1}), same shape.
        last_values: V(s_T), shape (N, ...).
        dones: 1 where the episode ended with that step, else 0, shape (T, N, ...), any type.
        gamma: Discount factor γ in [0, 1].
        lam: λ in [0, 1].

    Returns:
        Advantages A, shaped like ``rewards``.
    """
    check_tensors(rewards=rewards, values=values)
    check_tensors(rewards=rewards[0], last_values=last_values)
    if dones.shape != rewards.shape:
        raise ValueError(f"dones has shape {tuple(dones.shape)}, but rewards has {tuple(rewards.shape)}.")
    check_number("gamma", gamma, low=0.0, high=1.0)
    check_number("lam", lam, low=0.0, high=1.0)

    discounts = (1.0 - dones.to(rewards.dtype)) * gamma
    next_values = torch.cat([values[1:], last_values.unsqueeze(0)])
    advantages = rewards + discounts * next_values - values  # δ, for now
    decays = discounts * lam
    for step in reversed(range(len(rewards) - 1)):
        advantages[step].add_(decays[step] * advantages[step + 1])
    return advantages
