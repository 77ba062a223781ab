# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The exact optimum against a linear program, the soft optimum against its optimality conditions, CEM."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from isaaclab_bpo import brrl

SYMMETRIC = brrl.RatioBounds.symmetric(0.2)
ASYMMETRIC = brrl.RatioBounds(0.3, 2.5)


def random_problem(generator: torch.Generator, ties: bool) -> tuple[torch.Tensor, torch.Tensor, brrl.RatioBounds]:
    """Return Q and π₀ over 1 to 12 actions and bounds; half of them symmetric, atoms of all sizes."""

    def uniform(low: float = 0.0, high: float = 1.0) -> float:
        return torch.empty((), dtype=torch.float64).uniform_(low, high, generator=generator).item()

    num_actions = int(torch.randint(1, 13, (), generator=generator))
    q = torch.randn(num_actions, dtype=torch.float64, generator=generator)
    if ties:
        q = (2.0 * q).round() / 2.0
    weights = torch.rand(num_actions, dtype=torch.float64, generator=generator) ** 3  # some large, many small
    if ties and num_actions > 2:
        weights[int(torch.randint(num_actions, (), generator=generator))] = 0.0
    bounds = (
        brrl.RatioBounds.symmetric(uniform(0.01, 1.0))
        if uniform() < 0.5
        else brrl.RatioBounds(uniform(0.0, 0.99), uniform(1.01, 10.0))
    )
    return q, weights / weights.sum(), bounds


def assert_feasible(policy: torch.Tensor, prior: torch.Tensor, bounds: brrl.RatioBounds) -> None:
    assert policy.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert (policy >= bounds.lower * prior - 1e-12).all()
    assert (policy <= bounds.upper * prior + 1e-12).all()


@pytest.mark.parametrize("ties", [False, True])
def test_closed_form_is_the_linear_programs_optimum(ties: bool) -> None:
    generator = torch.manual_seed(int(ties))
    for _ in range(600):
        q, prior, bounds = random_problem(generator, ties)
        policy = brrl.optimal_policy(q, prior, bounds)
        assert_feasible(policy, prior, bounds)
        program = linprog(
            -q.numpy(),
            A_eq=np.ones((1, len(q))),
            b_eq=[1.0],
            bounds=list(zip((bounds.lower * prior).tolist(), (bounds.upper * prior).tolist(), strict=True)),
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        assert program.success
        assert (policy * q).sum().item() == pytest.approx(-program.fun, abs=1e-9)


def test_fraction_at_the_threshold_by_hand() -> None:
    # Level 1/2. The atom at 2 reaches from 0.3 to 0.8: 0.2 of its mass 0.5 lies below the level, 0.3 above.
    q, prior = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
    policy = brrl.optimal_policy(q, prior, brrl.RatioBounds.symmetric(0.5))
    assert policy.tolist() == pytest.approx([0.15, 0.2 * 0.5 + 0.3 * 1.5, 0.3])
    assert brrl.quantile(q, prior).item() == 2.0


def test_actions_that_tie_get_the_same_ratio() -> None:
    q, prior = torch.tensor([5.0, 5.0, 5.0]), torch.tensor([0.2, 0.3, 0.5])
    torch.testing.assert_close(brrl.optimal_policy(q, prior, SYMMETRIC), prior)


def test_impossible_actions_stay_impossible() -> None:
    q, prior = torch.tensor([9.0, 1.0, 2.0]), torch.tensor([0.0, 0.5, 0.5])
    assert brrl.optimal_policy(q, prior, SYMMETRIC).tolist() == pytest.approx([0.0, 0.4, 0.6])
    assert brrl.quantile(q, prior, 1.0).item() == 2.0
    assert brrl.quantile(-q, prior, 0.0).item() == -2.0
    for impossible in (9.0, -math.inf, math.inf):
        q[0] = impossible
        policy, _ = brrl.soft_optimal_policy(q, prior, SYMMETRIC, 1e-3)
        assert policy.tolist() == pytest.approx([0.0, 0.4, 0.6])


@pytest.mark.parametrize("function", [brrl.optimal_policy, lambda q, p, b: brrl.soft_optimal_policy(q, p, b, 0.1)[0]])
def test_batches_are_solved_one_by_one(function) -> None:
    generator = torch.manual_seed(5)
    q = torch.randn(3, 4, 7, generator=generator).double()
    prior = torch.rand(3, 4, 7, generator=generator).double().softmax(dim=-1)
    batched = function(q, prior, ASYMMETRIC)
    for i in range(3):
        for j in range(4):
            torch.testing.assert_close(
                batched[i, j], function(q[i, j], prior[i, j], ASYMMETRIC), rtol=1e-12, atol=1e-14
            )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_precision_and_device(dtype: torch.dtype) -> None:
    q = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=dtype)
    prior = torch.full_like(q, 0.25)
    for device in ["cpu"] + (["cuda:0"] if torch.cuda.is_available() else []):
        policy = brrl.optimal_policy(q.to(device), prior.to(device), SYMMETRIC)
        soft, median = brrl.soft_optimal_policy(q.to(device), prior.to(device), SYMMETRIC, 1e-3)
        assert policy.dtype == soft.dtype == median.dtype == dtype
        assert brrl.quantile(q.to(device), prior.to(device)).dtype == dtype
        for result in (policy, soft):
            assert result.tolist() == pytest.approx([0.2, 0.2, 0.3, 0.3], rel=1e-2 if dtype == torch.bfloat16 else 1e-6)


def test_optimum_of_many_actions_is_normalised_in_single_precision() -> None:
    """Cumulated masses of single precision would take up to 1e-4 from the sum; they are of double precision."""
    generator = torch.manual_seed(11)
    q, weights = torch.randn(50, 1000, generator=generator), torch.rand(50, 1000, generator=generator)
    policy = brrl.optimal_policy(q, weights / weights.sum(dim=-1, keepdim=True), SYMMETRIC)
    torch.testing.assert_close(policy.double().sum(dim=-1), torch.ones(50).double(), rtol=0.0, atol=1e-6)


def test_masses_are_added_in_more_precision_than_they_are_given() -> None:
    q = torch.arange(256, dtype=torch.bfloat16)
    assert brrl.quantile(q, torch.full_like(q, 1.0 / 256.0)).item() == 127.0
    generator = torch.manual_seed(10)
    q, prior = torch.randn(20, 7, generator=generator), torch.rand(20, 7, generator=generator).softmax(dim=-1)
    q, prior = q.bfloat16(), prior.bfloat16()
    policy, normaliser = brrl.soft_optimal_policy(q, prior, SYMMETRIC, 0.3)
    expected = brrl.soft_optimal_policy(q.float(), prior.float(), SYMMETRIC, 0.3)
    assert torch.equal(policy, expected[0].bfloat16())
    assert torch.equal(normaliser, expected[1].bfloat16())
    # What rounding took from π₀'s sum of 1 is made up for
    assert prior.float().sum(dim=-1).sub(1.0).abs().max() > 1e-3
    torch.testing.assert_close(expected[0].sum(dim=-1), torch.ones(20))


def test_single_precision_resolves_many_actions() -> None:
    scores = torch.randn(100_000, generator=torch.manual_seed(10))
    weights = brrl.elite_weights(scores, 0.3)
    assert (weights > 0.0).sum().item() == 30_000
    assert scores[weights > 0.0].min() > scores[weights == 0.0].max()
    torch.testing.assert_close(weights[weights > 0.0], torch.full((30_000,), 1.0 / 30_000))


# The soft optimum


@pytest.mark.parametrize("exponent", range(-6, 7))
def test_soft_optimum_is_normalised(exponent: int) -> None:
    generator = torch.manual_seed(exponent + 10)
    for ties in (False, True):
        for _ in range(50):
            q, prior, bounds = random_problem(generator, ties)
            q = 10.0 * q
            policy, normaliser = brrl.soft_optimal_policy(q, prior, bounds, 10.0**exponent)
            assert policy.sum().item() == pytest.approx(1.0, abs=1e-10)
            share = (policy / prior - bounds.lower) / (bounds.upper - bounds.lower)
            share = torch.where(prior > 0.0, share, 0.0)
            expected = (1.0 - bounds.lower) / (bounds.upper - bounds.lower)
            assert (prior * share).sum().item() == pytest.approx(expected, abs=1e-10)
            assert normaliser.isfinite()
            assert (policy >= bounds.lower * prior - 1e-12).all()
            assert (policy <= bounds.upper * prior + 1e-12).all()


def test_soft_optimum_tends_to_the_hard_one_and_to_the_prior() -> None:
    generator = torch.manual_seed(2)
    for ties in (False, True):
        for _ in range(200):
            q, prior, bounds = random_problem(generator, ties)
            cold, _ = brrl.soft_optimal_policy(q, prior, bounds, 1e-9)
            torch.testing.assert_close(cold, brrl.optimal_policy(q, prior, bounds), rtol=0.0, atol=1e-6)
            hot, _ = brrl.soft_optimal_policy(q, prior, bounds, 1e9)
            torch.testing.assert_close(hot, prior, rtol=0.0, atol=1e-8)


def test_normaliser_of_a_cold_optimum_is_the_lower_quantile() -> None:
    """Every μ between the two middle values normalises, once the sigmoid is flat to the last bit."""
    q = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()
    _, normaliser = brrl.soft_optimal_policy(q, torch.full_like(q, 0.25), SYMMETRIC, 1e-9)
    assert normaliser.item() == pytest.approx(2.0, abs=1e-6)


def test_soft_optimum_solves_the_entropy_regularised_problem() -> None:
    """KKT: with x = (ρ - c_l)/(c_h - c_l), the gradient Q + λ log((1 - x)/x) is one multiplier, μ - λ b, for all."""
    generator = torch.manual_seed(3)
    for _ in range(500):
        q, prior, bounds = random_problem(generator, ties=False)
        temperature = 10.0 ** torch.empty(()).uniform_(-0.3, 3.0, generator=generator).item()
        policy, normaliser = brrl.soft_optimal_policy(q, prior, bounds, temperature)
        x = (policy / prior - bounds.lower) / (bounds.upper - bounds.lower)
        gradient = q - temperature * torch.logit(x)
        assert (gradient - (normaliser - temperature * bounds.offset)).abs().max().item() < 1e-8


@pytest.mark.parametrize("bounds", [SYMMETRIC, ASYMMETRIC], ids=str)
def test_soft_optimum_beats_feasible_neighbours(bounds: brrl.RatioBounds) -> None:
    """The objective is concave: no feasible direction improves it. Checked in value, without the gradient."""

    def objective(ratio: torch.Tensor, q: torch.Tensor, prior: torch.Tensor, temperature: float) -> float:
        width = bounds.upper - bounds.lower
        x = (ratio - bounds.lower) / width
        entropy = torch.special.entr(x) + torch.special.entr(1.0 - x)
        return (prior * (ratio * q + temperature * width * entropy)).sum().item()

    generator, num_tried = torch.manual_seed(4), 0
    for _ in range(200):
        q = torch.randn(5, dtype=torch.float64, generator=generator)
        prior = torch.rand(5, dtype=torch.float64, generator=generator).add(0.1)
        prior /= prior.sum()
        policy, _ = brrl.soft_optimal_policy(q, prior, bounds, 0.3)
        ratio = policy / prior
        step = torch.randn(5, dtype=torch.float64, generator=generator)
        step -= (prior * step).sum()
        neighbour = ratio + 1e-3 * step
        if ((neighbour > bounds.lower) & (neighbour < bounds.upper)).all():
            assert objective(neighbour, q, prior, 0.3) <= objective(ratio, q, prior, 0.3) + 1e-13
            num_tried += 1
    assert num_tried > 100


def test_bpos_target_is_the_soft_optimum_of_its_normaliser() -> None:
    """What BPO fits, c_l + (c_h - c_l) σ(Ã/λ + b), is the ratio of the soft optimum when μ is its normaliser."""
    generator = torch.manual_seed(6)
    q = torch.randn(9, dtype=torch.float64, generator=generator)
    prior = torch.rand(9, dtype=torch.float64, generator=generator).softmax(dim=-1)
    policy, normaliser = brrl.soft_optimal_policy(q, prior, ASYMMETRIC, 0.5)  # |Ã/λ| < 10, where BPO clamps
    torch.testing.assert_close(brrl.target_ratio(q - normaliser, ASYMMETRIC, 0.5), policy / prior)


# Groups of samples


def test_sign_targets_of_a_finite_action_set_are_not_normalised() -> None:
    """Remark 4.3: of four random actions the sign form misses E[ρ*] = 1 by 0.04 on average; the exact form does not."""
    generator = torch.manual_seed(8)
    q = torch.randn(20000, 4, dtype=torch.float64, generator=generator)
    prior = torch.randn(20000, 4, dtype=torch.float64, generator=generator).softmax(dim=-1)
    sign_form = brrl.target_ratio(q - brrl.quantile(q, prior).unsqueeze(-1), SYMMETRIC)
    errors = ((prior * sign_form).sum(dim=-1) - 1.0).abs()
    assert errors.mean().item() == pytest.approx(0.042, abs=0.002)
    assert 0.09 < errors.max().item() <= 0.1
    torch.testing.assert_close(brrl.optimal_policy(q, prior, SYMMETRIC).sum(dim=-1), torch.ones(20000).double())


def test_group_targets_by_hand() -> None:
    # 5 of 8 right, ε = 0.3: the three wrong ones get 0.7, the others share (8 - 3 · 0.7)/5 = 1.18
    rewards = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]).double()
    target = brrl.group_target_ratio(rewards, brrl.RatioBounds.symmetric(0.3))
    assert target.tolist() == pytest.approx([1.18, 0.7, 1.18, 1.18, 0.7, 1.18, 0.7, 1.18])
    # 2 of 8 right, ε = 0.2: those get 1.2, the others (8 - 2.4)/6
    target = brrl.group_target_ratio(torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), SYMMETRIC)
    assert target.tolist() == pytest.approx([1.2] * 2 + [(8.0 - 2.4) / 6.0] * 6)
    # All the same, and a group of one: nothing to prefer
    for rewards in (torch.ones(4), torch.tensor([3.0])):
        for temperature in (None, 1e-4, 1.0):
            target = brrl.group_target_ratio(rewards, ASYMMETRIC, temperature)
            torch.testing.assert_close(target, torch.ones_like(rewards))


@pytest.mark.parametrize("temperature", [None, 1e-4, 0.3, 10.0])
@pytest.mark.parametrize("bounds", [SYMMETRIC, ASYMMETRIC], ids=str)
def test_group_targets_are_the_optimum_over_the_group(bounds: brrl.RatioBounds, temperature: float | None) -> None:
    generator = torch.manual_seed(9)
    rewards = (2.0 * torch.randn(3, 50, 7, dtype=torch.float64, generator=generator)).round() / 2.0
    target = brrl.group_target_ratio(rewards, bounds, temperature)
    assert target.shape == rewards.shape
    torch.testing.assert_close(target.mean(dim=-1), torch.ones(3, 50).double(), rtol=0.0, atol=1e-10)
    assert ((target >= bounds.lower - 1e-12) & (target <= bounds.upper + 1e-12)).all()
    for group, ratios in zip(rewards.flatten(0, 1), target.flatten(0, 1), strict=True):
        prior = torch.full_like(group, 1.0 / 7.0)
        if temperature is None:
            limits = (bounds.lower, bounds.upper)
            program = linprog(-group.numpy() / 7.0, A_eq=np.full((1, 7), 1.0 / 7.0), b_eq=[1.0], bounds=limits)
            assert (group * ratios).mean().item() == pytest.approx(-program.fun, abs=1e-9)
        else:
            normaliser = brrl.soft_optimal_policy(group, prior, bounds, temperature)[1]
            share = torch.sigmoid((group - normaliser) / temperature + bounds.offset)
            torch.testing.assert_close(ratios, bounds.lower + (bounds.upper - bounds.lower) * share)


# The cross-entropy method


@pytest.mark.parametrize("elite_fraction", [0.1, 0.2, 0.25, 0.5])
def test_elite_weights_are_the_cross_entropy_methods(elite_fraction: float) -> None:
    generator = torch.manual_seed(7)
    for _ in range(100):
        scores = torch.randn(40, dtype=torch.float64, generator=generator)
        num_elites = round(40 * elite_fraction)
        # Independently: sort, cut, average
        elites = sorted(range(40), key=lambda i: -scores[i].item())[:num_elites]
        weights = brrl.elite_weights(scores, elite_fraction)
        assert set(weights.nonzero().flatten().tolist()) == set(elites)
        expected = torch.zeros(40, dtype=torch.float64)
        expected[elites] = 1.0 / num_elites
        torch.testing.assert_close(weights, expected, rtol=1e-14, atol=0.0)
        samples = torch.randn(40, 3, dtype=torch.float64, generator=generator)
        torch.testing.assert_close(weights @ samples, samples[elites].mean(dim=0), rtol=1e-12, atol=1e-14)


def test_samples_that_tie_share_the_weight_of_the_last_elite() -> None:
    weights = brrl.elite_weights(torch.tensor([3.0, 1.0, 2.0, 2.0]).double(), 0.5)
    assert weights.tolist() == pytest.approx([0.5, 0.0, 0.25, 0.25])


# Entry checks

Q, PRIOR = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.5])
SOLVERS = {
    "optimal_policy": lambda q, p: brrl.optimal_policy(q, p, SYMMETRIC),
    "quantile": lambda q, p: brrl.quantile(q, p),
    "soft_optimal_policy": lambda q, p: brrl.soft_optimal_policy(q, p, SYMMETRIC, 0.1),
}


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    ("q", "prior", "error", "message"),
    [
        (Q.long(), PRIOR, TypeError, "q_values must be a floating-point tensor"),
        (Q, PRIOR.long(), TypeError, "prior must be a floating-point tensor"),
        (Q, torch.tensor([[0.5, 0.5]]), ValueError, "prior has shape"),
    ],
)
def test_wrong_arguments_are_named(name, q, prior, error, message) -> None:
    with pytest.raises(error, match=message):
        SOLVERS[name](q, prior)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be a finite number"):
        brrl.soft_optimal_policy(Q, PRIOR, SYMMETRIC, temperature)


@pytest.mark.parametrize("elite_fraction", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_impossible_elite_fraction_is_refused(elite_fraction: float) -> None:
    with pytest.raises(ValueError, match="elite_fraction must be a finite number in"):
        brrl.elite_weights(Q, elite_fraction)


def test_impossible_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level must be a finite number"):
        brrl.quantile(Q, PRIOR, 1.1)
