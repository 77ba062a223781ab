# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The demonstration, and that the policy that comes with the package walks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import imageio.v2
import imageio_ffmpeg
import pytest

from e2e.process import PLAY, run
from isaaclab_bpo.cli.demo import ARGUMENTS, POLICY, arguments
from isaaclab_bpo.cli.errors import UserError
from isaaclab_bpo.runners import check_content, read


def test_policy_is_small_and_holds_no_code() -> None:
    assert POLICY.stat().st_size < 1_000_000
    checkpoint = read(POLICY, "cpu")  # which runs no code
    check_content(checkpoint)
    assert checkpoint["actor_state_dict"]["mlp.0.weight"].shape == (128, 48)


def test_help_needs_no_simulator(tmp_path: Path) -> None:
    done = run(*PLAY, "--demo", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "demo/go1.gif" in done.stdout
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"demo' cannot be written: File exists; start elsewhere"):
        arguments([])


@pytest.mark.sim
def test_demo_leaves_a_film_and_a_gif(tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "isaaclab_bpo", "demo", "--video_length", "20", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "The film is in demo/go1.mp4, and as a GIF in demo/go1.gif." in done.stdout
    film = tmp_path / "demo" / "go1.mp4"
    assert next(imageio_ffmpeg.read_frames(str(film)))["size"] == (640, 360)
    assert imageio_ffmpeg.count_frames_and_secs(str(film))[0] == 20
    gif = imageio.v2.mimread(tmp_path / "demo" / "go1.gif")
    assert len(gif) >= 5
    assert gif[0].shape[:2] == (270, 480)
    assert any((gif[0] != frame).any() for frame in gif[1:])


@pytest.mark.sim
def test_every_episode_has_the_metrics_that_it_ended_with(tmp_path: Path) -> None:
    """The task clears them in the step that ends an episode."""
    task = ("--task", ARGUMENTS[ARGUMENTS.index("--task") + 1], "--assets", "standin", "--checkpoint", str(POLICY))
    given = ("--episodes", "4", "--num_envs", "2", "--output", "results.json", "env.episode_length_s=1.0")
    done = run(sys.executable, "-m", "isaaclab_bpo", "evaluate", *task, *given, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    episodes = json.loads((tmp_path / "results.json").read_text())["each"]
    for name in ("base_velocity/error_vel_xy", "base_velocity/error_vel_yaw"):
        errors = [episode[name] for episode in episodes]
        assert len(set(errors)) == len(errors) == 4
        assert all(0.0 < error < 5.0 for error in errors)


@pytest.mark.sim
@pytest.mark.slow
def test_policy_walks_as_fast_as_it_is_asked_to(tmp_path: Path) -> None:
    asked = [argument for argument in ARGUMENTS if argument.startswith(("env.", "physics="))]
    task = ("--task", ARGUMENTS[ARGUMENTS.index("--task") + 1], "--assets", "standin", "--checkpoint", str(POLICY))
    given = ("--episodes", "8", "--num_envs", "8", "--output", "results.json")
    done = run(sys.executable, "-m", "isaaclab_bpo", "evaluate", *task, *asked, *given, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    means = json.loads((tmp_path / "results.json").read_text())["means"]
    assert means["length"]["value"] > 500.0  # of 1000 steps
    assert 0.0 < means["base_velocity/error_vel_xy"]["value"] < 0.25  # [m/s], of 0.7
