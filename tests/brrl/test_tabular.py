# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Theorems 4.1 and 4.2 of the paper on random finite Markov decision processes, in float64."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from isaaclab_bpo.brrl import RatioBounds
from isaaclab_bpo.brrl.tabular import FiniteMdp, improve, improvement, iterate, median_advantages

BOUNDS = [
    RatioBounds.symmetric(0.1),
    RatioBounds.symmetric(0.3),
    RatioBounds.symmetric(1.0),
    RatioBounds(0.5, 3.0),
    RatioBounds(0.0, 1.2),
]
NUM_MDPS = 600


def random_simplex(generator: torch.Generator, *shape: int) -> torch.Tensor:
    """Return distributions along the last dimension, from nearly uniform to nearly deterministic."""
    logits = 3.0 * torch.randn(*shape, dtype=torch.float64, generator=generator)
    return logits.softmax(dim=-1)


def random_mdps(seed: int, num: int, ties: bool = False, gamma: float = 0.9) -> tuple[FiniteMdp, torch.Tensor]:
    """Return a batch of processes with 6 states and 4 actions, and a policy for each."""
    generator = torch.manual_seed(seed)
    transitions = random_simplex(generator, num, 6, 4, 6)
    rewards = torch.randn(num, 6, 4, dtype=torch.float64, generator=generator)
    if ties:  # actions 0 and 1 do the same, and so do 2 and 3
        transitions[:, :, 1], transitions[:, :, 3] = transitions[:, :, 0], transitions[:, :, 2]
        rewards[:, :, 1], rewards[:, :, 3] = rewards[:, :, 0], rewards[:, :, 2]
    mdp = FiniteMdp(transitions, rewards, random_simplex(generator, num, 6), gamma)
    return mdp, random_simplex(generator, num, 6, 4)


def optimal_values(mdp: FiniteMdp) -> torch.Tensor:
    """Return the optimal state values by Howard's policy iteration, independently of BRRL."""
    num_actions = mdp.rewards.shape[-1]
    policy = torch.full_like(mdp.rewards, 1.0 / num_actions)
    for _ in range(100):
        greedy = mdp.action_values(policy).argmax(dim=-1)
        policy = torch.nn.functional.one_hot(greedy, num_actions).double()
    return mdp.state_values(policy)


# The exact values


def test_values_by_hand() -> None:
    # State 0 pays 1 and goes to state 1, which pays 0 and stays; a second action stays in 0 and pays nothing
    transitions = torch.zeros(2, 2, 2).double()
    transitions[0, 0, 1] = transitions[0, 1, 0] = transitions[1, :, 1] = 1.0
    rewards = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).double()
    mdp = FiniteMdp(transitions, rewards, torch.tensor([1.0, 0.0]).double(), gamma=0.5)
    policy = torch.full((2, 2), 0.5).double()
    # V(0) = 1/2 (1 + 0) + 1/2 · γ V(0) = 1/2 + V(0)/4 = 2/3
    assert mdp.state_values(policy).tolist() == pytest.approx([2.0 / 3.0, 0.0])
    assert mdp.action_values(policy)[0].tolist() == pytest.approx([1.0, 1.0 / 3.0])
    # P(s_t = 0) = 2^-t: d(0) = (1 - γ) Σ (γ/2)^t = 1/2 · 4/3 = 2/3
    assert mdp.occupancy(policy).tolist() == pytest.approx([2.0 / 3.0, 1.0 / 3.0])
    assert mdp.expected_return(policy).item() == pytest.approx(2.0 / 3.0)


def test_values_and_occupancy_agree_on_the_return() -> None:
    mdp, policy = random_mdps(0, 100)
    by_occupancy = (mdp.occupancy(policy).unsqueeze(-1) * policy * mdp.rewards).sum(dim=(-1, -2)) / (1.0 - mdp.gamma)
    torch.testing.assert_close(by_occupancy, mdp.expected_return(policy))


# Theorem 4.2: monotonic improvement, with its amount


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("ties", [False, True])
def test_improvement_is_the_stated_expression(bounds: RatioBounds, ties: bool) -> None:
    mdp, policy = random_mdps(1, NUM_MDPS, ties)
    difference = mdp.expected_return(improve(mdp, policy, bounds)) - mdp.expected_return(policy)
    torch.testing.assert_close(difference, improvement(mdp, policy, bounds), rtol=0.0, atol=1e-9)
    assert (improvement(mdp, policy, bounds) >= 0.0).all()
    assert (difference > 1e-9).all()  # random processes have no state in which all actions are equally good


def test_with_symmetric_bounds_the_gain_is_epsilon_times_the_absolute_median_advantage() -> None:
    mdp, policy = random_mdps(2, NUM_MDPS)
    bounds = RatioBounds.symmetric(0.2)
    occupancy = mdp.occupancy(improve(mdp, policy, bounds))
    absolute = (policy * median_advantages(mdp, policy, bounds).abs()).sum(dim=-1)
    expected = 0.2 * (occupancy * absolute).sum(dim=-1) / (1.0 - mdp.gamma)
    torch.testing.assert_close(improvement(mdp, policy, bounds), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_improvement_is_zero_exactly_when_the_median_advantage_vanishes(bounds: RatioBounds) -> None:
    mdp, policy = random_mdps(3, NUM_MDPS)
    # Every action of a state does the same: Ã = 0 everywhere, and nothing can be gained
    flat = dataclasses.replace(
        mdp,
        transitions=mdp.transitions[..., :1, :].expand_as(mdp.transitions),
        rewards=mdp.rewards[..., :1].expand_as(mdp.rewards),
    )
    assert median_advantages(flat, policy, bounds).abs().max() < 1e-12
    assert improvement(flat, policy, bounds).abs().max() < 1e-12
    gain = flat.expected_return(improve(flat, policy, bounds)) - flat.expected_return(policy)
    assert gain.abs().max() < 1e-12
    # One action of one state, visited from everywhere, is better: Ã != 0 there, and there is something to gain
    rewards = flat.rewards.clone()
    rewards[:, 0, 0] += 1.0
    better = dataclasses.replace(flat, rewards=rewards)
    assert (better.expected_return(improve(better, policy, bounds)) - better.expected_return(policy) > 1e-12).all()
    assert (improvement(better, policy, bounds) > 1e-12).all()
    # A deterministic policy sees one action only: Ã vanishes almost surely under it, and the policy stays
    deterministic = torch.zeros_like(policy)
    deterministic[..., 2] = 1.0
    assert torch.equal(improve(mdp, deterministic, bounds), deterministic)
    assert improvement(mdp, deterministic, bounds).abs().max() < 1e-12


def test_no_feasible_policy_has_a_larger_surrogate() -> None:
    """Theorem 4.1: in every state, random feasible policies gain less of Σ π Q."""
    generator = torch.manual_seed(4)
    mdp, policy = random_mdps(4, 100)
    bounds = RatioBounds(0.5, 1.8)
    q_values = mdp.action_values(policy)
    best = (improve(mdp, policy, bounds) * q_values).sum(dim=-1)
    for _ in range(100):
        # A mixture of π₀ and another policy, as far as the bounds allow
        direction = random_simplex(generator, *policy.shape) - policy
        limits = torch.where(direction > 0.0, (bounds.upper - 1.0) * policy, (1.0 - bounds.lower) * policy)
        step = (limits / direction.abs().clamp_min(1e-30)).amin(dim=-1, keepdim=True)
        feasible = policy + step * direction
        assert ((feasible * q_values).sum(dim=-1) <= best + 1e-12).all()


@pytest.mark.parametrize("bounds", [RatioBounds.symmetric(0.2), RatioBounds(0.5, 3.0)], ids=str)
def test_iteration_is_monotone_and_converges_to_the_optimal_value(bounds: RatioBounds) -> None:
    mdp, policy = random_mdps(5, 100)
    policy, returns = iterate(mdp, policy, bounds, steps=2000)
    assert returns.shape == (2001, 100)
    assert (returns.diff(dim=0) >= -1e-10).all()
    torch.testing.assert_close(returns[-1], (mdp.initial * optimal_values(mdp)).sum(dim=-1), rtol=0.0, atol=1e-9)
    torch.testing.assert_close(mdp.state_values(policy), optimal_values(mdp), rtol=0.0, atol=1e-8)


# Entry checks


def test_wrong_processes_are_refused() -> None:
    mdp, policy = random_mdps(6, 2)
    for change, message in [
        ({"transitions": mdp.transitions[..., :5, :, :]}, "has shape"),
        ({"initial": mdp.initial[..., :5]}, "initial has shape"),
        ({"gamma": 1.0}, "gamma must be a number in"),
        ({"gamma": -0.1}, "gamma must be a finite number in"),
        ({"gamma": math.nan}, "gamma must be a finite number in"),
    ]:
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(mdp, **change)
    for function in (mdp.state_values, mdp.action_values, mdp.occupancy, mdp.expected_return):
        with pytest.raises(ValueError, match="policy has shape"):
            function(policy[..., :3])
    with pytest.raises(ValueError, match="steps must be"):
        iterate(mdp, policy, BOUNDS[0], steps=-1)


def test_single_precision_works() -> None:
    mdp, policy = random_mdps(7, 3)
    single = FiniteMdp(mdp.transitions.float(), mdp.rewards.float(), mdp.initial.float(), mdp.gamma)
    torch.testing.assert_close(
        improvement(single, policy.float(), BOUNDS[0]).double(),
        improvement(mdp, policy, BOUNDS[0]),
        rtol=1e-3,
        atol=1e-4,
    )
