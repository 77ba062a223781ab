# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Films of Gymnasium's environments, and the look at a video's file."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import gymnasium
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector import SyncVectorEnv

from e2e.process import run
from isaaclab_bpo.cli import video
from isaaclab_bpo.cli.errors import UserError
from isaaclab_bpo.envs import make_gym_vec_env


def check_video(folder: Path, since: float) -> str:
    """Return the mistake that play.py finds in the videos of ``folder``."""
    code = "import pathlib, sys; from isaaclab_bpo.cli import video; video.check(pathlib.Path(), float(sys.argv[1]))"
    done = run(sys.executable, "-c", code, str(since), cwd=folder)
    assert "UserError: " in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "left no video"), (b"", "holds no frames"), (b"no video", "holds no frames")]
)
def test_video_that_failed_is_an_error(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "clip_model_2_0000.mp4").write_bytes(content)
    assert complaint in check_video(tmp_path, since=0.0)


def test_video_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "clip_model_2_0000.mp4").touch()
    assert "left no video" in check_video(tmp_path, since=time.time() + 1)


@pytest.mark.parametrize(
    ("env_id", "size"), [("CartPole-v1", (600, 400)), ("BreakoutNoFrameskip-v4", (800, 630)), ("Hopper-v5", (480, 480))]
)
def test_gymnasiums_environments_are_filmed(
    env_id: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "egl")
    env = make_gym_vec_env(env_id, 2, seed=1, render_mode="rgb_array")
    path = tmp_path / "videos" / "film.mp4"
    with video.film(path, env.unwrapped) as shoot:
        for _ in range(7):
            shoot()
            env.step(torch.zeros(2, env.num_actions))
    env.close()
    assert video.check(path.parent, since=0.0) == f"Video: {path} (7 frames)"
    metadata = next(imageio_ffmpeg.read_frames(str(path)))
    assert metadata["size"] == size


class Headless(gymnasium.Env):
    """Lacks a library to draw with."""

    observation_space = action_space = Box(0.0, 1.0, (1,))
    render_mode = "rgb_array"

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:
        return np.zeros(1, np.float32), {}

    def render(self) -> None:
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")


def test_environment_that_cannot_be_drawn_is_a_mistake(tmp_path: Path) -> None:
    env = SyncVectorEnv([Headless])
    with pytest.raises(UserError, match="pygame is not installed"), video.film(tmp_path / "film.mp4", env):
        pass
