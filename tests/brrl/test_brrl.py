# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The functions of BRRL against numbers computed by hand, against autograd, and at their entry checks."""

from __future__ import annotations

import math

import pytest
import torch

from isaaclab_bpo import brrl

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


# Ratio bounds


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


# Target ratio


@pytest.mark.parametrize("dtype", DTYPES)
def test_hard_target_is_bang_bang(dtype: torch.dtype) -> None:
    target = brrl.target_ratio(torch.tensor([-2.0, 0.0, 1e-3], dtype=dtype), brrl.RatioBounds.symmetric(0.25))
    assert target.dtype == dtype
    assert target.tolist() == [0.75, 1.0, 1.25]


def test_soft_target_by_hand() -> None:
    bounds = brrl.RatioBounds(0.5, 2.0)
    # σ(log 3) = 3/4, so at Ã = λ log 3: ρ* = 0.5 + 1.5 · 3/4 = 1.625; at 0: the midpoint 1.25
    target = brrl.target_ratio(torch.tensor([0.1 * math.log(3.0), 0.0]), bounds, temperature=0.1)
    assert target.tolist() == pytest.approx([1.625, 1.25])


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


# Policy losses: ratios 1.0 and 1.1, targets 1.2 and 0.8, weights 2 and 3

RATIO, TARGET, WEIGHTS = torch.tensor([1.0, 1.1]), torch.tensor([1.2, 0.8]), torch.tensor([2.0, 3.0])
BY_HAND = {
    "atv": (2.0 * 0.2 + 3.0 * 0.3) / 2,
    "tv": (0.2 + 0.3) / 2,
    "log_tv": (math.log(1.2) + math.log(1.1 / 0.8)) / 2,
    "mse": (0.2**2 + 0.3**2) / 2,
    "kl": (1.2 * math.log(1.2) - 1.2 + 1.0 + 0.8 * math.log(0.8 / 1.1) - 0.8 + 1.1) / 2,
}


@pytest.mark.parametrize("name", brrl.POLICY_LOSSES)
def test_policy_loss_by_hand(name: str) -> None:
    assert brrl.POLICY_LOSSES[name](RATIO, TARGET, WEIGHTS).item() == pytest.approx(BY_HAND[name], rel=1e-5)


@pytest.mark.parametrize("name", brrl.POLICY_LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_policy_loss_is_smallest_at_the_target(name: str, dtype: torch.dtype) -> None:
    target = torch.rand(64, generator=torch.manual_seed(0)).add(0.5).to(dtype)
    ratio = (target * torch.tensor([0.7, 1.5], dtype=dtype).repeat(32)).requires_grad_()
    loss = brrl.POLICY_LOSSES[name](ratio, target, torch.ones_like(target))
    at_target = brrl.POLICY_LOSSES[name](target, target, torch.ones_like(target))
    assert loss.dtype == dtype
    assert abs(at_target.item()) < 1e-6 < loss.item()
    loss.backward()
    # The gradient points away from the target
    assert ratio.grad is not None
    assert torch.equal(ratio.grad.sign(), (ratio - target).detach().sign())


def test_gradient_of_the_bpo_loss_has_the_magnitude_of_the_advantage() -> None:
    ratio = torch.tensor([0.9, 1.3], requires_grad=True)
    brrl.advantage_weighted_tv(ratio, torch.tensor([1.2, 1.2]), torch.tensor([2.0, 5.0])).backward()
    assert ratio.grad is not None
    assert ratio.grad.tolist() == [-1.0, 2.5]


# Median loss


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


# Generalized advantages


def test_generalized_advantages_by_hand() -> None:
    # One environment, γ = 1/2, λ = 1/2. The episode ends at step 1.
    rewards, values = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[4.0], [5.0], [6.0]])
    dones, last_values = torch.tensor([[0], [1], [0]]), torch.tensor([8.0])
    # δ_2 = 3 + 8/2 - 6 = 1;  δ_1 = 2 - 5 = -3;  δ_0 = 1 + 5/2 - 4 = -1/2
    # A_2 = 1;  A_1 = -3;  A_0 = -1/2 + 1/4 · (-3) = -5/4
    advantages = brrl.generalized_advantages(rewards, values, last_values, dones, gamma=0.5, lam=0.5)
    assert advantages.squeeze(-1).tolist() == [-1.25, -3.0, 1.0]


def test_with_lambda_one_advantages_are_discounted_returns_minus_values() -> None:
    generator = torch.manual_seed(3)
    rewards, values = torch.rand(7, 5, generator=generator).double(), torch.rand(7, 5, generator=generator).double()
    last_values, dones = torch.rand(5, generator=generator).double(), torch.rand(7, 5, generator=generator) < 0.2
    advantages = brrl.generalized_advantages(rewards, values, last_values, dones, gamma=0.9, lam=1.0)
    expected = last_values
    for step in reversed(range(7)):
        expected = rewards[step] + 0.9 * expected * ~dones[step]
        torch.testing.assert_close(advantages[step] + values[step], expected)


# Entry checks

FUNCTIONS = {
    "target_ratio": lambda x: brrl.target_ratio(x, brrl.RatioBounds.symmetric(0.2), 0.1),
    "advantage_weighted_tv": lambda x: brrl.advantage_weighted_tv(x, x, x),
    "total_variation": lambda x: brrl.total_variation(x, x),
    "log_total_variation": lambda x: brrl.log_total_variation(x, x),
    "mean_squared_error": lambda x: brrl.mean_squared_error(x, x),
    "kl_divergence": lambda x: brrl.kl_divergence(x, x),
    "median_loss": lambda x: brrl.median_loss(x, x),
    "generalized_advantages": lambda x: brrl.generalized_advantages(x, x, x[0], x, 0.9, 0.9),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"must be a floating-point tensor, got torch\.int64"):
        FUNCTIONS[name](torch.ones(2, 3, dtype=torch.long))


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda x, y: brrl.advantage_weighted_tv(x, x, y), "weights"),
        (lambda x, y: brrl.total_variation(x, y), "target_ratio"),
        (lambda x, y: brrl.log_total_variation(x, y), "target_ratio"),
        (lambda x, y: brrl.mean_squared_error(x, y), "target_ratio"),
        (lambda x, y: brrl.kl_divergence(x, y), "target_ratio"),
        (lambda x, y: brrl.median_loss(x, y), "medians"),
        (lambda x, y: brrl.generalized_advantages(x, y, x[0], x, 0.9, 0.9), "values"),
        (lambda x, y: brrl.generalized_advantages(x, x, y, x, 0.9, 0.9), "last_values"),
        (lambda x, y: brrl.generalized_advantages(x, x, x[0], y, 0.9, 0.9), "dones"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(call, argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument} has shape"):
        call(torch.ones(4, 4), torch.ones(4, 1))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_that_are_not_finite_are_refused_and_named(name: str, value: float) -> None:
    x = torch.ones(2, 3)
    x[1, 1] = value
    with pytest.raises(ValueError, match="must be finite, but 1 of 6 values are not valid"):
        FUNCTIONS[name](x)
    with brrl.unchecked_values():
        FUNCTIONS[name](x)


@pytest.mark.parametrize("name", ["log_tv", "kl"])
def test_ratios_without_a_logarithm_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="ratio must be positive"):
        brrl.POLICY_LOSSES[name](torch.tensor([0.0]), torch.ones(1), torch.ones(1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda:0", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
    ],
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_precision_and_device(name: str, device: str, dtype: torch.dtype) -> None:
    result = FUNCTIONS[name](torch.ones(2, 3, dtype=dtype, device=device))
    assert result.dtype == dtype
    assert result.device == torch.device(device)
    assert result.isfinite().all()


def test_impossible_numbers_are_refused() -> None:
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="gamma must be"):
        brrl.generalized_advantages(x, x, x[0], x, 1.1, 0.9)
    with pytest.raises(ValueError, match="lam must be"):
        brrl.generalized_advantages(x, x, x[0], x, 0.9, -0.1)
    with pytest.raises(ValueError, match="level must be"):
        brrl.median_loss(x, x, level=1.5)
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="temperature must be"):
            brrl.median_loss(x, x, temperature=temperature)
