# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The categorical distribution is torch's, block by block, and stays finite where actions are masked."""

from __future__ import annotations

import math

import pytest
import torch
from rsl_rl.modules import MLP
from torch.distributions import OneHotCategorical, kl_divergence

from isaaclab_bpo.models import CategoricalDistribution

NVEC = [2, 3, 4]
LOGITS = 3.0 * torch.randn(64, 9, generator=torch.manual_seed(0))


def distribution(logits: torch.Tensor, nvec: list[int] | None = None) -> CategoricalDistribution:
    made = CategoricalDistribution(logits.shape[-1], nvec)
    made.update(logits)
    return made


@pytest.mark.parametrize("nvec", [None, NVEC])
def test_every_quantity_is_torchs(nvec: list[int] | None) -> None:
    other = LOGITS.roll(1, dims=0)
    ours, theirs = (distribution(logits, nvec) for logits in (LOGITS, other))
    blocks = [OneHotCategorical(logits=block) for block in LOGITS.split(nvec or [9], dim=-1)]
    others = [OneHotCategorical(logits=block) for block in other.split(nvec or [9], dim=-1)]
    actions = ours.sample()
    log_prob = sum(block.log_prob(a) for block, a in zip(blocks, actions.split(nvec or [9], dim=-1), strict=True))
    torch.testing.assert_close(ours.log_prob(actions), log_prob)
    torch.testing.assert_close(ours.entropy, sum(block.entropy() for block in blocks))
    torch.testing.assert_close(ours.mean, torch.cat([block.mean for block in blocks], dim=-1))
    torch.testing.assert_close(ours.std, torch.cat([block.stddev for block in blocks], dim=-1))
    kl = sum(kl_divergence(block, other) for block, other in zip(blocks, others, strict=True))
    torch.testing.assert_close(ours.kl_divergence(ours.params, theirs.params), kl)


def test_samples_are_one_hot_with_the_frequencies_of_the_probabilities() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([0.1, 0.9, 0.2, 0.3, 0.5]).log()
    samples = distribution(logits.expand(40_000, 5), [2, 3]).sample()
    for block in samples.split([2, 3], dim=-1):
        assert (block.sum(dim=-1) == 1.0).all()
        assert ((block == 0.0) | (block == 1.0)).all()
    # Standard error of a frequency: at most 0.0025
    torch.testing.assert_close(samples.mean(dim=0), logits.exp(), rtol=0.0, atol=0.01)
    # The blocks are independent
    assert (samples[:, 0] * samples[:, 2]).mean().item() == pytest.approx(0.1 * 0.2, abs=0.004)


def test_masked_actions_are_never_taken_and_leave_everything_finite() -> None:
    logits = LOGITS.clone().requires_grad_()
    mask = torch.zeros(9)
    mask[[0, 4]] = -torch.inf
    ours = distribution(logits + mask, NVEC)
    actions = torch.cat([ours.sample() for _ in range(100)])
    assert (actions[:, [0, 4]] == 0.0).all()
    assert (ours.mean[:, [0, 4]] == 0.0).all()
    # One action of the first block is left, which adds nothing
    rest = [OneHotCategorical(logits=LOGITS[:, [2, 3]]), OneHotCategorical(logits=LOGITS[:, 5:])]
    torch.testing.assert_close(ours.entropy, sum(block.entropy() for block in rest))
    before = distribution(LOGITS, NVEC).params
    for kl in (ours.kl_divergence(ours.params, before), ours.kl_divergence(ours.params, ours.params)):
        assert kl.isfinite().all()
    kl = ours.kl_divergence(ours.params, before)
    (ours.entropy + ours.log_prob(actions[:64]) + kl).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, [0, 4]] == 0.0).all()


def test_log_probabilities_are_float32_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = torch.nn.functional.linear(torch.eye(9), LOGITS)
        assert logits.dtype is torch.bfloat16
        ours = CategoricalDistribution(64)
        ours.update(logits)
    assert {ours.log_probs.dtype, ours.entropy.dtype, ours.sample().dtype} == {torch.float32}
    torch.testing.assert_close(ours.mean.sum(dim=-1), torch.ones(9))


def test_deterministic_output_is_the_most_probable_action_and_can_be_scripted() -> None:
    ours = CategoricalDistribution(9, NVEC)
    actions = ours.deterministic_output(LOGITS)
    columns = [block.argmax(dim=-1) for block in LOGITS.split(NVEC, dim=-1)]
    assert torch.equal(torch.stack([a.argmax(dim=-1) for a in actions.split(NVEC, dim=-1)]), torch.stack(columns))
    assert (actions.sum(dim=-1) == 3.0).all()
    exported = torch.jit.script(ours.as_deterministic_output_module())
    assert torch.equal(exported(LOGITS), actions)


def test_policy_starts_near_the_uniform_distribution() -> None:
    ours, mlp = CategoricalDistribution(9, NVEC), MLP(5, 9, [32])
    ours.init_mlp_weights(mlp)
    weight: torch.Tensor = mlp[-1].weight  # type: ignore[assignment]
    torch.testing.assert_close(weight @ weight.T, 1e-4 * torch.eye(9))
    ours.update(mlp(torch.randn(7, 5)))
    torch.testing.assert_close(ours.entropy, torch.full((7,), math.log(2 * 3 * 4)), rtol=1e-3, atol=0.0)


def test_blocks_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"distribution_cfg.nvec=\[2, 3\] has 5 choices in all, but .* have 6 columns"):
        CategoricalDistribution(6, [2, 3])
