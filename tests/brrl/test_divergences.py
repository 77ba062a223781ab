# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The divergences against numbers computed by hand, and against autograd."""

from __future__ import annotations

import math

import pytest
import torch

from isaaclab_bpo import brrl

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


# Ratios 1.0 and 1.1, targets 1.2 and 0.8, weights 2 and 3

RATIO, TARGET, WEIGHTS = torch.tensor([1.0, 1.1]), torch.tensor([1.2, 0.8]), torch.tensor([2.0, 3.0])
BY_HAND = {
    "atv": (2.0 * 0.2 + 3.0 * 0.3) / 2,
    "tv": (0.2 + 0.3) / 2,
    "log_tv": (math.log(1.2) + math.log(1.1 / 0.8)) / 2,
    "mse": (0.2**2 + 0.3**2) / 2,
    "kl": (1.2 * math.log(1.2) - 1.2 + 1.0 + 0.8 * math.log(0.8 / 1.1) - 0.8 + 1.1) / 2,
}


@pytest.mark.parametrize("name", brrl.DIVERGENCES)
def test_divergence_by_hand(name: str) -> None:
    assert brrl.DIVERGENCES[name](RATIO, TARGET, WEIGHTS).item() == pytest.approx(BY_HAND[name], rel=1e-5)


@pytest.mark.parametrize("name", brrl.DIVERGENCES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence_is_smallest_at_the_target(name: str, dtype: torch.dtype) -> None:
    target = torch.rand(64, generator=torch.manual_seed(0)).add(0.5).to(dtype)
    ratio = (target * torch.tensor([0.7, 1.5], dtype=dtype).repeat(32)).requires_grad_()
    loss = brrl.DIVERGENCES[name](ratio, target, torch.ones_like(target))
    at_target = brrl.DIVERGENCES[name](target, target, torch.ones_like(target))
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


@pytest.mark.parametrize("name", brrl.DIVERGENCES)
def test_mean_and_sum_are_those_of_the_samples(name: str) -> None:
    divergence = brrl.DIVERGENCES[name]
    samples = divergence(RATIO, TARGET, WEIGHTS, "none")
    assert samples.shape == RATIO.shape
    torch.testing.assert_close(divergence(RATIO, TARGET, WEIGHTS, "sum"), samples.sum())
    torch.testing.assert_close(divergence(RATIO, TARGET, WEIGHTS), samples.mean())
