# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The agents of Gymnasium's MuJoCo tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isaaclab_bpo.agents import mujoco
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg


@pytest.mark.parametrize("task", mujoco.MUJOCO_TASKS)
@pytest.mark.parametrize("make", [mujoco.bpo_cfg, mujoco.ppo_cfg])
def test_mujoco_agents_are_valid(make: Callable[[str], Any], task: str) -> None:
    cfg = make(task)
    assert check_agent_cfg(cfg, num_envs=mujoco.NUM_ENVS, observations=["policy"]) == []
    assert not cfg.init_at_random_ep_len


def test_hopper_has_the_papers_rollout_and_batch() -> None:
    bpo, ppo = mujoco.bpo_cfg("Hopper"), mujoco.ppo_cfg("Hopper")
    for cfg, rollout, batch in ((bpo, 2048, 32), (ppo, 512, 32)):
        assert mujoco.NUM_ENVS * cfg.num_steps_per_env == rollout
        assert cfg.algorithm.num_mini_batches == rollout // batch
        assert cfg.max_iterations == 20_000_000 // rollout
    assert (bpo.algorithm.clip_param, bpo.algorithm.temperature, bpo.algorithm.gamma) == (0.25, 10.0, 0.999)
    assert (ppo.algorithm.clip_param, ppo.algorithm.num_learning_epochs, ppo.algorithm.lam) == (0.2, 5, 0.99)


def test_networks_and_optimizer_are_the_papers() -> None:
    bpo, ppo = mujoco.bpo_cfg("Hopper"), mujoco.ppo_cfg("Hopper")
    for cfg, norm in ((bpo, 1.0), (ppo, 0.7)):
        for network in (cfg.actor, cfg.critic):
            assert network.class_name == "isaaclab_bpo.models:OrthogonalMLPModel"
            assert (network.hidden_dims, network.activation) == ([256, 256], "relu")
        algorithm: Any = cfg.algorithm
        assert (algorithm.adam_eps, algorithm.reshuffle, algorithm.joint_grad_clipping) == (1e-5, True, True)
        assert (algorithm.max_grad_norm, algorithm.schedule) == (norm, "fixed")
    assert (bpo.algorithm.median_head, bpo.algorithm.refresh_targets) == ("mlp", False)
