# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Plays, exports and films trained policies with the commands that users type."""

from __future__ import annotations

import sys
from pathlib import Path

import imageio.v2
import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from rsl_rl.models import MLPModel
from tensordict import TensorDict

from e2e.process import PLAY, TRAIN, Training, check_run, run, train

pytestmark = pytest.mark.sim

LENGTH = 60
TASKS = {
    "g1": "Isaac-Velocity-Rough-G1-v0",
    "h1": "Isaac-Velocity-Rough-H1-v0",
    "go1": "Isaac-Velocity-Rough-Unitree-Go1-v0",
}


def play(task: str, training: Training, *arguments: str) -> str:
    """Play the latest checkpoint and return what was printed."""
    done = run(*PLAY, "--task", task, "--checkpoint", "latest", *arguments, cwd=training.cwd)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"Loading model checkpoint from: {training.checkpoint}" in done.stdout
    return done.stdout


def film(task: str, training: Training, *arguments: str) -> tuple[list[np.ndarray], str]:
    """Film the latest checkpoint; return the frames and what was printed."""
    folder = training.folder / "videos" / "play"
    before = set(folder.glob("*.mp4"))
    output = play(task, training, "--video", "--video_length", str(LENGTH), *arguments)
    (video,) = set(folder.glob("*.mp4")) - before
    assert f"Video: {video} ({LENGTH} frames)" in output
    with imageio.v2.get_reader(video) as reader:
        return [np.asarray(frame) for frame in reader], output  # type: ignore[call-overload]


def check_robot_in_view(frames: list[np.ndarray]) -> None:
    """Check that the robot, grey and dark on bright ground, is in the middle of the first, middle and last frame."""
    assert len(frames) == LENGTH
    height, width, _ = frames[0].shape
    middle = (slice(int(0.3 * height), int(0.7 * height)), slice(int(0.4 * width), int(0.6 * width)))
    for index in (0, LENGTH // 2, LENGTH - 1):
        ground = np.median(frames[index], axis=(0, 1))
        unlike_ground = np.abs(frames[index][middle].astype(float) - ground).max(axis=-1) > 60
        assert unlike_ground.mean() > 0.02, f"frame {index}: {unlike_ground.mean():.4f}"
    assert any(np.any(frames[0] != frame) for frame in frames[1:])


def check_export(training: Training) -> None:
    """Check that the exported policies compute what the policy in the checkpoint computes."""
    state = training.load()["actor_state_dict"]
    weights = [value for name, value in state.items() if name.startswith("mlp.") and name.endswith("weight")]
    obs = torch.randn(8, weights[0].shape[1], generator=torch.Generator().manual_seed(0))
    policy = MLPModel(
        TensorDict({"policy": obs}, batch_size=[8]),
        obs_groups={"actor": ["policy"]},
        obs_set="actor",
        output_dim=len(weights[-1]),
        hidden_dims=[len(weight) for weight in weights[:-1]],
        distribution_cfg={"class_name": "GaussianDistribution"},
    )
    policy.load_state_dict(state)
    with torch.inference_mode():
        expected = policy(TensorDict({"policy": obs}, batch_size=[8]))
        jit = torch.jit.load(str(training.folder / "exported" / "policy.pt"))(obs)
    torch.testing.assert_close(jit, expected, atol=1e-5, rtol=0)
    model = ReferenceEvaluator(onnx.load(str(training.folder / "exported" / "policy.onnx")))
    for row, actions in zip(obs, expected, strict=True):  # exported for one robot at a time
        (computed,) = model.run(None, {model.input_names[0]: row[None].numpy()})  # type: ignore[misc]
        np.testing.assert_allclose(np.asarray(computed)[0], actions.numpy(), atol=1e-5, rtol=0)


def test_go1_trains_with_bpo(go1_training: Training) -> None:  # here, where the same training is played
    check_run(go1_training, "BPO")


def test_go1_is_filmed_and_exported(go1_training: Training) -> None:
    frames, output = film(TASKS["go1"], go1_training)
    assert "physics=ovphysx as in training" in output
    check_robot_in_view(frames)
    check_export(go1_training)


def test_exported_policy_is_driven_by_what_it_says_of_itself(go1_training: Training) -> None:
    play(TASKS["go1"], go1_training, "--num_envs", "1", "--episodes", "1", "env.episode_length_s=1.0")
    script = Path(__file__).with_name("drive_exported_policy.py")
    done = run(sys.executable, str(script), TASKS["go1"], str(go1_training.checkpoint), cwd=go1_training.cwd)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "50 steps: the same actions and targets" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["g1", "h1"])
def test_humanoids_are_filmed_and_exported(robot: str, request: pytest.FixtureRequest) -> None:
    training: Training = request.getfixturevalue(f"{robot}_training")
    frames, _ = film(TASKS[robot], training)
    check_robot_in_view(frames)
    check_export(training)


@pytest.mark.slow
def test_policy_keeps_its_joint_order_in_another_engine(go1_training: Training) -> None:
    frames, output = film(TASKS["go1"], go1_training, "physics=newton_mjwarp")
    assert "joints ordered as in training" in output
    check_robot_in_view(frames)


@pytest.mark.slow
def test_newtons_policy_is_played_in_newton(tmp_path: Path) -> None:
    small = ("--num_envs", "8", "--max_iterations", "1", "physics=newton_mjwarp")
    training = train(*TRAIN, "--task", TASKS["g1"], *small, cwd=tmp_path)
    frames, output = film(TASKS["g1"], training)
    assert "newton_mjwarp" in output
    assert "joints ordered" not in output
    check_robot_in_view(frames)
