# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The losses of BPO against numbers computed by hand, and against autograd."""

from __future__ import annotations

import math

import pytest
import torch

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
    # x = -2 at level 3/4: log(1 + e^-2) + 2/4
    loss = brrl.median_loss(torch.tensor([1.0]), torch.tensor([3.0]), level=0.75)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2.0)) + 0.5)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_gradient_of_the_median_loss_is_the_sigmoid(level: float) -> None:
    returns = torch.linspace(
        -5.0, 5.0, 10, dtype=torch.float64
    )  # 0, where |x| has a kink that cancels, is not among them
    medians = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    brrl.median_loss(returns, medians, level).backward()
    assert medians.grad is not None
    torch.testing.assert_close(-10.0 * medians.grad, torch.sigmoid(returns) - (1.0 - level))


def test_median_loss_does_not_overflow() -> None:
    loss = brrl.median_loss(torch.tensor([1e30, -1e30]), torch.zeros(2))
    assert loss.item() == pytest.approx(0.5e30, rel=1e-6)


@pytest.mark.parametrize("level", [0.25, 0.5, 0.75])
def test_median_loss_finds_the_quantile(level: float) -> None:
    """Of a skewed distribution whose scale, 100, dwarfs the smoothing, 1."""
    returns = 100.0 * torch.distributions.Exponential(1.0).sample((20000,)).double()
    median = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([median], lr=1.0, max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = brrl.median_loss(returns, median.expand_as(returns), level)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    assert median.item() == pytest.approx(returns.quantile(level).item(), rel=0.02)


@pytest.mark.parametrize("level", [0.5, 2.0 / 3.0])
def test_smoothing_tends_to_the_mean_when_it_is_wide(level: float) -> None:
    """T far above the spread of Q: E[σ((Q - μ)/T)] = 1 - level gives μ = E[Q] - T logit(1 - level)."""
    returns = torch.distributions.Exponential(1.0).sample((20000,)).double()
    temperature = 100.0
    expected = returns.mean() - temperature * math.log((1.0 - level) / level)
    medians = expected.clone().requires_grad_()
    brrl.median_loss(returns, medians.expand_as(returns), level, temperature).backward()
    assert medians.grad is not None
    assert medians.grad.item() == pytest.approx(0.0, abs=1e-4)


def test_median_loss_of_samples() -> None:
    returns, medians = torch.randn(2, 16).unbind()
    samples = brrl.median_loss(returns, medians, 0.3, 0.5, "none")
    torch.testing.assert_close(samples.mean(), brrl.median_loss(returns, medians, 0.3, 0.5))
    torch.testing.assert_close(samples[:1].mean(), brrl.median_loss(returns[:1], medians[:1], 0.3, 0.5))


# Value loss


def test_value_loss_by_hand() -> None:
    values, returns, old = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 0.0]), torch.tensor([0.5, 2.9])
    assert brrl.value_loss(values, returns).item() == (1.0 + 9.0) / 2
    # ε = 0.2: V is clipped to 0.7 and stays 3.0, so the errors are max(1, 1.3²) and max(9, 9)
    assert brrl.value_loss(values, returns, old, 0.2).item() == pytest.approx((1.3**2 + 9.0) / 2)
    assert brrl.value_loss(values, returns, old, 0.2, "none").tolist() == pytest.approx([1.3**2, 9.0])
    with pytest.raises(ValueError, match="clip_param must be"):
        brrl.value_loss(values, returns, old)
