# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Ratio bounds and the target ratio, against numbers computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from isaaclab_bpo import brrl

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0])
def test_symmetric_bounds_ask_for_the_median(epsilon: float) -> None:
    bounds = brrl.RatioBounds.symmetric(epsilon)
    assert (bounds.lower, bounds.upper) == (1.0 - epsilon, 1.0 + epsilon)
    assert bounds.level == pytest.approx(0.5, abs=1e-15)


def test_no_policy_within_the_bounds_diverges_more_than_the_optimum() -> None:
    assert brrl.RatioBounds.symmetric(0.2).max_kl == pytest.approx(-0.5 * math.log(0.96))
    assert brrl.RatioBounds(0.0, 2.0).max_kl == math.inf
    # c_l = 1/2 and c_h = 2 with E[ρ] = 1: P(ρ = 1/2) = 2/3, so -2/3 log(1/2) - 1/3 log 2 = 1/3 log 2
    bounds = brrl.RatioBounds(0.5, 2.0)
    assert bounds.max_kl == pytest.approx(math.log(2.0) / 3.0)
    torch.manual_seed(0)
    probabilities = torch.rand(1000, 5).softmax(dim=-1)
    ratios = torch.rand(1000, 5) * 1.5 + 0.5
    ratios = ratios / (probabilities * ratios).sum(dim=-1, keepdim=True)  # E[ρ] = 1
    inside = ((ratios >= 0.5) & (ratios <= 2.0)).all(dim=-1)
    divergences = -(probabilities * ratios.log()).sum(dim=-1)[inside]
    assert len(divergences) > 100
    assert divergences.max().item() < bounds.max_kl
    # The optimum reaches it unless the level divides an atom: 2 of 3 equally likely actions are below it, of 4 are not
    for num_actions, reached in ((3, True), (4, False), (6, True)):
        prior = torch.full((num_actions,), 1.0 / num_actions, dtype=torch.float64)
        optimum = brrl.optimal_policy(torch.arange(float(num_actions)).double(), prior, bounds)
        divergence = (prior * (prior / optimum).log()).sum().item()
        assert (divergence == pytest.approx(bounds.max_kl)) is reached
        assert divergence <= bounds.max_kl + 1e-12


def test_desired_kl_is_within_reach_of_the_bounds() -> None:
    assert brrl.RatioBounds.symmetric(0.2).desired_kl == pytest.approx(-0.125 * math.log(0.96))
    assert brrl.RatioBounds.symmetric(0.3).desired_kl == 0.01  # -⅛ log 0.91 = 0.0118
    assert brrl.RatioBounds(0.0, 2.0).desired_kl == 0.01


def test_asymmetric_level() -> None:
    # (c_h - 1)/(c_h - c_l) = 3/4: a quarter of the mass above at ratio 4, three quarters below at ratio 0
    assert brrl.RatioBounds(0.0, 4.0).level == 0.75
    # Whatever the bounds: level · c_l + (1 - level) · c_h = 1
    bounds = brrl.RatioBounds(0.7, 1.5)
    assert bounds.level * bounds.lower + (1.0 - bounds.level) * bounds.upper == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("lower", "upper"), [(-0.1, 1.2), (1.0, 1.2), (0.8, 1.0), (1.2, 0.8), (0.5, math.inf), (math.nan, 1.2)]
)
def test_impossible_bounds_are_refused(lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match="0 <= lower < 1 < upper"):
        brrl.RatioBounds(lower, upper)


@pytest.mark.parametrize("epsilon", [0.0, -0.2, 1.1, math.nan])
def test_impossible_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon must be a finite number in"):
        brrl.RatioBounds.symmetric(epsilon)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hard_target_is_bang_bang(dtype: torch.dtype) -> None:
    target = brrl.target_ratio(torch.tensor([-2.0, 0.0, 1e-3], dtype=dtype), brrl.RatioBounds.symmetric(0.25))
    assert target.dtype == dtype
    assert target.tolist() == [0.75, 1.0, 1.25]


def test_hard_target_of_asymmetric_bounds() -> None:
    target = brrl.target_ratio(torch.tensor([-2.0, 0.0, 1e-3]).double(), brrl.RatioBounds(0.5, 3.0))
    assert target.tolist() == [0.5, 1.0, 3.0]


def test_soft_target_by_hand() -> None:
    # Symmetric: σ(log 3) = 3/4, so at Ã = λ log 3: ρ* = 0.8 + 0.4 · 3/4 = 1.1
    target = brrl.target_ratio(torch.tensor([0.1 * math.log(3.0), 0.0]), brrl.RatioBounds.symmetric(0.2), 0.1)
    assert target.tolist() == pytest.approx([1.1, 1.0])
    # Bounds (1/2, 3): b = log(1/4), so σ(b) = 1/5: ρ* = 0.5 + 2.5 / 5 = 1 at Ã = 0, and 0.5 + 2.5 · 3/7 at Ã = λ log 3
    bounds = brrl.RatioBounds(0.5, 3.0)
    assert bounds.offset == pytest.approx(math.log(0.25))
    target = brrl.target_ratio(torch.tensor([0.0, 0.1 * math.log(3.0)]), bounds, temperature=0.1)
    assert target.tolist() == pytest.approx([1.0, 0.5 + 2.5 * 3.0 / 7.0])


@pytest.mark.parametrize("bounds", [brrl.RatioBounds.symmetric(0.2), brrl.RatioBounds(0.5, 3.0)], ids=str)
def test_soft_target_is_clamped_at_ten_temperatures(bounds: brrl.RatioBounds) -> None:
    at = brrl.target_ratio(torch.tensor([-1.0, 1.0]).double(), bounds, 0.1)
    assert torch.equal(brrl.target_ratio(torch.tensor([-1.1, 1e6]).double(), bounds, 0.1), at)
    inside = brrl.target_ratio(torch.tensor([-0.99, 0.99]).double(), bounds, 0.1)
    assert ((inside - at) * torch.tensor([1.0, -1.0]) > 1e-7).all()


@pytest.mark.parametrize("temperature", [None, 1e-3, 0.1, 10.0])
@pytest.mark.parametrize("bounds", [brrl.RatioBounds(0.5, 3.0), brrl.RatioBounds(0.0, 1.2)], ids=str)
def test_no_sample_is_moved_against_its_median_advantage(bounds: brrl.RatioBounds, temperature: float | None) -> None:
    """(ρ* - 1) Ã >= 0 for each sample, whatever the bounds: with the midpoint at Ã = 0 it is not so."""
    advantages = torch.arange(-2000, 2001).double() / 1000.0
    target = brrl.target_ratio(advantages, bounds, temperature)
    assert ((target - 1.0) * advantages >= 0.0).all()
    assert target[2000].item() == pytest.approx(1.0)


def test_soft_target_tends_to_the_hard_one() -> None:
    advantages = torch.linspace(-3.0, 3.0, 50, dtype=torch.float64)  # without 0
    bounds = brrl.RatioBounds.symmetric(0.2)
    hard = brrl.target_ratio(advantages, bounds)
    # The clamp at ±10 leaves 2ε σ(-10) = 1.8e-5
    torch.testing.assert_close(brrl.target_ratio(advantages, bounds, 1e-6), hard, rtol=0.0, atol=2e-5)


def test_soft_target_stays_inside_the_bounds_and_grows() -> None:
    advantages = torch.linspace(-1e3, 1e3, 1001)
    target = brrl.target_ratio(advantages, brrl.RatioBounds(0.8, 1.3), temperature=0.01)
    assert ((target > 0.8) & (target < 1.3)).all()
    assert (target.diff() >= 0.0).all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be a finite number in"):
        brrl.target_ratio(torch.zeros(3), brrl.RatioBounds.symmetric(0.2), temperature)


def test_statistics_by_hand() -> None:
    ratio = torch.tensor([1.0, 0.5, 2.0, 0.25, 2.5, math.nan])  # the bounds are inside, and NaN does not count
    median_advantages = torch.tensor([0.0, 1.0, 2.0, -3.0, -4.0, math.nan])
    statistics = brrl.ratio_statistics(ratio, median_advantages, brrl.RatioBounds(0.5, 2.0))
    expected = {
        "ratio_deviation": (0.0 + 0.5 + 1.0 + 0.75 + 1.5) / 5,
        "clip_fraction": 2 / 5,
        "above_median": 2 / 5,
        "median_deviation": 10 / 5,
    }
    assert {name: value.item() for name, value in statistics.items()} == pytest.approx(expected)
    with pytest.raises(ValueError, match="median_advantages has shape"):
        brrl.ratio_statistics(ratio, median_advantages[:1], brrl.RatioBounds(0.5, 2.0))
    for wrong in ((ratio.int(), median_advantages), (ratio, median_advantages.int())):
        with pytest.raises(TypeError, match="must be a floating-point tensor"):
            brrl.ratio_statistics(*wrong, brrl.RatioBounds(0.5, 2.0))
