# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO learns: a pole is balanced from scratch, which neither random actions nor none can do."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

import torch
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, handle_deprecated_rsl_rl_cfg
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from isaaclab_bpo.agents import RslRlBpoRunnerCfg
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


def test_a_pole_is_balanced_from_scratch() -> None:
    torch.manual_seed(1)
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
    handle_deprecated_rsl_rl_cfg(cfg, importlib.metadata.version("rsl-rl-lib"))
    env = make_gym_vec_env(TASK, num_envs=16, seed=1)
    runner = OnPolicyRunner(env, cfg.to_dict(), log_dir=None, device="cpu")  # type: ignore[attr-defined]
    runner.learn(cfg.max_iterations)

    def fresh() -> GymVecEnv:
        return make_gym_vec_env(TASK, num_envs=16, seed=2)

    learned = mean_return(fresh(), runner.get_inference_policy())
    noise = mean_return(fresh(), lambda obs: torch.randn(len(obs), 1))
    nothing = mean_return(fresh(), lambda obs: torch.zeros(len(obs), 1))
    assert noise < 0.1 * MAX_RETURN
    assert nothing < 0.1 * MAX_RETURN
    assert learned > 0.8 * MAX_RETURN
