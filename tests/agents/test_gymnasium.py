# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The agents on environments of Gymnasium, which follow from the spaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isaaclab_bpo.agents import gymnasium as agents
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg


@pytest.mark.parametrize("make", [agents.bpo_cfg, agents.ppo_cfg])
@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("nvec", [None, [], [2, 3]])
def test_agents_are_valid(make: Callable[..., Any], images: bool, nvec: list[int] | None) -> None:
    cfg = make("Any-v0", images, nvec, ("policy", "extra"))
    assert check_agent_cfg(cfg, num_envs=agents.NUM_ENVS, observations=["policy", "extra"]) == []
    assert cfg.obs_groups == {"actor": ["policy", "extra"], "critic": ["policy", "extra"]}
    assert cfg.actor.class_name == cfg.critic.class_name
    assert ("NatureCNN" in cfg.actor.class_name) == images
    assert ("Categorical" in cfg.actor.distribution_cfg.class_name) == (nvec is not None)
    assert getattr(cfg.actor.distribution_cfg, "nvec", None) == (nvec or None)
    assert not cfg.init_at_random_ep_len


def test_atari_has_the_papers_hyperparameters() -> None:
    bpo: Any = agents.bpo_cfg("ALE/Pong-v5", images=True, nvec=[])
    ppo: Any = agents.ppo_cfg("ALE/Pong-v5", images=True, nvec=[])
    assert (bpo.experiment_name, ppo.experiment_name) == ("ale_pong-v5_bpo", "ale_pong-v5")  # names of folders
    for cfg, epochs, clip_param, entropy_coef, norm in ((bpo, 5, 0.3, 0.001, 1.0), (ppo, 4, 0.1, 0.01, 0.5)):
        algorithm = cfg.algorithm
        assert (agents.NUM_ENVS, cfg.num_steps_per_env) == (8, 128)
        assert agents.NUM_ENVS * cfg.num_steps_per_env // algorithm.num_mini_batches == 256
        assert (algorithm.learning_rate, algorithm.gamma, algorithm.lam) == (2.5e-4, 0.98, 0.95)
        assert (algorithm.num_learning_epochs, algorithm.clip_param) == (epochs, clip_param)
        assert (algorithm.entropy_coef, algorithm.value_loss_coef) == (entropy_coef, 0.5)
        assert (algorithm.max_grad_norm, algorithm.joint_grad_clipping) == (norm, True)
        assert (algorithm.adam_eps, algorithm.reshuffle, algorithm.share_cnn_encoders) == (1e-5, True, True)
        assert cfg.actor.hidden_dims == cfg.critic.hidden_dims == [256]
        assert cfg.actor.orthogonal_init
        assert cfg.critic.orthogonal_init
    assert (bpo.algorithm.temperature, bpo.algorithm.median_loss_coef) == (1e-3, 0.5)
    assert (bpo.algorithm.median_head, bpo.algorithm.refresh_targets) == ("mlp", False)


def test_cartpole_has_what_was_tried() -> None:
    cfg = agents.bpo_cfg("CartPole-v1", images=False, nvec=[2])
    algorithm = cfg.algorithm
    assert (cfg.num_steps_per_env, cfg.actor.hidden_dims, cfg.actor.activation) == (128, [64, 64], "tanh")
    assert (algorithm.num_mini_batches, algorithm.num_learning_epochs) == (4, 5)
    assert (algorithm.learning_rate, algorithm.schedule, algorithm.desired_kl) == (1e-3, "adaptive", 0.01)
    assert (algorithm.gamma, algorithm.lam, algorithm.clip_param) == (0.98, 0.9, 0.2)
    assert (algorithm.value_loss_coef, algorithm.median_loss_coef, algorithm.temperature) == (0.5, 0.5, 0.01)
