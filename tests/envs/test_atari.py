# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Atari's games: what counts as an episode, a reward and a score is what Stable-Baselines3's wrappers make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ale_py")
from isaaclab_bpo.envs import make_gym_vec_env
from isaaclab_bpo.envs.atari import AtariGames

RECORDINGS = sorted((Path(__file__).parents[1] / "data" / "atari").glob("*.npz"))  # by record.py beside them
ROMS = {"Breakout": "breakout", "MsPacman": "ms_pacman", "Pong": "pong"}


@pytest.fixture(scope="module", params=RECORDINGS, ids=lambda path: path.stem)
def game(request: pytest.FixtureRequest) -> str:
    return request.param.stem


@pytest.fixture(scope="module")
def recorded(game: str) -> Mapping[str, np.ndarray]:
    return np.load(RECORDINGS[0].parent / f"{game}.npz")


@pytest.fixture(scope="module")
def played(game: str, recorded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The recorded actions, played here without the frames of no action at a reset."""
    env = AtariGames(ROMS[game], 1, noop_max=1, max_num_frames_per_episode=int(recorded["max_frames"]))
    obs, _ = env.reset(seed=int(recorded["emulator_seed"]))
    observations, steps, score = [obs[0]], [], 0.0
    for action in recorded["actions"]:
        obs, rewards, terminated, truncated, infos = env.step(action[None])
        score += infos["raw_rewards"][0]
        steps.append((rewards[0], terminated[0] or truncated[0], truncated[0], np.nan))
        if infos["games_over"][0]:
            steps[-1], score = (*steps[-1][:3], score), 0.0
        observations.append(obs[0])
    names = ("rewards", "dones", "time_outs", "scores")
    return dict(zip(names, np.array(steps).T, strict=True)) | {"observations": np.stack(observations)}


@pytest.mark.parametrize("what", ["rewards", "dones", "time_outs", "scores"])
def test_rewards_lives_and_scores_are_those_of_the_wrappers(
    recorded: Mapping[str, np.ndarray], played: dict[str, np.ndarray], what: str
) -> None:
    np.testing.assert_array_equal(played[what], recorded[what])


def test_frames_are_those_of_the_wrappers(recorded: Mapping[str, np.ndarray], played: dict[str, np.ndarray]) -> None:
    """All but exactly: there, two frames are merged before they become grey, and here after it."""
    brightness = played["observations"].mean((2, 3))
    np.testing.assert_allclose(brightness, recorded["brightness"], rtol=0.002)
    every = len(recorded["actions"]) // (len(recorded["observations"]) - 1)
    difference = np.abs(played["observations"][::every].astype(int) - recorded["observations"])
    assert difference.mean() < 0.1


def test_recordings_hold_what_they_are_for() -> None:
    """Lives that are lost and whole games in two games with several, a time-out, clipped rewards."""
    breakout, pacman, pong = (np.load(path) for path in RECORDINGS)
    for recording in (breakout, pacman):
        games = np.isfinite(recording["scores"]).sum()
        assert 1 < games < recording["dones"].sum()
    assert pacman["rewards"].max() == 1
    assert np.nanmax(pacman["scores"]) == 450.0
    assert pong["rewards"].min() == -1
    assert pong["time_outs"].sum() == pong["dones"].sum() == 1


def random_play(env: AtariGames, steps: int) -> Iterator[tuple]:
    rng = np.random.default_rng(0)
    for _ in range(steps):
        yield env.step(rng.integers(0, 4, env.num_envs))


@pytest.mark.parametrize("num_threads", [1, 2, 8])
def test_copies_do_not_depend_on_each_other_or_on_threads(num_threads: int) -> None:
    """Copy i of three plays as one alone with its seed and its actions."""
    together = AtariGames("breakout", 3, num_threads=num_threads)
    alone = [AtariGames("breakout", 1) for _ in range(3)]
    first, _ = together.reset(seed=7)
    for i, env in enumerate(alone):
        np.testing.assert_array_equal(env.reset(seed=7 + i)[0][0], first[i])
    rng = np.random.default_rng(0)
    ends = 0
    for _ in range(150):
        actions = rng.integers(0, 4, 3)
        obs, rewards, terminated, _, infos = together.step(actions)
        ends += terminated.sum()
        for i, env in enumerate(alone):
            own_obs, own_rewards, own_terminated, _, own_infos = env.step(actions[i : i + 1])
            np.testing.assert_array_equal(own_obs[0], obs[i])
            assert (own_rewards[0], own_terminated[0]) == (rewards[i], terminated[i])
            assert own_infos["raw_rewards"][0] == infos["raw_rewards"][i]
    assert ends > 3


def test_last_observation_of_an_episode_is_kept() -> None:
    env = AtariGames("breakout", 1, noop_max=1)
    before, _ = env.reset(seed=1)
    for obs, _, terminated, _, infos in random_play(env, 100):
        if terminated[0]:
            np.testing.assert_array_equal(infos["final_obs"][0][:3], before[0][1:])
            assert not obs[0][:3].any()  # an episode starts with black frames
            assert obs[0][3].any()
            return
        assert infos["final_obs"][0] is None
        np.testing.assert_array_equal(obs[0][:3], before[0][1:])
        before = obs
    pytest.fail("no life was lost")


def test_protocols() -> None:
    """The paper's ends episodes with lives, and Machado's with games, in which frames repeat actions at random."""
    ends = {}
    for id in ("BreakoutNoFrameskip-v4", "ALE/Breakout-v5"):
        env = make_gym_vec_env(id, 2, seed=1)
        assert (env.num_actions, env.nvec, env.frames_per_step) == (4, [4], 4)
        obs = env.get_observations()["policy"]
        assert (obs.dtype, obs.shape) == (torch.uint8, (2, 4, 84, 84))
        left = torch.eye(4)[[3, 3]]
        ends[id] = [(extras["games_over"].sum(), dones.sum()) for _, _, dones, extras in map(env.step, [left] * 300)]
    games, episodes = np.array(ends["BreakoutNoFrameskip-v4"]).sum(0)
    assert episodes > games > 0
    games, episodes = np.array(ends["ALE/Breakout-v5"]).sum(0)
    assert episodes == games


def test_protocol_of_random_frame_skips_is_refused() -> None:
    with pytest.raises(ValueError, match=r"use PongNoFrameskip-v4 or ALE/Pong-v5"):
        make_gym_vec_env("Pong-v4", 1)


def test_game_is_drawn_as_people_see_it() -> None:
    """In colour and enlarged, and it is the game that is played: what is won shows on the screen."""
    env = AtariGames("breakout", 2, render_mode="rgb_array")
    env.reset(seed=3)
    score = (slice(0, 51), slice(0, 400))  # above the wall
    screens, won, new_game = [env.render()], [False], [False]
    for _, rewards, _, _, infos in random_play(env, 200):
        screens.append(env.render())
        won.append(rewards[0] != 0)
        new_game.append(infos["games_over"][0])
    images = np.concatenate(screens)  # type: ignore[arg-type]
    assert images.shape == (201, 630, 800, 3)
    assert len(np.unique(images[0].reshape(-1, 3), axis=0)) > 5  # the wall has several
    changes = [False, *((a[score] != b[score]).any() for a, b in pairwise(images))]
    assert sum(won) > 0
    assert sum(new_game) > 0
    for i in np.flatnonzero(changes):
        assert won[i] or won[i - 1] or new_game[i]  # the console may draw it a step later
    for i in np.flatnonzero(won):
        assert changes[i] or changes[i + 1]
    with pytest.raises(ValueError, match="render_mode='human'"):
        AtariGames("breakout", 1, render_mode="human")
