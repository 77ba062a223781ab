# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trains, resumes, plays, films and exports on a game of Atari, with the commands that users type."""

from __future__ import annotations

import re

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from e2e.process import PLAY, TRAIN, Training, run, train

pytest.importorskip("ale_py")
TASK = "Gym-ALE/Pong-v5"
SMALL = ("agent.num_steps_per_env=32", "agent.algorithm.num_learning_epochs=1", "--seed", "5")


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    command = (*TRAIN, "--task", TASK, "--algo", "bpo", "--max_iterations", "3", *SMALL)
    return train(*command, cwd=tmp_path_factory.mktemp("pong"))


def test_folder_has_a_plain_name(training: Training) -> None:
    assert training.folder.parent.name == "ale_pong-v5_bpo"
    assert training.algorithm().endswith("BPO")
    assert training.load()["iter"] == 2


def test_policy_is_played_filmed_and_exported(training: Training) -> None:
    arguments = ("--task", TASK, "--num_envs", "2", "--video", "--video_length", "30")
    done = run(*PLAY, *arguments, cwd=training.cwd)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (score,) = re.findall(r"Mean score of 2 games: (-?[\d.]+)", done.stdout)
    assert -21.0 <= float(score) <= 21.0
    assert re.search(r"Video: .*play/model_2\.mp4 \(30 frames\)", done.stdout)
    assert {path.name for path in (training.folder / "exported").iterdir()} >= {"policy.pt", "policy.onnx"}


def test_run_is_resumed_and_counts_on(training: Training) -> None:
    arguments = ("--task", TASK, "--max_iterations", "1", "--checkpoint", "latest", "--run_name", "resumed")
    resumed = train(*TRAIN, *arguments, *SMALL, cwd=training.cwd)
    events = EventAccumulator(str(resumed.folder))
    events.Reload()
    (frames,) = events.Scalars("Train/frames")
    assert (frames.step, frames.value) == (3, 4 * 4 * 8 * 32)  # 4 iterations of 8 x 32 steps of 4 frames
