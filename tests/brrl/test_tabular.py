# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Theorems 4.1 and 4.2 and Corollary 4.5 of the paper on random finite Markov decision processes, in float64."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from isaaclab_bpo.brrl import RatioBounds, advantage_weighted_tv, soft_optimal_policy
from isaaclab_bpo.brrl.tabular import (
    FiniteMdp,
    improve,
    improvement,
    iterate,
    median_advantages,
    performance_lower_bound,
    uniform_error,
)

BOUNDS = [
    RatioBounds.symmetric(0.1),
    RatioBounds.symmetric(0.3),
    RatioBounds.symmetric(1.0),
    RatioBounds(0.5, 3.0),
    RatioBounds(0.0, 1.2),
]
TEMPERATURES = [None, 0.01, 1.0]  # the advantages are of order 1
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


@pytest.mark.parametrize("gamma", [0.0, 0.75])
def test_a_process_may_have_one_state_and_one_action(gamma: float) -> None:
    one = torch.ones(1, 1).double()
    mdp = FiniteMdp(one.unsqueeze(-1), 3.0 * one, one[0], gamma)
    assert mdp.expected_return(one).item() == pytest.approx(3.0 / (1.0 - gamma))


@pytest.mark.parametrize("temperature", [None, 0.3])
def test_leading_dimensions_are_independent_processes(temperature: float | None) -> None:
    mdp, policy = random_mdps(12, 6)
    prior = policy.flip(-1)
    tensors = (mdp.transitions, mdp.rewards, mdp.initial, policy, prior)
    transitions, rewards, initial, folded_policy, folded_prior = (part.unflatten(0, (2, 3)) for part in tensors)
    folded = FiniteMdp(transitions, rewards, initial, mdp.gamma)
    result = performance_lower_bound(mdp, policy, prior, BOUNDS[0], temperature)
    folded_result = performance_lower_bound(folded, folded_policy, folded_prior, BOUNDS[0], temperature)
    torch.testing.assert_close(torch.stack(folded_result).flatten(1), torch.stack(result))
    error = uniform_error(mdp, policy, prior, BOUNDS[0], temperature)
    folded_error = uniform_error(folded, folded_policy, folded_prior, BOUNDS[0], temperature)
    torch.testing.assert_close(folded_error.flatten(), error)
    alone = FiniteMdp(mdp.transitions[0], mdp.rewards[0], mdp.initial[0], mdp.gamma)
    torch.testing.assert_close(uniform_error(alone, policy[0], prior[0], BOUNDS[0], temperature), error[0])
    alone_result = performance_lower_bound(alone, policy[0], prior[0], BOUNDS[0], temperature)
    torch.testing.assert_close(torch.stack(alone_result), torch.stack(result)[:, 0])
    gain = improvement(mdp, policy, BOUNDS[0], temperature)
    torch.testing.assert_close(improvement(folded, folded_policy, BOUNDS[0], temperature).flatten(), gain)
    _, returns = iterate(folded, folded_policy, BOUNDS[0], 2, temperature)
    torch.testing.assert_close(returns.flatten(1), iterate(mdp, policy, BOUNDS[0], 2, temperature)[1])


def test_values_and_occupancy_agree_on_the_return() -> None:
    mdp, policy = random_mdps(0, 100)
    by_occupancy = (mdp.occupancy(policy).unsqueeze(-1) * policy * mdp.rewards).sum(dim=(-1, -2)) / (1.0 - mdp.gamma)
    torch.testing.assert_close(by_occupancy, mdp.expected_return(policy))


# Theorem 4.2: monotonic improvement, with its amount


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("ties", [False, True])
def test_improvement_is_the_difference_of_returns(bounds: RatioBounds, ties: bool, temperature: float | None) -> None:
    mdp, policy = random_mdps(1, NUM_MDPS, ties)
    optimum = improve(mdp, policy, bounds, temperature)
    difference = mdp.expected_return(optimum) - mdp.expected_return(policy)
    torch.testing.assert_close(difference, improvement(mdp, policy, bounds, temperature), rtol=0.0, atol=1e-9)
    assert (improvement(mdp, policy, bounds, temperature) >= 0.0).all()
    assert (difference > 1e-9).all()  # random processes have no state in which all actions are equally good
    assert (optimum >= bounds.lower * policy - 1e-12).all()
    assert (optimum <= bounds.upper * policy + 1e-12).all()


def expected_gain(mdp: FiniteMdp, policy: torch.Tensor, optimum: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """Return 1/(1-γ) E_{s~d_π*, a~π₀} of gains(s, a)."""
    return (mdp.occupancy(optimum) * (policy * gains).sum(dim=-1)).sum(dim=-1) / (1.0 - mdp.gamma)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("ties", [False, True])
def test_hard_gain_weights_the_median_advantages_on_both_sides(bounds: RatioBounds, ties: bool) -> None:
    mdp, policy = random_mdps(2, NUM_MDPS, ties)
    advantages = median_advantages(mdp, policy, bounds)
    gains = (bounds.upper - 1.0) * advantages.relu() + (1.0 - bounds.lower) * (-advantages).relu()
    expected = expected_gain(mdp, policy, improve(mdp, policy, bounds), gains)
    torch.testing.assert_close(improvement(mdp, policy, bounds), expected, rtol=1e-9, atol=1e-12)
    if bounds == RatioBounds.symmetric(0.3):  # the paper's expression
        torch.testing.assert_close(gains, 0.3 * advantages.abs())


@pytest.mark.parametrize("temperature", TEMPERATURES[1:])
@pytest.mark.parametrize("epsilon", [0.1, 1.0])
def test_soft_gain_with_symmetric_bounds_is_a_hyperbolic_tangent(epsilon: float, temperature: float) -> None:
    mdp, policy = random_mdps(2, NUM_MDPS)
    bounds = RatioBounds.symmetric(epsilon)
    advantages = median_advantages(mdp, policy, bounds, temperature)
    gains = epsilon * torch.tanh(advantages / (2.0 * temperature)) * advantages
    expected = expected_gain(mdp, policy, improve(mdp, policy, bounds, temperature), gains)
    torch.testing.assert_close(improvement(mdp, policy, bounds, temperature), expected, rtol=1e-9, atol=1e-12)


def test_a_temperature_gives_the_regularised_optimum_between_the_hard_one_and_the_prior() -> None:
    mdp, policy = random_mdps(8, 50)
    bounds = RatioBounds(0.5, 3.0)
    expected, normalizer = soft_optimal_policy(mdp.action_values(policy), policy, bounds, 0.3)
    assert torch.equal(improve(mdp, policy, bounds, 0.3), expected)
    assert torch.equal(iterate(mdp, policy, bounds, 1, 0.3)[0], expected)
    advantages = median_advantages(mdp, policy, bounds, 0.3)
    assert torch.equal(advantages, mdp.action_values(policy) - normalizer.unsqueeze(-1))
    torch.testing.assert_close(improve(mdp, policy, bounds, 1e6), policy, rtol=0.0, atol=1e-5)
    hard = improvement(mdp, policy, bounds)
    by_temperature = torch.stack([improvement(mdp, policy, bounds, t) for t in (1e-6, 1e6)])
    torch.testing.assert_close(by_temperature, torch.stack([hard, torch.zeros_like(hard)]), rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_improvement_is_zero_exactly_when_the_optimum_is_the_prior(
    bounds: RatioBounds, temperature: float | None
) -> None:
    mdp, policy = random_mdps(3, NUM_MDPS)
    # Every action of a state does the same: Q is flat, and nothing can be gained
    flat = dataclasses.replace(
        mdp,
        transitions=mdp.transitions[..., :1, :].expand_as(mdp.transitions),
        rewards=mdp.rewards[..., :1].expand_as(mdp.rewards),
    )
    if temperature is None:
        assert median_advantages(flat, policy, bounds).abs().max() < 1e-12
    assert improvement(flat, policy, bounds, temperature).abs().max() < 1e-12
    gain = flat.expected_return(improve(flat, policy, bounds, temperature)) - flat.expected_return(policy)
    assert gain.abs().max() < 1e-12
    # One action of one state, visited from everywhere, is better, and there is something to gain
    rewards = flat.rewards.clone()
    rewards[:, 0, 0] += 1.0
    better = dataclasses.replace(flat, rewards=rewards)
    gain = better.expected_return(improve(better, policy, bounds, temperature)) - better.expected_return(policy)
    assert (gain > 1e-12).all()
    assert (improvement(better, policy, bounds, temperature) > 1e-12).all()
    # A deterministic policy sees one action only, and stays
    deterministic = torch.zeros_like(policy)
    deterministic[..., 2] = 1.0
    optimum = improve(mdp, deterministic, bounds, temperature)
    torch.testing.assert_close(optimum, deterministic, rtol=0.0, atol=1e-14)
    assert improvement(mdp, deterministic, bounds, temperature).abs().max() < 1e-12


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


# With a temperature, an action that is worse by Δ << λ fades at a rate of order Δ/λ a step only
@pytest.mark.parametrize(("temperature", "tolerance"), [(None, 1e-9), (0.01, 1e-3)])
@pytest.mark.parametrize("bounds", [RatioBounds.symmetric(0.2), RatioBounds(0.5, 3.0)], ids=str)
def test_iteration_is_monotone_and_converges_to_the_optimal_value(
    bounds: RatioBounds, temperature: float | None, tolerance: float
) -> None:
    mdp, policy = random_mdps(5, 100)
    policy, returns = iterate(mdp, policy, bounds, steps=500, temperature=temperature)
    assert returns.shape == (501, 100)
    assert (returns.diff(dim=0) >= -1e-10).all()
    optimal = optimal_values(mdp)
    torch.testing.assert_close(returns[-1], (mdp.initial * optimal).sum(dim=-1), rtol=0.0, atol=tolerance)
    torch.testing.assert_close(mdp.state_values(policy), optimal, rtol=0.0, atol=tolerance)


# Corollary 4.5: the return of any policy, bounded from below


@pytest.fixture(name="by_hand")
def fixture_by_hand() -> tuple[FiniteMdp, torch.Tensor, torch.Tensor]:
    """Return a process with known numbers, π and π₀: action a leads to state a, γ = 3/4, and the start is state 0."""
    transitions = torch.eye(2).double().expand(2, 2, 2)
    rewards = torch.tensor([[0.0, 2.0], [-1.0, 3.0]]).double()
    mdp = FiniteMdp(transitions, rewards, torch.tensor([1.0, 0.0]).double(), gamma=0.75)
    return mdp, torch.tensor([[5 / 8, 3 / 8], [5 / 12, 7 / 12]]).double(), torch.full((2, 2), 0.5).double()


def test_lower_bound_by_hand(by_hand: tuple[FiniteMdp, torch.Tensor, torch.Tensor]) -> None:
    mdp, policy, prior = by_hand
    result = performance_lower_bound(mdp, policy, prior, RatioBounds.symmetric(0.5))
    # Under π₀ every state pays 1 on average: V = 4, A = [[-1, 1], [-2, 2]], π* = [1/4, 3/4] in both states
    # g_* = [1/2, 1], |π - π*| = [3/8, 1/6] for both actions, so that W = [3/8 + 3/8, 2/6 + 2/6] = [3/4, 2/3]
    # d sums to 1/(1-γ) = 4: d_π = [8/3, 4/3], d_π₀ = [5/2, 3/2], d_π* = [7/4, 9/4]
    gain, loss = 7 / 4 * 1 / 2 + 9 / 4 * 1, 5 / 2 * 3 / 4 + 3 / 2 * 2 / 3
    error = 1 / 2 * (11 / 12 + 11 / 12) * 1 / 2 + 1 / 6 * 3 / 4 + 1 / 6 * 2 / 3
    assert result.gain.item() == pytest.approx(gain)
    assert result.loss.item() == pytest.approx(loss)
    assert result.error.item() == pytest.approx(error)
    assert result.bound.item() == pytest.approx(4.0 + gain - loss - error)
    # γ/(1-γ)² = 12, max ‖π* - π‖₁ = 3/4, max ‖π - π₀‖₁ = 1/4
    closed_form = uniform_error(mdp, policy, prior, RatioBounds.symmetric(0.5))
    assert closed_form.item() == pytest.approx(12 * (1 / 2 * 1 / 2 * 3 / 4 + 3 / 4 * 1 / 4))
    # As λ grows π* = π₀, so that g_* = 0 and W = [1/8 + 1/8, 2/12 + 2/12]
    hot = uniform_error(mdp, policy, prior, RatioBounds.symmetric(0.5), temperature=1e9)
    assert hot.item() == pytest.approx(12 * 1 / 3 * 1 / 4)


@pytest.mark.parametrize("temperature", [None, 0.3])
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_lower_bound_is_an_exact_identity_less_two_estimates(bounds: RatioBounds, temperature: float | None) -> None:
    mdp, prior = random_mdps(9, 500)
    policy = random_simplex(torch.default_generator, 500, 6, 4)
    optimum = improve(mdp, prior, bounds, temperature)
    visits, prior_visits, optimum_visits = (mdp.occupancy(p) / (1.0 - mdp.gamma) for p in (policy, prior, optimum))
    advantages = mdp.action_values(prior) - mdp.state_values(prior).unsqueeze(-1)
    gains, optimum_gains = (policy * advantages).sum(dim=-1), (optimum * advantages).sum(dim=-1)
    result = performance_lower_bound(mdp, policy, prior, bounds, temperature)

    torch.testing.assert_close(result.gain, improvement(mdp, prior, bounds, temperature), rtol=0.0, atol=1e-10)
    shortfall = optimum_gains - gains
    at_prior = (prior_visits * shortfall).sum(dim=-1)
    of_optimum = ((optimum_visits - visits) * optimum_gains).sum(dim=-1)
    of_shortfall = ((visits - prior_visits) * shortfall).sum(dim=-1)
    identity = mdp.expected_return(prior) + result.gain - at_prior - of_optimum - of_shortfall
    torch.testing.assert_close(mdp.expected_return(policy), identity, rtol=0.0, atol=1e-10)

    # The loss is BPO's, as its samples from π₀ estimate it
    ratio, target = policy / prior, optimum / prior
    samples = advantage_weighted_tv(ratio, target, advantages.abs(), reduction="none")
    expected_loss = (prior_visits.unsqueeze(-1) * prior * samples).sum(dim=(-1, -2))
    torch.testing.assert_close(result.loss, expected_loss, rtol=1e-10, atol=1e-10)
    assert (result.loss >= at_prior).all()
    assert (result.error >= of_optimum + of_shortfall).all()


@pytest.mark.parametrize("temperature", [None, 0.3])
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_lower_bound_is_met_at_the_optimum(bounds: RatioBounds, temperature: float | None) -> None:
    mdp, prior = random_mdps(10, NUM_MDPS)
    optimum = improve(mdp, prior, bounds, temperature)
    result = performance_lower_bound(mdp, optimum, prior, bounds, temperature)
    assert torch.equal(result.loss, torch.zeros(NUM_MDPS).double())
    assert torch.equal(result.error, torch.zeros(NUM_MDPS).double())
    torch.testing.assert_close(result.bound, mdp.expected_return(optimum), rtol=0.0, atol=1e-10)


MIXTURES = (0.0, 0.25, 0.5, 0.75, 0.95)
"""Weights w of π* in w π* + (1-w) π₀. Here g_* - g_π is close to W, and the bound is tight."""


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("temperature", [None, 0.3])
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("ties", [False, True])
def test_lower_bound_holds(bounds: RatioBounds, ties: bool, temperature: float | None, gamma: float) -> None:
    mdp, prior = random_mdps(11, 200, ties, gamma)
    optimum = improve(mdp, prior, bounds, temperature)
    other = random_simplex(torch.default_generator, *prior.shape)
    noise = torch.randn(*prior.shape, dtype=prior.dtype)
    policies = [
        other,
        0.9 * optimum + 0.1 * other,
        0.999 * optimum + 0.001 * other,
        (prior.log() + noise).softmax(dim=-1),
        *(w * optimum + (1.0 - w) * prior for w in MIXTURES),
    ]
    for policy in policies:
        result = performance_lower_bound(mdp, policy, prior, bounds, temperature)
        assert (result.bound <= mdp.expected_return(policy) + 1e-9).all()
        assert (result.error >= 0.0).all()
        assert (uniform_error(mdp, policy, prior, bounds, temperature) >= result.error - 1e-9).all()


@pytest.mark.parametrize("temperature", [None, 0.3])
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_lower_bound_fails_without_each_of_its_parts(bounds: RatioBounds, temperature: float | None) -> None:
    """What the bound keeps is needed: without it, some mixture of π* and π₀ returns less."""
    mdp, prior = random_mdps(11, 200)
    optimum = improve(mdp, prior, bounds, temperature)
    policy = 0.9 * optimum + 0.1 * prior
    result = performance_lower_bound(mdp, policy, prior, bounds, temperature)
    visits, prior_visits, optimum_visits = (mdp.occupancy(p) / (1.0 - mdp.gamma) for p in (policy, prior, optimum))
    advantages = mdp.action_values(prior) - mdp.state_values(prior).unsqueeze(-1)
    gains = (optimum * advantages).sum(dim=-1)
    span = gains.amax(dim=-1) - gains.amin(dim=-1)
    first_half = 0.5 * (optimum_visits - visits).abs().sum(dim=-1) * span
    changes = {
        "no loss": result.loss,
        "no error": result.error,
        "no first half of the error": first_half,
        "no second half of the error": result.error - first_half,
        "gain under the visits of the prior": (prior_visits * gains).sum(dim=-1) - result.gain,
    }
    returns = mdp.expected_return(policy)
    assert [name for name, change in changes.items() if (result.bound + change <= returns + 1e-6).all()] == []


# Entry checks


def test_wrong_processes_are_refused() -> None:
    mdp, policy = random_mdps(6, 2)
    for change, message in [
        ({"transitions": mdp.transitions[..., :5, :, :]}, r"^rewards has shape .* but transitions\[\.\.\., 0\] has"),
        ({"initial": mdp.initial[..., :5]}, r"^initial has shape .* but rewards\[\.\.\., 0\] has"),
        ({"transitions": mdp.transitions[..., :5]}, "transitions lead to 5 states, but start from 6"),
        ({"gamma": 1.0}, "gamma must be a finite number in"),
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
    kept, returns = iterate(mdp, policy, BOUNDS[0], steps=0)
    assert torch.equal(kept, policy)
    assert torch.equal(returns, mdp.expected_return(policy).unsqueeze(0))
    with pytest.raises(ValueError, match="temperature must be"):
        improve(mdp, policy, BOUNDS[0], temperature=0.0)


def test_lower_bound_wants_a_policy_within_the_support_of_the_prior(
    by_hand: tuple[FiniteMdp, torch.Tensor, torch.Tensor],
) -> None:
    mdp, policy, prior = by_hand
    narrow = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).double()
    with pytest.raises(ValueError, match=r"^policy gives a positive probability to an action that has probability 0"):
        performance_lower_bound(mdp, policy, narrow, BOUNDS[0])
    for within in (policy, narrow):
        bound = performance_lower_bound(mdp, narrow, within, BOUNDS[0]).bound
        assert bound <= mdp.expected_return(narrow)
    with pytest.raises(ValueError, match="prior has shape"):
        performance_lower_bound(mdp, policy, prior[:1], BOUNDS[0])
    with pytest.raises(ValueError, match="policy has shape"):
        uniform_error(mdp, policy[:1], prior, BOUNDS[0])


def test_single_precision_works() -> None:
    mdp, policy = random_mdps(7, 3)
    single = FiniteMdp(mdp.transitions.float(), mdp.rewards.float(), mdp.initial.float(), mdp.gamma)
    torch.testing.assert_close(
        improvement(single, policy.float(), BOUNDS[0]).double(),
        improvement(mdp, policy, BOUNDS[0]),
        rtol=1e-3,
        atol=1e-4,
    )


def test_values_are_computed_on_the_device_of_the_process() -> None:
    """Meta tensors, like a GPU's, refuse what lies elsewhere."""
    mdp, policy = random_mdps(0, 2)
    policy = policy.to("meta")
    elsewhere = FiniteMdp(mdp.transitions.to("meta"), mdp.rewards.to("meta"), mdp.initial.to("meta"), mdp.gamma)
    for values in (elsewhere.state_values, elsewhere.action_values, elsewhere.occupancy, elsewhere.expected_return):
        assert values(policy).device.type == "meta"
