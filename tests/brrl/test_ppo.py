# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO's loss, and its rewritings as the fit of a ratio."""

from __future__ import annotations

import pytest
import torch

from isaaclab_bpo import brrl

BOUNDS = [brrl.RatioBounds.symmetric(0.2), brrl.RatioBounds(0.6, 1.9)]


LOSSES = [brrl.ppo_clipped_loss, brrl.ppo_ratio_fit_loss, brrl.ppo_ratio_fit_loss_inside_bounds]


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


def regions(ratio: torch.Tensor, advantages: torch.Tensor, bounds: brrl.RatioBounds) -> dict[str, torch.Tensor]:
    """Return the six regions, by the sign of A and the place of ρ, each with samples in it."""
    places = {
        "below": ratio < bounds.lower,
        "inside": (ratio > bounds.lower) & (ratio < bounds.upper),
        "above": ratio > bounds.upper,
    }
    signs = {"A > 0": advantages > 0.0, "A < 0": advantages < 0.0}
    found = {f"{sign}, {place}": signs[sign] & places[place] for sign in signs for place in places}
    assert all(region.sum() > 50 for region in found.values())
    return found


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_the_fit_is_ppos_loss_up_to_a_constant_for_every_ratio(bounds: brrl.RatioBounds) -> None:
    ratio, advantages = samples(0)
    target = bounds.lower + (bounds.upper - bounds.lower) * (advantages > 0.0).double()
    fit = brrl.ppo_ratio_fit_loss(ratio, advantages, bounds, "none")
    ppo = brrl.ppo_clipped_loss(ratio, advantages, bounds, "none")
    torch.testing.assert_close(fit, ppo + advantages * target, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_gradients_are_ppos_in_all_six_regions(bounds: brrl.RatioBounds) -> None:
    ratio, advantages = samples(1)
    fit = gradient(brrl.ppo_ratio_fit_loss, ratio, advantages, bounds)
    ppo = gradient(brrl.ppo_clipped_loss, ratio, advantages, bounds)
    flat = {"A > 0, above", "A < 0, below"}
    for name, region in regions(ratio, advantages, bounds).items():
        expected = torch.zeros_like(ratio) if name in flat else -advantages
        torch.testing.assert_close(ppo[region], expected[region], rtol=1e-12, atol=0.0, msg=name)
        torch.testing.assert_close(fit[region], expected[region], rtol=1e-12, atol=0.0, msg=name)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_the_pages_form_differs_from_ppo_on_the_wrong_side_only(bounds: brrl.RatioBounds) -> None:
    ratio, advantages = samples(2)
    page = gradient(brrl.ppo_ratio_fit_loss_inside_bounds, ratio, advantages, bounds)
    ppo = gradient(brrl.ppo_clipped_loss, ratio, advantages, bounds)
    wrong_side = {"A > 0, below", "A < 0, above"}
    for name, region in regions(ratio, advantages, bounds).items():
        expected = torch.zeros_like(ratio) if name in wrong_side else ppo
        torch.testing.assert_close(page[region], expected[region], rtol=1e-12, atol=0.0, msg=name)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("advantage", [1.5, -1.5])
def test_the_pages_form_jumps_by_the_width_of_the_bounds(bounds: brrl.RatioBounds, advantage: float) -> None:
    wrong, right = (bounds.lower, bounds.upper) if advantage > 0.0 else (bounds.upper, bounds.lower)
    away = -1e-9 if advantage > 0.0 else 1e-9
    ratio = torch.tensor([wrong, wrong + away, right, right - away], dtype=torch.float64)
    losses = brrl.ppo_ratio_fit_loss_inside_bounds(ratio, torch.full_like(ratio, advantage), bounds, "none")
    width = bounds.upper - bounds.lower
    assert losses.tolist() == pytest.approx([1.5 * width, 0.0, 0.0, 0.0], abs=1e-8)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_bpo_adds_to_ppos_gradient_exactly_beyond_the_bound(bounds: brrl.RatioBounds) -> None:
    """BPO's hard loss with V for μ: the same as PPO's fit, and where A (ρ - ρ_A) > 0 a pull back by |A|."""
    ratio, advantages = samples(3)
    target = bounds.lower + (bounds.upper - bounds.lower) * (advantages > 0.0).double()

    def bpo_loss(ratio: torch.Tensor, advantages: torch.Tensor, bounds: brrl.RatioBounds) -> torch.Tensor:
        return brrl.bpo_loss(ratio, advantages, advantages, bounds)

    added = gradient(bpo_loss, ratio, advantages, bounds) - gradient(brrl.ppo_clipped_loss, ratio, advantages, bounds)
    beyond = advantages * (ratio - target) > 0.0
    torch.testing.assert_close(added, torch.where(beyond, advantages, 0.0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_wrong_arguments_are_named(loss) -> None:
    with pytest.raises(TypeError, match="advantages must be a floating-point tensor"):
        loss(torch.ones(3), torch.ones(3, dtype=torch.long), BOUNDS[0])
    with pytest.raises(ValueError, match="advantages has shape"):
        loss(torch.ones(3), torch.ones(3, 1), BOUNDS[0])
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert loss(torch.ones(3, dtype=dtype), torch.ones(3, dtype=dtype), BOUNDS[0]).dtype == dtype
