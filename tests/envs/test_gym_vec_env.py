# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's environments as rsl_rl sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from isaaclab_bpo.envs import GymVecEnv, make_gym_vec_env

PPO, BPO = "PPO", "isaaclab_bpo.algorithms:BPO"


class Counter(gymnasium.Env):
    """Counts: observes [step, last action's first entry], earns the step's number, ends at step 3 if action > 0.5."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float64)
    action_space = Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 0.25], np.float32))

    def __init__(self, spaces: str = "box", render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        if spaces == "dict":
            self.observation_space = Dict({"policy": Counter.observation_space, "extra": Box(0.0, 1.0, (1,))})
        elif spaces == "discrete actions":
            self.action_space = Discrete(2)
        elif spaces == "discrete observations":
            self.observation_space = Discrete(4)

    def _observe(self, action: float) -> Any:
        obs = np.array([self.count, action])
        if isinstance(self.observation_space, Dict):
            return {"policy": obs, "extra": np.array([0.5], np.float32)}
        return obs

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.count = 0
        return self._observe(self.np_random.uniform()), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict]:
        assert self.action_space.contains(action), action
        self.count += 1
        return self._observe(action[0]), float(self.count), bool(self.count == 3 and action[0] > 0.5), False, {}


gymnasium.register("Counter-v0", f"{__name__}:Counter", max_episode_steps=5)


def make(num_envs: int = 2, **kwargs: Any) -> GymVecEnv:
    return make_gym_vec_env("Counter-v0", num_envs, **kwargs)


def step(env: GymVecEnv, *actions: list[float], times: int = 1) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
    """Act the same several times; return what the last step gives."""
    return [env.step(torch.tensor(actions)) for _ in range(times)][-1]


def test_attributes_are_those_of_the_spaces() -> None:
    env = make()
    assert (env.num_envs, env.num_actions, env.max_episode_length) == (2, 2, 5)
    obs = env.get_observations()
    assert obs.batch_size == torch.Size([2])
    assert obs["policy"].shape == (2, 2)
    assert obs["policy"].dtype == torch.float32  # from 64-bit floats


def test_entries_of_a_dict_are_observation_groups() -> None:
    env = make(spaces="dict")
    assert set(env.get_observations().keys()) == {"policy", "extra"}
    obs, _, _, extras = step(env, [0.0, 0.0], [0.0, 0.0], times=5)
    assert set(extras["final_observations"].keys()) == {"policy", "extra"}
    assert extras["final_observations"]["policy"][:, 0].tolist() == [5.0, 5.0]
    assert obs["policy"][:, 0].tolist() == [0.0, 0.0]


def test_actions_are_clipped_to_their_bounds() -> None:
    env = make()
    obs, *_ = step(env, [9.0, 9.0], [-9.0, -9.0])  # the environment refuses what is out of bounds
    assert obs["policy"][:, 1].tolist() == [1.0, -1.0]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_ends_and_time_outs(mode: str) -> None:
    """Environment 0 ends itself at step 3, environment 1 is cut off after 5 steps; both go on in the same step."""
    env = make(vectorization_mode=mode)
    history = []
    for _ in range(6):
        obs, rewards, dones, extras = step(env, [1.0, 0.0], [0.0, 0.0])
        history.append((obs["policy"][:, 0].tolist(), rewards.tolist(), dones.tolist(), extras["time_outs"].tolist()))
        if dones.any():
            final = extras["final_observations"]["policy"]
            ended = dones.bool()
            assert torch.equal(final[ended, 0], rewards[ended])  # the count at the end, not 0 after the reset
            assert torch.equal(final[~ended], obs["policy"][~ended])
        else:
            assert "final_observations" not in extras
    env.close()
    assert history == [
        ([1.0, 1.0], [1.0, 1.0], [0, 0], [0.0, 0.0]),
        ([2.0, 2.0], [2.0, 2.0], [0, 0], [0.0, 0.0]),
        ([0.0, 3.0], [3.0, 3.0], [1, 0], [0.0, 0.0]),
        ([1.0, 4.0], [1.0, 4.0], [0, 0], [0.0, 0.0]),
        ([2.0, 0.0], [2.0, 5.0], [0, 1], [0.0, 1.0]),
        ([0.0, 1.0], [3.0, 1.0], [1, 0], [0.0, 0.0]),
    ]


def test_end_at_the_time_limit_is_no_time_out() -> None:
    env = make(1, max_episode_steps=3)
    _, _, dones, extras = step(env, [1.0, 0.0], times=3)
    assert dones.tolist() == [1]
    assert extras["time_outs"].tolist() == [0.0]


def test_episode_lengths_are_counted() -> None:
    env = make(1)
    lengths = []
    for _ in range(6):
        env.step(torch.zeros(1, 2))
        lengths.append(env.episode_length_buf.item())
    assert lengths == [1, 2, 3, 4, 0, 1]
    with pytest.raises(ValueError, match="init_at_random_ep_len=false"):
        env.episode_length_buf = torch.zeros(1)


def test_seed_decides_the_first_observations() -> None:
    first, same, other = (make(seed=seed).get_observations()["policy"] for seed in (3, 3, 4))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first[0, 1] != first[1, 1]


def test_next_step_autoreset_is_refused() -> None:
    with pytest.raises(ValueError, match="SAME_STEP"):
        GymVecEnv(gymnasium.make_vec("Counter-v0", 2))


@pytest.mark.parametrize("spaces", ["discrete actions", "discrete observations"])
def test_other_spaces_are_refused(spaces: str) -> None:
    env = gymnasium.make_vec("Counter-v0", 1, vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP}, spaces=spaces)
    with pytest.raises(ValueError, match=r"Discrete\(\d\)"):
        GymVecEnv(env)


@pytest.mark.parametrize("algorithm", [PPO, BPO])
def test_time_outs_are_bootstrapped_and_resets_not_learned_from(algorithm: str, tmp_path: Path) -> None:
    """Of a constant policy's rollout, every reward is as hand-made, plus γ V at a time-out."""
    env = make(2)
    mlp = {"class_name": "MLPModel", "hidden_dims": [8], "activation": "elu"}
    cfg = {
        "algorithm": {"class_name": algorithm, "gamma": 0.9, "num_mini_batches": 2, "num_learning_epochs": 1},
        "actor": {**mlp, "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 1e-6}},
        "critic": mlp,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "num_steps_per_env": 6,
        "save_interval": 1,
    }
    runner = OnPolicyRunner(env, cfg, log_dir=str(tmp_path))
    with torch.inference_mode():
        for parameter in runner.alg.actor.mlp.parameters():
            parameter.zero_()  # acts 0, so that all episodes last 5 steps
        obs = env.get_observations()
        for _ in range(6):
            actions = runner.alg.act(obs)
            obs, rewards, dones, extras = env.step(actions)
            runner.alg.process_env_step(obs, rewards, dones, extras)
    storage = runner.alg.storage
    counts = storage.observations["policy"][..., 0]
    assert counts[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 0.0]  # no step of a reset among them
    expected = counts + 1.0
    expected[4] += 0.9 * storage.values[4, :, 0]
    torch.testing.assert_close(storage.rewards.squeeze(-1), expected)
    storage.clear()
    runner.learn(2)
    assert list(tmp_path.glob("model_*.pt"))
