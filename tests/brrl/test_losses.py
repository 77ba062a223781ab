# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The losses of BPO against numbers computed by hand, and against autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from isaaclab_bpo import brrl

BOUNDS = brrl.RatioBounds.symmetric(0.2)


def test_bpo_loss_by_hand() -> None:
    # Ã = λ log 3: ρ* = 0.8 + 0.4 · 3/4 = 1.1; Ã < 0, far out: ρ* = 0.8 up to σ(-10)
    ratio = torch.tensor([1.0, 1.1], requires_grad=True)
    median_advantages, advantages = torch.tensor([0.01 * math.log(3.0), -5.0]), torch.tensor([-2.0, 3.0])
    loss = brrl.bpo_loss(ratio, median_advantages, advantages, BOUNDS, temperature=0.01)
    assert loss.item() == pytest.approx((2.0 * 0.1 + 3.0 * 0.3) / 2, rel=1e-4)
    loss.backward()
    assert ratio.grad is not None
    assert ratio.grad.tolist() == [-1.0, 1.5]  # towards the target, by the magnitude of A


@pytest.mark.parametrize("divergence", brrl.DIVERGENCES)
def test_bpo_loss_is_the_divergence_from_the_target_ratio(divergence: str) -> None:
    generator = torch.manual_seed(0)
    ratio = torch.rand(64, generator=generator) + 0.5
    median_advantages, advantages = torch.randn(2, 64, generator=generator)
    target = brrl.target_ratio(median_advantages, BOUNDS, 0.1)
    samples = brrl.bpo_loss(ratio, median_advantages, advantages, BOUNDS, 0.1, divergence, "none")
    expected = brrl.DIVERGENCES[divergence](ratio, target, advantages.abs(), "none")
    torch.testing.assert_close(samples, expected)
    # A mask of tokens needs nothing but the samples
    mask = torch.arange(64) % 3 == 0
    masked = (samples * mask).sum() / mask.sum()
    torch.testing.assert_close(masked, expected[mask].mean())


def test_bpo_loss_sends_no_gradient_into_the_advantages() -> None:
    ratio, median_advantages, advantages = torch.rand(3, 8, requires_grad=True).unbind()
    gradients = torch.autograd.grad(
        brrl.bpo_loss(ratio, median_advantages, advantages, BOUNDS, 0.1),
        (ratio, median_advantages, advantages),
        allow_unused=True,
    )
    assert [gradient is None for gradient in gradients] == [False, True, True]


@pytest.mark.parametrize("option", ["divergence", "reduction"])
def test_unknown_choices_are_named(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} must be one of .*, got 'foo'"):
        brrl.bpo_loss(torch.ones(3), torch.ones(3), torch.ones(3), BOUNDS, **{option: "foo"})  # type: ignore[arg-type]


def test_median_loss_by_hand() -> None:
    # x = Q - μ = 2 at level 1/2: log(1 + e^-2) + 1
    loss = brrl.median_loss(torch.tensor([3.0]), torch.tensor([1.0]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2.0)) + 1.0)
    # x = -2 at level 3/4: b = log(1/3), so log(1 + e^-2/3) + 2/4
    loss = brrl.median_loss(torch.tensor([1.0]), torch.tensor([3.0]), level=0.75)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2.0) / 3.0) + 0.5)
    # Temperature 4 and Q - μ = 8, so x = 2 again: 4 times the first
    loss = brrl.median_loss(torch.tensor([9.0]), torch.tensor([1.0]), temperature=4.0)
    assert loss.item() == pytest.approx(4.0 * (math.log1p(math.exp(-2.0)) + 1.0))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_gradient_of_the_median_loss_is_the_sigmoid(level: float) -> None:
    """By x = (Q - μ)/T: σ(x + b) - (1 - level), 0 at x = 0, whatever the temperature is."""
    returns = torch.linspace(-50.0, 50.0, 11, dtype=torch.float64)
    offset = math.log((1.0 - level) / level)
    for temperature in (1.0, 2.0):
        medians = torch.zeros(11, dtype=torch.float64, requires_grad=True)
        brrl.median_loss(returns, medians, level, temperature).backward()
        assert medians.grad is not None
        expected = torch.sigmoid(returns / temperature + offset) - (1.0 - level)
        torch.testing.assert_close(-11.0 * medians.grad, expected, rtol=1e-12, atol=1e-15)
        assert medians.grad[5].item() == pytest.approx(0.0, abs=1e-15)


def test_median_loss_does_not_overflow() -> None:
    loss = brrl.median_loss(torch.tensor([1e30, -1e30]), torch.zeros(2))
    assert loss.item() == pytest.approx(0.5e30, rel=1e-6)


@pytest.mark.parametrize("level", [0.25, 0.5, 0.75])
def test_median_loss_finds_the_quantile(level: float) -> None:
    """Of a skewed distribution whose scale, 1000, dwarfs the smoothing, 1."""
    returns = 1000.0 * torch.distributions.Exponential(1.0).sample((20000,)).double()
    median = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([median], lr=1.0, max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = brrl.median_loss(returns, median.expand_as(returns), level)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    assert median.item() == pytest.approx(returns.quantile(level).item(), rel=0.02)


@pytest.mark.parametrize("level", [0.2, 0.5, 0.9])
def test_smoothing_tends_to_the_mean_when_it_is_wide(level: float) -> None:
    """T far above the spread of Q, whatever the level is: E[σ((Q - μ)/T + b)] = σ(b) gives μ = E[Q] + O(1/T)."""
    returns = torch.distributions.Exponential(1.0).sample((20000,)).double()
    medians = torch.full_like(returns, returns.mean().item()).requires_grad_()
    brrl.median_loss(returns, medians, level, temperature=1000.0).backward()
    assert medians.grad is not None
    # In units of the curvature, level (1 - level)/T, the step to the minimum
    assert abs(medians.grad.sum().item()) * 1000.0 / (level * (1.0 - level)) < 2e-3


# Does the target ratio average 1, as the ratio of a policy does? By quantiles of Q, each standardised
GRID = np.linspace(0.0, 1.0, 20003)[1:-1]
STUDENT = stats.t(3.0)  # heavy-tailed: the least degrees of freedom with a standard deviation
Q_VALUES = {
    "normal": torch.from_numpy(stats.norm.ppf(GRID)),
    "exponential": torch.from_numpy(stats.expon.ppf(GRID) - 1.0),
    "heavy-tailed": torch.from_numpy(STUDENT.ppf(GRID) / STUDENT.std()),
}
ASYMMETRIC = [brrl.RatioBounds(0.5, 3.0), brrl.RatioBounds(0.0, 1.2), brrl.RatioBounds(0.7, 1.9)]


def minimiser(q_values: torch.Tensor, level: float, temperature: float) -> float:
    """Return the μ at which the gradient of the median loss vanishes, by bisection."""
    low, high = q_values.min().item(), q_values.max().item()
    for _ in range(60):
        middle = torch.tensor(0.5 * (low + high), dtype=torch.float64, requires_grad=True)
        brrl.median_loss(q_values, middle.expand_as(q_values), level, temperature).backward()
        low, high = (middle.item(), high) if middle.grad < 0.0 else (low, middle.item())  # type: ignore[operator]
    return 0.5 * (low + high)


@pytest.mark.parametrize("temperature", [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("bounds", [BOUNDS, *ASYMMETRIC], ids=str)
@pytest.mark.parametrize("name", Q_VALUES)
def test_a_critic_of_the_targets_temperature_normalises_it(
    name: str, bounds: brrl.RatioBounds, temperature: float
) -> None:
    """E[ρ*] = 1 for ``median="critic"`` with T = λ; the clamp of Ã/λ leaves up to (c_h - c_l) σ(|b| - 10)."""
    q = Q_VALUES[name]
    target = brrl.target_ratio(q - minimiser(q, bounds.level, temperature), bounds, temperature)
    assert target.mean().item() == pytest.approx(1.0, abs=5e-4)


@pytest.mark.parametrize("bounds", ASYMMETRIC, ids=str)
@pytest.mark.parametrize("name", Q_VALUES)
def test_the_mean_as_median_is_not_drawn_to_the_midpoint(name: str, bounds: brrl.RatioBounds) -> None:
    """``median="value"``: as λ grows, E[ρ*] tends to 1, not to the midpoint of the bounds."""
    q = Q_VALUES[name]
    biases = [abs(brrl.target_ratio(q - q.mean(), bounds, t).mean().item() - 1.0) for t in (1.0, 3.0, 10.0, 100.0)]
    assert biases == sorted(biases, reverse=True)
    assert biases[-1] < 1e-3 * (bounds.upper - bounds.lower)
    # A state in which all actions are equally good asks for no change, at any temperature
    for temperature in (None, 0.01, 1.0):
        assert brrl.target_ratio(torch.zeros(3), bounds, temperature).tolist() == pytest.approx([1.0] * 3)


def test_median_loss_of_samples() -> None:
    returns, medians = torch.randn(2, 16).unbind()
    samples = brrl.median_loss(returns, medians, 0.3, 0.5, "none")
    torch.testing.assert_close(samples.mean(), brrl.median_loss(returns, medians, 0.3, 0.5))
    torch.testing.assert_close(samples[:1].mean(), brrl.median_loss(returns[:1], medians[:1], 0.3, 0.5))


# Value loss


def test_value_loss_by_hand() -> None:
    values, returns = torch.tensor([1.0, 3.0, -1.0]), torch.tensor([2.0, 0.0, -2.0])
    old = torch.tensor([0.5, 2.9, -0.5])
    assert brrl.value_loss(values, returns).item() == pytest.approx((1.0 + 9.0 + 1.0) / 3)
    # ε = 0.2: V is clipped to 0.7 from above and to -0.7 from below, and stays 3.0
    expected = [1.3**2, 9.0, 1.3**2]
    assert brrl.value_loss(values, returns, old, 0.2).item() == pytest.approx(sum(expected) / 3)
    assert brrl.value_loss(values, returns, old, 0.2, "none").tolist() == pytest.approx(expected)
    with pytest.raises(ValueError, match="clip_param must be"):
        brrl.value_loss(values, returns, old)
