# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Records what Stable-Baselines3's wrappers make of random play, for ``tests/envs/test_atari.py``.

    uv run --python 3.12 --no-project --with stable-baselines3==2.9.2 --with ale-py==0.12.1 \
        --with opencv-python-headless python tests/data/atari/record.py

Each game is wrapped as ``make_atari_env`` and ``VecFrameStack`` do it, but without the random number of no-ops at a
reset, and in some cases with a shorter limit of frames.
"""

from __future__ import annotations

from pathlib import Path

import ale_py
import gymnasium
import numpy as np
from stable_baselines3.common.atari_wrappers import AtariWrapper  # type: ignore[import-not-found]
from stable_baselines3.common.monitor import Monitor  # type: ignore[import-not-found]
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack  # type: ignore[import-not-found]

CASES = {"Breakout": (700, 108_000), "MsPacman": (1500, 108_000), "Pong": (400, 1000)}
"""Steps, and the limit of frames in a game."""

SEED = 1
"""Seed for Gymnasium, which derives that of the emulator from it."""

FRAMES_EVERY = 100
"""Steps between those whose observations are stored."""


def record(game: str, steps: int, max_frames: int) -> dict[str, np.ndarray]:
    """Return actions and what they led to."""

    def make() -> gymnasium.Env:
        env = gymnasium.make(f"{game}NoFrameskip-v4", max_num_frames_per_episode=max_frames)
        return AtariWrapper(Monitor(env), noop_max=0)

    env = VecFrameStack(DummyVecEnv([make]), 4)
    env.seed(SEED)
    env.action_space.seed(SEED)
    actions = np.array([env.action_space.sample() for _ in range(steps)])
    observations = [env.reset()[0]]
    rewards, dones, time_outs, scores = np.zeros((4, steps))
    scores[:] = np.nan  # but where a whole game ended
    for i, action in enumerate(actions):
        obs, reward, done, (info,) = env.step(action[None])
        rewards[i], dones[i], time_outs[i] = reward[0], done[0], info.get("TimeLimit.truncated", False)
        if "episode" in info:
            scores[i] = info["episode"]["r"]
        observations.append(obs[0])
    return {
        "emulator_seed": np.random.SeedSequence(SEED).generate_state(2)[1],
        "max_frames": np.array(max_frames),
        "actions": actions,
        "rewards": rewards.astype(np.int8),
        "dones": dones.astype(bool),
        "time_outs": time_outs.astype(bool),
        "scores": scores.astype(np.float32),
        "observations": np.stack(observations[::FRAMES_EVERY]).transpose(0, 3, 1, 2),
        "brightness": np.stack([obs.mean((0, 1)) for obs in observations]).astype(np.float16),
    }


if __name__ == "__main__":
    gymnasium.register_envs(ale_py)
    for game, (steps, max_frames) in CASES.items():
        recording = record(game, steps, max_frames)
        print(game, recording["emulator_seed"], recording["dones"].sum(), recording["time_outs"].sum(), end=" ")
        print(recording["scores"][~np.isnan(recording["scores"])], np.unique(recording["rewards"]))
        np.savez_compressed(Path(__file__).parent / f"{game}.npz", **recording)  # type: ignore[arg-type]
