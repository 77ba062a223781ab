# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO learns from scratch, in vectors and in images, to act in real numbers and in choices."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

import pytest
import torch
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, handle_deprecated_rsl_rl_cfg
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

import catch  # noqa: F401  # registers a game
from isaaclab_bpo.agents import RslRlBpoRunnerCfg
from isaaclab_bpo.agents import gymnasium as gymnasium_agents
from isaaclab_bpo.envs import GymVecEnv, make_gym_vec_env

TASK = "InvertedPendulum-v5"
MAX_RETURN = 1000.0  # one for each step in which the pole stands, of at most 1000


def mean_return(env: GymVecEnv, policy: Callable[[TensorDict], torch.Tensor]) -> float:
    """Return the mean return of the first episode of each environment."""
    obs, done = env.get_observations(), torch.zeros(env.num_envs)
    total = torch.zeros(env.num_envs)
    with torch.inference_mode():
        while not done.all():
            obs, rewards, dones, _ = env.step(policy(obs))
            total += rewards * (1 - done)
            done = torch.maximum(done, dones)
    return total.mean().item()


def random_actions(num_envs: int, choices: int) -> torch.Tensor:
    return torch.eye(choices)[torch.randint(choices, (num_envs,))]


def learn(cfg: RslRlBpoRunnerCfg, env: GymVecEnv, seed: int, iterations: int) -> Callable[[TensorDict], torch.Tensor]:
    """Return the policy that BPO learns."""
    torch.manual_seed(seed)
    handle_deprecated_rsl_rl_cfg(cfg, importlib.metadata.version("rsl-rl-lib"))
    runner = OnPolicyRunner(env, cfg.to_dict(), log_dir=None, device="cpu")  # type: ignore[attr-defined]
    runner.learn(iterations)
    return runner.get_inference_policy()


@pytest.mark.parametrize("seed", [1, 2])
def test_discrete_actions_are_learned(seed: int) -> None:
    """With the settings of the task Gym-CartPole-v1. Random actions last for 20 steps or so, of 500."""
    cfg = gymnasium_agents.bpo_cfg("CartPole-v1", images=False, nvec=[2])
    policy = learn(cfg, make_gym_vec_env("CartPole-v1", gymnasium_agents.NUM_ENVS, seed=seed), seed, iterations=50)
    assert mean_return(make_gym_vec_env("CartPole-v1", 20, seed=9), lambda obs: random_actions(len(obs), 2)) < 50
    assert mean_return(make_gym_vec_env("CartPole-v1", 20, seed=9), policy) >= 475


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
def test_images_are_learned_from(seed: int) -> None:
    """With the settings of Atari's tasks, but a higher rate, a softer target and fewer channels, to be fast.

    Random actions catch one ball in ten or so. Four in five make a return of 0.6.
    """
    cfg: Any = gymnasium_agents.bpo_cfg("Catch-v0", images=True, nvec=[3])
    cfg.algorithm.learning_rate, cfg.algorithm.temperature = 1e-3, 0.1
    for network in (cfg.actor, cfg.critic):
        network.cnn_cfg = {"output_channels": [16, 16], "kernel_size": 3, "stride": 2, "padding": "zeros"}
    policy = learn(cfg, make_gym_vec_env("Catch-v0", gymnasium_agents.NUM_ENVS, seed=seed), seed, iterations=30)
    assert mean_return(make_gym_vec_env("Catch-v0", 100, seed=9), lambda obs: random_actions(len(obs), 3)) < -0.5
    assert mean_return(make_gym_vec_env("Catch-v0", 100, seed=9), policy) > 0.6


def test_a_pole_is_balanced_from_scratch() -> None:
    """Which neither random actions nor none can do."""
    cfg = RslRlBpoRunnerCfg(
        experiment_name="pole",
        max_iterations=60,
        num_steps_per_env=128,
        save_interval=1000,
        obs_groups={"actor": ["policy"], "critic": ["policy"]},
        actor=RslRlMLPModelCfg(
            hidden_dims=[64, 64],
            activation="tanh",
            distribution_cfg=RslRlMLPModelCfg.GaussianDistributionCfg(init_std=1.0),
        ),
        critic=RslRlMLPModelCfg(hidden_dims=[64, 64], activation="tanh"),
    )
    policy = learn(cfg, make_gym_vec_env(TASK, num_envs=16, seed=1), seed=1, iterations=cfg.max_iterations)

    def fresh() -> GymVecEnv:
        return make_gym_vec_env(TASK, num_envs=16, seed=2)

    learned = mean_return(fresh(), policy)
    noise = mean_return(fresh(), lambda obs: torch.randn(len(obs), 1))
    nothing = mean_return(fresh(), lambda obs: torch.zeros(len(obs), 1))
    assert noise < 0.1 * MAX_RETURN
    assert nothing < 0.1 * MAX_RETURN
    assert learned > 0.8 * MAX_RETURN
