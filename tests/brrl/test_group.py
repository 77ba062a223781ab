# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The arithmetic of GBPO's groups and tokens, against numbers computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from isaaclab_bpo.brrl import (
    RatioBounds,
    aggregate,
    gbpo_loss,
    group_advantages,
    group_median,
    group_median_advantages,
    group_scale,
    group_sign_target,
    group_target_ratio,
    token_metrics,
    token_ratio,
)

F64 = torch.float64


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=F64)


def test_even_groups_have_the_mean_of_the_middle_as_median() -> None:
    rewards = torch.tensor([[4.0, 1.0, 3.0, 9.0], [1.0, 1.0, 0.0, 0.0]], dtype=F64)
    assert group_median(rewards).tolist() == [[3.5], [0.5]]
    assert group_median(tensor(7.0, 1.0, 2.0)).tolist() == [2.0]


def test_advantages_are_divided_by_the_standard_deviation_of_the_sample() -> None:
    rewards = tensor(0.0, 0.0, 3.0)  # mean 1, variance (1 + 1 + 4)/2 = 3, median 0
    scale = math.sqrt(3.0) + 1e-6
    torch.testing.assert_close(group_scale(rewards), tensor(scale))
    torch.testing.assert_close(group_advantages(rewards), tensor(-1.0, -1.0, 2.0) / scale)
    torch.testing.assert_close(group_median_advantages(rewards), tensor(0.0, 0.0, 3.0) / scale)
    torch.testing.assert_close(group_advantages(rewards, scale=False), tensor(-1.0, -1.0, 2.0))


def test_groups_are_independent() -> None:
    rewards = torch.tensor([[0.0, 0.0, 3.0], [5.0, 1.0, 9.0]], dtype=F64)
    for function in (group_scale, group_median, group_advantages, group_median_advantages):
        torch.testing.assert_close(function(rewards), torch.stack([function(group) for group in rewards]))


def test_group_of_one_is_compared_with_zero() -> None:
    alone = torch.tensor([[2.0], [-3.0]], dtype=F64)
    for function in (group_advantages, group_median_advantages):
        assert function(alone, scale=False).tolist() == [[2.0], [-3.0]]
        torch.testing.assert_close(function(alone), alone / (1.0 + 1e-6))


def test_equal_rewards_move_nothing() -> None:
    assert group_advantages(torch.ones(8)).tolist() == [0.0] * 8


def test_sign_target_is_the_midpoint_at_the_median_and_is_not_clamped() -> None:
    bounds = RatioBounds(0.8, 1.28)
    target = group_sign_target(tensor(0.0, 30.0, -30.0, math.log(3.0)), bounds, 1.0)
    expected = tensor(1.04, 1.28, 0.8, 0.8 + 0.48 * 0.75)  # σ(log 3) = 3/4
    torch.testing.assert_close(target, expected, rtol=0.0, atol=1e-12)


def test_with_binary_rewards_the_sign_target_moves_the_minority_alone() -> None:
    rewards, bounds = tensor(1, 1, 1, 1, 1, 0, 0, 0), RatioBounds.symmetric(0.3)
    sign = group_sign_target(group_median_advantages(rewards), bounds, 1e-4)
    torch.testing.assert_close(sign, tensor(*[1.0] * 5, *[0.7] * 3))
    exact = group_target_ratio(rewards, bounds, 1e-4)
    torch.testing.assert_close(exact, tensor(*[1.18] * 5, *[0.7] * 3))
    torch.testing.assert_close(exact.mean(), tensor(1.0)[0])


def test_loss_is_the_weighted_distance() -> None:
    log_ratio = torch.tensor([[0.0, math.log(1.5)], [math.log(0.5), 3.0]], dtype=F64, requires_grad=True)
    target, advantages = torch.tensor([[1.2], [0.8]], dtype=F64), torch.tensor([[2.0], [-1.0]], dtype=F64)
    mask = torch.tensor([[1, 1], [1, 0]])
    losses = gbpo_loss(log_ratio, target, advantages, mask, "none")
    torch.testing.assert_close(losses, torch.tensor([[0.4, 0.6], [0.3, 0.0]], dtype=F64))
    of_tokens = gbpo_loss(log_ratio, target, advantages, mask)
    torch.testing.assert_close(of_tokens.item(), (0.4 + 0.6 + 0.3) / 3.0)
    of_completions = gbpo_loss(log_ratio, target, advantages, mask, "seq-mean-token-sum-norm", horizon=5)
    torch.testing.assert_close(of_completions.item(), (0.4 + 0.6 + 0.3) / 2.0 / 5.0)
    (gradient,) = torch.autograd.grad(losses.sum(), log_ratio)
    # |A| sign(ρ - ρ*) ρ
    torch.testing.assert_close(gradient, torch.tensor([[-2.0, 3.0], [-0.5, 0.0]], dtype=F64))


def test_ratio_is_held_and_carries_no_gradient_beyond() -> None:
    log_ratio = tensor(-25.0, 25.0, 1.0).requires_grad_()
    ratio = token_ratio(log_ratio)
    torch.testing.assert_close(ratio, tensor(math.exp(-20.0), math.exp(20.0), math.e), rtol=1e-12, atol=0.0)
    (gradient,) = torch.autograd.grad(ratio.sum(), log_ratio)
    torch.testing.assert_close(gradient, tensor(0.0, 0.0, math.e))


@pytest.mark.parametrize(
    ("aggregation", "horizon", "expected"),
    [
        ("token-mean", None, 12.0 / (4.0 + 1e-8)),
        ("seq-mean-token-mean", None, (2.0 + 6.0 + 0.0) / 3.0),
        ("seq-mean-token-sum", None, 12.0 / 3.0),
        ("seq-mean-token-sum-norm", None, 12.0 / 3.0 / 4.0),
        ("seq-mean-token-sum-norm", 6, 12.0 / 3.0 / 6.0),
    ],
)
def test_aggregations(aggregation: str, horizon: int | None, expected: float) -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 9.0], [6.0, 99.0, 99.0, 99.0], [5.0, 5.0, 5.0, 5.0]], dtype=F64)
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])  # the last completion has no token
    result = aggregate(values, mask, aggregation, horizon)  # type: ignore[arg-type]
    torch.testing.assert_close(result.item(), expected, rtol=1e-12, atol=0.0)


def test_metrics() -> None:
    ratio, target = torch.tensor([[1.0, 2.25, 0.25, 2.0, 0.5]], dtype=F64), torch.ones(1, 1, dtype=F64)
    metrics = token_metrics(ratio.log(), target, RatioBounds(0.5, 2.0))  # the bounds are inside
    torch.testing.assert_close(metrics["clip_fraction"], torch.tensor([[0.0, 1.0, 1.0, 0.0, 0.0]], dtype=F64))
    torch.testing.assert_close(metrics["ratio_deviation"], (ratio - 1.0).abs())
    torch.testing.assert_close(metrics["ppo_kl"], -ratio.log())


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be a finite number"):
        group_sign_target(tensor(1.0), RatioBounds.symmetric(0.3), temperature)


def test_unknown_aggregation_is_refused() -> None:
    with pytest.raises(ValueError, match="aggregation must be one of token-mean"):
        aggregate(torch.ones(1, 1), torch.ones(1, 1), "mean")  # type: ignore[arg-type]


def test_targets_and_advantages_must_be_of_the_same_completions() -> None:
    with pytest.raises(ValueError, match="advantages has shape"):
        gbpo_loss(torch.ones(2, 3), torch.ones(2, 1), torch.ones(1, 1), torch.ones(2, 3))
    with pytest.raises(TypeError, match="target_ratio"):
        gbpo_loss(torch.ones(2, 3), torch.ones(2, 1, dtype=torch.int64), torch.ones(2, 1), torch.ones(2, 3))
    with pytest.raises(TypeError, match="advantages"):
        gbpo_loss(torch.ones(2, 3), torch.ones(2, 1), torch.ones(2, 1, dtype=torch.int64), torch.ones(2, 3))


def test_mask_must_have_the_shape_of_the_values() -> None:
    with pytest.raises(ValueError, match="mask has shape"):
        aggregate(torch.ones(2, 3), torch.ones(2, 2))
