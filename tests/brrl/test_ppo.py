# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO's loss and its rewriting as the fit of a ratio."""

from __future__ import annotations

import pytest
import torch

from isaaclab_bpo import brrl

BOUNDS = [brrl.RatioBounds.symmetric(0.2), brrl.RatioBounds(0.6, 1.9)]


def gradient(loss, ratio: torch.Tensor, advantages: torch.Tensor, bounds: brrl.RatioBounds) -> torch.Tensor:
    """Return the gradient of a mean over samples with respect to each sample's ratio, times the number of samples."""
    ratio = ratio.clone().requires_grad_()
    loss(ratio, advantages, bounds).backward()
    assert ratio.grad is not None
    return ratio.grad * len(ratio)


def samples(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.manual_seed(seed)
    ratio = torch.empty(2000, dtype=torch.float64).uniform_(0.2, 2.5, generator=generator)
    return ratio, torch.randn(2000, dtype=torch.float64, generator=generator)


def test_ppos_loss_by_hand() -> None:
    # A > 0: unclipped at 1.1, clipped at 1.5;  A < 0: unclipped at 1.5, clipped at 0.5
    ratio, advantages = torch.tensor([1.1, 1.5, 1.5, 0.5]), torch.tensor([2.0, 2.0, -1.0, -1.0])
    expected = (-2.0 * 1.1 - 2.0 * 1.2 + 1.5 + 0.8) / 4
    assert brrl.ppo_clipped_loss(ratio, advantages, BOUNDS[0]).item() == pytest.approx(expected)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_gradients_are_equal_inside_the_bounds(bounds: brrl.RatioBounds) -> None:
    ratio, advantages = samples(0)
    inside = (ratio > bounds.lower) & (ratio < bounds.upper)
    assert inside.sum() > 200
    ours = gradient(brrl.ppo_ratio_fit_loss, ratio, advantages, bounds)
    ppo = gradient(brrl.ppo_clipped_loss, ratio, advantages, bounds)
    torch.testing.assert_close(ours[inside], ppo[inside], rtol=1e-12, atol=0.0)
    torch.testing.assert_close(ppo[inside], -advantages[inside], rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_gradients_outside_the_bounds(bounds: brrl.RatioBounds) -> None:
    """Beyond the target PPO's gradient is 0 and that of l' leads back; short of it both lead there."""
    ratio, advantages = samples(1)
    beyond = ((ratio > bounds.upper) & (advantages > 0.0)) | ((ratio < bounds.lower) & (advantages < 0.0))
    short = ((ratio < bounds.lower) & (advantages > 0.0)) | ((ratio > bounds.upper) & (advantages < 0.0))
    assert min(beyond.sum(), short.sum()) > 100
    ours = gradient(brrl.ppo_ratio_fit_loss, ratio, advantages, bounds)
    ppo = gradient(brrl.ppo_clipped_loss, ratio, advantages, bounds)
    assert (ppo[beyond] == 0.0).all()
    torch.testing.assert_close(ours[beyond], advantages[beyond], rtol=1e-12, atol=0.0)
    torch.testing.assert_close(ours[short], ppo[short], rtol=1e-12, atol=0.0)
    torch.testing.assert_close(ppo[short], -advantages[short], rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_losses_differ_by_a_constant_where_ppo_is_not_clipped(bounds: brrl.RatioBounds) -> None:
    ratio, advantages = samples(2)
    target = torch.where(advantages > 0.0, bounds.upper, bounds.lower)
    for r, a, t in zip(ratio, advantages, target, strict=True):
        if (r < t) == (a > 0.0):
            difference = brrl.ppo_ratio_fit_loss(r, a, bounds) - brrl.ppo_clipped_loss(r, a, bounds)
            torch.testing.assert_close(difference, a * t)


def test_the_rewriting_is_bpos_hard_loss_with_the_mean_as_median() -> None:
    ratio, advantages = samples(3)
    target = brrl.target_ratio(advantages, BOUNDS[0])
    bpo = brrl.advantage_weighted_tv(ratio, target, advantages.abs())
    torch.testing.assert_close(brrl.ppo_ratio_fit_loss(ratio, advantages, BOUNDS[0]), bpo)


@pytest.mark.parametrize("loss", [brrl.ppo_clipped_loss, brrl.ppo_ratio_fit_loss])
def test_wrong_arguments_are_named(loss) -> None:
    with pytest.raises(TypeError, match="advantages must be a floating-point tensor"):
        loss(torch.ones(3), torch.ones(3, dtype=torch.long), BOUNDS[0])
    with pytest.raises(ValueError, match="advantages has shape"):
        loss(torch.ones(3), torch.ones(3, 1), BOUNDS[0])
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert loss(torch.ones(3, dtype=dtype), torch.ones(3, dtype=dtype), BOUNDS[0]).dtype == dtype
