# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's environments as rsl_rl sees them."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from isaaclab_bpo.envs import GymVecEnv, make_gym_vec_env
from isaaclab_bpo.runners import DurableRunner
from point_mass import runner_cfg

PPO, BPO = "PPO", "isaaclab_bpo.algorithms:BPO"


class Counter(gymnasium.Env):
    """Counts: observes [step, last action's first entry], earns the step's number, ends at step 3 if action > 0.5."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float64)
    action_space = Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 0.25], np.float32))

    def __init__(self, spaces: str = "box", render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        if spaces == "dict":
            self.observation_space = Dict({"policy": Counter.observation_space, "extra": Box(0.0, 1.0, (1,))})
        elif spaces == "binary actions":
            self.action_space = MultiBinary(2)
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


SIGNALLED = """
import os, signal
os.setpgrp()  # as a shell does it
import torch
from isaaclab_bpo.envs import make_gym_vec_env
from isaaclab_bpo.runners import Preemption
with Preemption(exit_now=True) as starting:
    env = make_gym_vec_env("CartPole-v1", 2, vectorization_mode="async")
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == starting._note
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    with Preemption() as preemption:
        os.killpg(0, number)
        for _ in range(20):
            env.step(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        print(preemption.exit_code, flush=True)
env.unwrapped.close(terminate=True)
"""


def test_processes_of_environments_outlive_signals_to_the_whole_group() -> None:
    """As a terminal sends them; the trainer finishes the iteration then."""
    done = subprocess.run((sys.executable, "-c", SIGNALLED), capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.split()) == (0, ["130", "75", "75"]), done.stderr


def test_environments_are_made_in_another_thread() -> None:
    """Where no handler of a signal can be set."""
    with ThreadPoolExecutor() as pool:
        env = pool.submit(make, vectorization_mode="async").result()
    env.close()


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


@pytest.mark.parametrize(
    ("spaces", "named"), [("binary actions", "MultiBinary(2)"), ("discrete observations", "Discrete(4)")]
)
def test_other_spaces_are_refused(spaces: str, named: str) -> None:
    env = gymnasium.make_vec("Counter-v0", 1, vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP}, spaces=spaces)
    with pytest.raises(ValueError, match=re.escape(named)):
        GymVecEnv(env)


class Echo(gymnasium.Env):
    """Has the spaces that it is given, shows one observation, and tells in its infos which action it was given."""

    def __init__(self, observation_space: Space, action_space: Space, shown: Any) -> None:
        self.observation_space, self.action_space, self.shown = observation_space, action_space, shown

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        return self.shown, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        assert self.action_space.contains(action), action
        return self.shown, 0.0, False, False, {"action": np.asarray(action)}


def echo(observation_space: Space, shown: Any, action_space: Space) -> GymVecEnv:
    def make() -> gymnasium.Env:
        return Echo(observation_space, action_space, shown)

    return GymVecEnv(SyncVectorEnv([make, make], autoreset_mode=AutoresetMode.SAME_STEP))


ROW = (Box(0.0, 1.0, (3,)), np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("space", "nvec", "columns", "expected"),
    [
        (Discrete(3), [3], [0.0, 0.0, 1.0], 2),
        (Discrete(3, start=-1), [3], [1.0, 0.0, 0.0], -1),
        (MultiDiscrete([2, 3]), [2, 3], [0.0, 1.0, 0.0, 0.0, 1.0], [1, 2]),
        (MultiDiscrete([2, 3], start=[10, 20]), [2, 3], [1.0, 0.0, 0.0, 1.0, 0.0], [10, 21]),
        (MultiDiscrete(np.full((2, 2), 2)), [2] * 4, [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0], [[0, 1], [1, 0]]),
        (Box(-1.0, 1.0, (2, 2)), None, [0.5, 2.0, -2.0, 0.0], [[0.5, 1.0], [-1.0, 0.0]]),
    ],
)
def test_actions_reach_the_environment(space: Space, nvec: list | None, columns: list, expected: Any) -> None:
    env = echo(*ROW, space)
    assert (env.nvec, env.num_actions) == (nvec, len(columns))
    acted = []
    step_inside = env.env.step
    env.env.step = lambda actions: acted.append(step_inside(actions)) or acted[-1]  # type: ignore[method-assign]
    env.step(torch.tensor([columns, columns]))
    (*_, infos) = acted[0]
    assert infos["action"][1].tolist() == expected


PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (PIXELS, PIXELS.transpose(2, 0, 1)),  # rows, columns, channels
        (PIXELS.transpose(2, 0, 1), PIXELS.transpose(2, 0, 1)),
        (PIXELS[..., 0], PIXELS[None, ..., 0]),
        ((PIXELS / 255).astype(np.float32), (PIXELS / 255).astype(np.float32).transpose(2, 0, 1)),
        (PIXELS[0, :, 0], PIXELS[0, :, 0].astype(np.float32)),  # a vector of small integers, such as a memory
    ],
)
def test_images_become_channels_first_and_keep_their_type(shown: np.ndarray, expected: np.ndarray) -> None:
    env = echo(Box(0, 255 if shown.dtype == np.uint8 else 1, shown.shape, shown.dtype.type), shown, Discrete(2))
    obs = env.get_observations()["policy"]
    assert obs.dtype == torch.as_tensor(expected).dtype
    assert torch.equal(obs[1], torch.as_tensor(expected))


def test_images_and_vectors_stand_side_by_side() -> None:
    row, shown = ROW
    space = Dict({"camera": Box(0, 255, PIXELS.shape, np.uint8), "joints": row})
    obs = echo(space, {"camera": PIXELS, "joints": shown}, Discrete(2)).get_observations()
    assert {name: (group.dtype, group.shape) for name, group in obs.items()} == {
        "camera": (torch.uint8, (2, 3, 5, 7)),
        "joints": (torch.float32, (2, 3)),
    }


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


@pytest.mark.parametrize("algorithm", ["PPO", "isaaclab_bpo.algorithms:BPO"])
def test_random_network_distillation_trains(algorithm: str) -> None:
    rnd = {"num_outputs": 2, "predictor_hidden_dims": [8], "target_hidden_dims": [8], "weight": 0.25}
    cfg = runner_cfg(algorithm=algorithm, rnd_cfg=rnd)
    cfg["obs_groups"]["rnd_state"] = ["policy"]
    runner = DurableRunner(make_gym_vec_env("Pendulum-v1", 2), cfg)
    runner.learn(1)
    assert runner.alg.rnd is not None
    assert runner.alg.rnd.weight == 0.25  # in units of a step's reward
