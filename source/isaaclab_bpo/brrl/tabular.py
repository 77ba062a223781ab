# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded-ratio policy iteration on finite Markov decision processes, with exact values.

All functions are batched: leading dimensions (...) of the process and the policy hold independent processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ._checks import check_number, check_tensors
from .optimum import optimal_policy, quantile
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
        check_number("gamma", self.gamma, low=0.0)
        if self.gamma >= 1.0:
            raise ValueError(f"gamma must be a number in [0, 1), got {self.gamma}.")

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


def improve(mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds) -> torch.Tensor:
    """Return the solution of the bounded-ratio problem in every state: one step of policy iteration.

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.1.

    Args:
        mdp: The process.
        policy: π₀(a|s), shape (..., S, A).
        bounds: Bounds (c_l, c_h) of the ratio.

    Returns:
        π*(a|s), shape (..., S, A).
    """
    return optimal_policy(mdp.action_values(policy), policy, bounds)


def median_advantages(mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds) -> torch.Tensor:
    """Return Ã(s, a) = Q_{π₀}(s, a) - μ(s), with μ the quantile at the level of the bounds.

    Args:
        mdp: The process.
        policy: π₀(a|s), shape (..., S, A).
        bounds: Bounds (c_l, c_h) of the ratio.

    Returns:
        Ã(s, a), shape (..., S, A).
    """
    q_values = mdp.action_values(policy)
    return q_values - quantile(q_values, policy, bounds.level).unsqueeze(-1)


def improvement(mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds) -> torch.Tensor:
    """Return by how much one step of bounded-ratio policy iteration raises the expected return, in closed form.

    η(π*) - η(π₀) = 1/(1-γ) E_{s~d_π*, a~π₀}[ (c_h - 1) max(Ã, 0) + (1 - c_l) max(-Ã, 0) ]  >= 0

    With symmetric bounds the bracket is ε |Ã|.

    Reference: Ao et al., arXiv:2604.18578, Theorem 4.2, and its extension to asymmetric bounds.

    Args:
        mdp: The process.
        policy: π₀(a|s), shape (..., S, A).
        bounds: Bounds (c_l, c_h) of the ratio.

    Returns:
        η(π*) - η(π₀), shape (...).
    """
    advantages = median_advantages(mdp, policy, bounds)
    gains = (bounds.upper - 1.0) * advantages.relu() + (1.0 - bounds.lower) * (-advantages).relu()
    occupancy = mdp.occupancy(improve(mdp, policy, bounds))
    return (occupancy * (policy * gains).sum(dim=-1)).sum(dim=-1) / (1.0 - mdp.gamma)


def iterate(mdp: FiniteMdp, policy: torch.Tensor, bounds: RatioBounds, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Run bounded-ratio policy iteration.

    Args:
        mdp: The process.
        policy: The initial policy, shape (..., S, A). An action of probability 0 keeps it.
        bounds: Bounds (c_l, c_h) of the ratio in each step.
        steps: Number of steps, >= 0.

    Returns:
        The last policy, shape (..., S, A), and η before the first and after each step, shape (steps + 1, ...).
    """
    check_number("steps", steps, low=0)
    returns = [mdp.expected_return(policy)]
    for _ in range(steps):
        policy = improve(mdp, policy, bounds)
        returns.append(mdp.expected_return(policy))
    return policy, torch.stack(returns)
