# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The functions for verl, through its registries and with its call signature. verl has an environment of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("verl", reason="needs an environment with verl")

from hydra import compose, initialize_config_dir
from verl.trainer.config import AlgoConfig  # type: ignore[import-not-found]
from verl.trainer.ppo.core_algos import get_adv_estimator_fn, get_policy_loss_fn  # type: ignore[import-not-found]
from verl.workers.config import ActorConfig  # type: ignore[import-not-found]

import isaaclab_bpo.gbpo.verl as plugin
from gbpo.recordings import FILES, Recording
from isaaclab_bpo.brrl import aggregate, gbpo_loss, group_sign_target


def test_packing_keeps_both_numbers() -> None:
    advantages = torch.tensor([1.5, -1e-3, 0.0, 3.25e5], dtype=torch.float64)
    medians = torch.tensor([-1e4, 0.3, -0.0, 2.5e-7], dtype=torch.float64)
    packed = plugin.pack(advantages, medians)
    torch.testing.assert_close(packed, advantages, rtol=2.0**-20, atol=1e-300)
    first, second = plugin.unpack(packed)
    torch.testing.assert_close(first, advantages, rtol=2.0**-20, atol=0.0)
    torch.testing.assert_close(second, medians, rtol=2.0**-23, atol=0.0)


def test_single_precision_is_a_sentence() -> None:
    with pytest.raises(TypeError, match=r"arrived as torch\.float32"):
        plugin.unpack(torch.ones(2))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_recording_through_the_registries(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Recording(file)
    monkeypatch.setenv("ISAACLAB_BPO_GBPO_TEMPERATURE", str(case.gbpo_temperature))
    packed, _ = get_adv_estimator_fn("gbpo")(
        token_level_rewards=case.token_level_rewards.double(),
        response_mask=case.response_mask,
        index=case.names,
        config=AlgoConfig(norm_adv_by_std_in_grpo=bool(case.norm_by_std)),
    )
    advantages, logits = plugin.unpack(packed)
    torch.testing.assert_close(advantages, case.advantages, rtol=1e-6, atol=0.0)
    torch.testing.assert_close(logits, case.target_adv, rtol=1e-6, atol=1e-12)

    config = ActorConfig(
        strategy="fsdp",
        rollout_n=8,
        use_dynamic_bsz=True,
        clip_ratio_low=case.clip_low,
        clip_ratio_high=case.clip_high,
    )
    log_prob = case.log_prob.requires_grad_()
    arguments = {
        "old_log_prob": case.old_log_prob,
        "log_prob": log_prob,
        "advantages": packed,
        "response_mask": case.response_mask,
        "loss_agg_mode": case.aggregation,
        "config": config,
    }
    loss, metrics = get_policy_loss_fn("gbpo")(**arguments)
    (gradient,) = torch.autograd.grad(loss, log_prob)
    torch.testing.assert_close(loss.item(), case.loss, rtol=2e-6, atol=0.0)
    torch.testing.assert_close(gradient, case.grad_log_prob, rtol=2e-6, atol=1e-9)
    assert metrics["actor/clip_fraction"] == pytest.approx(case.clip_fraction, abs=1e-9)
    assert metrics["actor/ppo_kl"] == pytest.approx(case.ppo_kl, abs=1e-9)

    # What packing rounds is all that differs
    target = group_sign_target(logits, case.bounds, 1.0)
    losses = gbpo_loss(log_prob - case.old_log_prob, target, advantages, case.response_mask, "none")
    expected = aggregate(losses, case.response_mask, case.aggregation)
    torch.testing.assert_close(loss, expected, rtol=1e-8, atol=0.0)

    weighted, _ = get_policy_loss_fn("gbpo")(**arguments, rollout_is_weights=torch.full_like(log_prob, 2.0))
    torch.testing.assert_close(weighted, 2.0 * loss)


def test_configuration_file_composes() -> None:
    folder = Path(__file__).parents[2] / "scripts" / "verl"
    with initialize_config_dir(str(folder), version_base=None):
        config = compose("ttrl")
    actor = config.actor_rollout_ref.actor
    assert get_adv_estimator_fn(config.algorithm.adv_estimator) is plugin.gbpo_advantage
    assert get_policy_loss_fn(actor.policy_loss.loss_mode) is plugin.gbpo_policy_loss
    assert (actor.clip_ratio_low, actor.optim.lr, actor.ppo_epochs) == (0.3, 5e-7, 10)
