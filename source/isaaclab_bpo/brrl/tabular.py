# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded-ratio policy iteration on finite Markov decision processes, with exact values.

All functions are batched: leading dimensions (...) of the process and the policy hold independent processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from ._checks import check_number, check_tensors
from .optimum import optimal_policy, quantile, soft_optimal_policy
from .ratio import RatioBounds


@dataclass(frozen=True)
class FiniteMdp:
    """A finite, discounted Markov decision process with S states and A actions.

    Args:
        transitions: P(s'|s, a), shape (..., S, A, S).
        rewards: r(s, a), shape (..., S, A).
        initial: d₀(s), shape (..., S).
        gamma: Discount factor γ in [0, 1).
    """

    transitions: torch.Tensor
    rewards: torch.Tensor
    initial: torch.Tensor
    gamma: float

    def __post_init__(self) -> None:
        check_tensors(**{"transitions[..., 0]": self.transitions[..., 0], "rewards": self.rewards})
        check_tensors(**{"rewards[..., 0]": self.rewards[..., 0], "initial": self.initial})
        if self.transitions.shape[-1] != self.rewards.shape[-2]:
            raise ValueError(
                f"transitions lead to {self.transitions.shape[-1]} states, but start from {self.rewards.shape[-2]}."
            )
        check_number("gamma", self.gamma, low=0.0, high=1.0, open_high=True)

    def _transition_matrix(self, policy: torch.Tensor) -> torch.Tensor:
        """Return P_π(s'|s) = Σ_a π(a|s) P(s'|s, a), shape (..., S, S)."""
        return torch.einsum("...sa,...sat->...st", policy, self.transitions)

    def state_values(self, policy: torch.Tensor) -> torch.Tensor:
        """Return V_π = (I - γ P_π)⁻¹ r_π.

        Args:
            policy: π(a|s), shape (..., S, A).

        Returns:
            V_π(s), shape (..., S).
        """
        check_tensors(rewards=self.rewards, policy=policy)
        matrix = self._transition_matrix(policy)
        identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
        return torch.linalg.solve(identity - self.gamma * matrix, (policy * self.rewards).sum(dim=-1))

    def action_values(self, policy: torch.Tensor) -> torch.Tensor:
        """Return Q_π(s, a) = r(s, a) + γ Σ_s' P(s'|s, a) V_π(s').

        Args:
            policy: π(a|s), shape (..., S, A).

        Returns:
            Q_π(s, a), shape (..., S, A).
        """
        values = self.state_values(policy)
        return self.rewards + self.gamma * torch.einsum("...sat,...t->...sa", self.transitions, values)

    def occupancy(self, policy: torch.Tensor) -> torch.Tensor:
        """Return the discounted state distribution d_π(s) = (1 - γ) Σ_t γ^t P(s_t = s).

        Args:
            policy: π(a|s), shape (..., S, A).

        Returns:
            d_π(s), shape (..., S), which sums to 1.
        """
        check_tensors(rewards=self.rewards, policy=policy)
        matrix = self._transition_matrix(policy)
        identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
        return torch.linalg.solve(identity - self.gamma * matrix.mT, (1.0 - self.gamma) * self.initial)

    def expected_return(self, policy: torch.Tensor) -> torch.Tensor:
        """Return η(π) = Σ_s d₀(s) V_π(s).

        Args:
            policy: π(a|s), shape (..., S, A).

        Returns:
            η(π), shape (...).
        """
        return (self.initial * self.state_values(policy)).sum(dim=-1)


def improve(
    mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds, temperature: float | None = None
) -> torch.Tensor:
    """Return the solution of the bounded-ratio problem in every state: one step of policy iteration.

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.1.

    Args:
        mdp: The process.
        policy: π₀(a|s), shape (..., S, A).
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: λ > 0 of the regularised problem, in units of Q; None is its limit λ -> 0, the hard optimum.

    Returns:
        π*(a|s), shape (..., S, A).
    """
    q_values = mdp.action_values(policy)
    if temperature is None:
        return optimal_policy(q_values, policy, bounds)
    optimum, _ = soft_optimal_policy(q_values, policy, bounds, temperature)
    return optimum


def median_advantages(
    mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds, temperature: float | None = None
) -> torch.Tensor:
    """Return Ã(s, a) = Q_{π₀}(s, a) - μ(s), with μ the normaliser of :func:`improve`'s optimum.

    Args:
        mdp: The process.
        policy: π₀(a|s), shape (..., S, A).
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: As in :func:`improve`; with None, μ is the quantile at the level of the bounds.

    Returns:
        Ã(s, a), shape (..., S, A).
    """
    q_values = mdp.action_values(policy)
    if temperature is None:
        normalizer = quantile(q_values, policy, bounds.level)
    else:
        _, normalizer = soft_optimal_policy(q_values, policy, bounds, temperature)
    return q_values - normalizer.unsqueeze(-1)


def improvement(
    mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds, temperature: float | None = None
) -> torch.Tensor:
    """Return by how much one step of bounded-ratio policy iteration raises the expected return, in closed form.

    η(π*) - η(π₀) = 1/(1-γ) E_{s~d_π*, a~π₀}[(ρ* - 1) Ã]  >= 0

    The bracket is (c_h - 1) max(Ã, 0) + (1 - c_l) max(-Ã, 0) without a temperature. With symmetric bounds it is ε |Ã|,
    and at temperature λ it is ε tanh(Ã/2λ) Ã.

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.2, and its extension to asymmetric bounds.

    Args:
        mdp: The process.
        policy: π₀(a|s), shape (..., S, A).
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: As in :func:`improve`.

    Returns:
        η(π*) - η(π₀), shape (...).
    """
    optimum = improve(mdp, policy, bounds, temperature)
    gains = ((optimum - policy) * median_advantages(mdp, policy, bounds, temperature)).sum(dim=-1)
    return (mdp.occupancy(optimum) * gains).sum(dim=-1) / (1.0 - mdp.gamma)


class LowerBound(NamedTuple):
    """A lower bound on the expected return of a policy, and its parts, shape (...) each."""

    gain: torch.Tensor
    """By how much the optimum π* betters π₀, >= 0."""
    loss: torch.Tensor
    """BPO's loss L = Σ_s d_π₀(s) W(s) >= 0, 0 where π = π*."""
    error: torch.Tensor
    """δ >= 0: what the states cost that π, π* and π₀ do not visit equally often; 0 where π = π*."""
    bound: torch.Tensor
    """η(π₀) + gain - L - δ."""


def performance_lower_bound(
    mdp: FiniteMdp, policy: torch.Tensor, prior: torch.Tensor, bounds: RatioBounds, temperature: float | None = None
) -> LowerBound:
    """Return a lower bound on η(π) that BPO raises by lowering its loss, the distance of π from π*.

    η(π) >= η(π₀) + gain - L - δ,  with equality at π = π*

    gain = Σ_s d_π*(s) g_*(s) = :func:`improvement`
    L    = Σ_s d_π₀(s) W(s) = E_{d_π₀, π₀}[|A| |ρ - ρ*|]
    δ    = ½ ‖d_π* - d_π‖₁ (max g_* - min g_*) + Σ_s |d_π(s) - d_π₀(s)| W(s)

    Here d_π(s) = Σ_t γ^t P(s_t = s) is not normalised. A is the advantage of π₀, g_*(s) = Σ_a π*(a|s) A(s, a), and
    W(s) = Σ_a |A(s, a)| |π(a|s) - π*(a|s)|, which is at least |g_* - g_π|.

    Reference: Ao et al., arXiv:2604.18578, Corollary 4.5.

    Args:
        mdp: The process.
        policy: π(a|s), shape (..., S, A), within the bounds or not.
        prior: π₀(a|s), same shape.
        bounds: Bounds (c_l, c_h) of the ratio.
        temperature: As in :func:`improve`.

    Returns:
        The bound and its parts.

    Raises:
        ValueError: If π takes an action that π₀ never takes, so that ρ is infinite.
    """
    optimum, gains, losses = _gains_and_losses(mdp, policy, prior, bounds, temperature)
    visits, prior_visits, optimum_visits = (mdp.occupancy(p) / (1.0 - mdp.gamma) for p in (policy, prior, optimum))
    gain = (optimum_visits * gains).sum(dim=-1)
    loss = (prior_visits * losses).sum(dim=-1)
    error = 0.5 * (optimum_visits - visits).abs().sum(dim=-1) * (gains.amax(dim=-1) - gains.amin(dim=-1))
    error = error + ((visits - prior_visits).abs() * losses).sum(dim=-1)
    return LowerBound(gain, loss, error, mdp.expected_return(prior) + gain - loss - error)


def uniform_error(
    mdp: FiniteMdp, policy: torch.Tensor, prior: torch.Tensor, bounds: RatioBounds, temperature: float | None = None
) -> torch.Tensor:
    """Return an upper bound on the error δ of :func:`performance_lower_bound` that needs no d_π and no d_π*.

    δ <= γ/(1-γ)² [½ (max g_* - min g_*) max_s ‖π* - π‖₁ + max_s W(s) max_s ‖π - π₀‖₁]

    It is loose: half-way to π*, some 6/(1-γ) times δ, see docs/theory.md. Arguments, errors and the reference are those
    of :func:`performance_lower_bound`.

    Returns:
        The bound on δ, shape (...).
    """
    optimum, gains, losses = _gains_and_losses(mdp, policy, prior, bounds, temperature)
    from_optimum, from_prior = ((policy - p).abs().sum(dim=-1).amax(dim=-1) for p in (optimum, prior))
    span = gains.amax(dim=-1) - gains.amin(dim=-1)
    return mdp.gamma / (1.0 - mdp.gamma) ** 2 * (0.5 * span * from_optimum + losses.amax(dim=-1) * from_prior)


def _gains_and_losses(
    mdp: FiniteMdp, policy: torch.Tensor, prior: torch.Tensor, bounds: RatioBounds, temperature: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return π*, shape (..., S, A), g_* and W, shape (..., S) each."""
    check_tensors(rewards=mdp.rewards, policy=policy, prior=prior)
    if ((prior == 0.0) & (policy > 0.0)).any():
        raise ValueError("policy gives a positive probability to an action that has probability 0 under prior.")
    optimum = improve(mdp, prior, bounds, temperature)
    advantages = mdp.action_values(prior) - mdp.state_values(prior).unsqueeze(-1)
    return optimum, (optimum * advantages).sum(dim=-1), (advantages.abs() * (policy - optimum).abs()).sum(dim=-1)


def iterate(
    mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds, steps: int, temperature: float | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run bounded-ratio policy iteration.

    Args:
        mdp: The process.
        policy: The initial policy, shape (..., S, A). An action of probability 0 keeps it.
        bounds: Bounds (c_l, c_h) of the ratio in each step.
        steps: Number of steps, >= 0.
        temperature: As in :func:`improve`.

    Returns:
        The last policy, shape (..., S, A), and η before the first and after each step, shape (steps + 1, ...).
    """
    check_number("steps", steps, low=0)
    returns = [mdp.expected_return(policy)]
    for _ in range(steps):
        policy = improve(mdp, policy, bounds, temperature)
        returns.append(mdp.expected_return(policy))
    return policy, torch.stack(returns)
