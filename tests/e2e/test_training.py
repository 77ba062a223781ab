# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trains the robots on the real tasks with the commands that users type."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from e2e.process import TIMEOUT, TRAIN, Training, check_run, environment, newest, run, train

pytestmark = pytest.mark.sim

SMALL = ("--num_envs", "16", "--max_iterations", "3")
without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="tests the defaults of a machine without CUDA")


@without_cuda
def test_g1_trains_with_bpo_by_the_readme_command(g1_training: Training) -> None:
    check_run(g1_training, "BPO")
    assert "no CUDA device: CPU, 1 torch thread" in g1_training.output
    assert g1_training.physics() == "OvPhysxManager"


def test_h1_trains_with_bpo(h1_training: Training) -> None:
    check_run(h1_training, "BPO")


def test_anymal_c_trains_with_bpo(tmp_path: Path) -> None:
    check_run(train(*TRAIN, "--task", "Isaac-Velocity-Rough-Anymal-C-v0", *SMALL, cwd=tmp_path), "BPO")


def test_g1_trains_with_ppo(tmp_path: Path) -> None:
    check_run(train(*TRAIN, "--task", "Isaac-Velocity-Rough-G1-v0", "--algo", "ppo", *SMALL, cwd=tmp_path), "PPO")


def test_isaaclabs_own_command_trains_with_bpo(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "isaaclab", "train", "--rl_library", "rsl_rl")
    bpo = ("--task", "Isaac-Velocity-Rough-G1", "--agent", "rsl_rl_bpo_cfg_entry_point", *SMALL)
    cpu = ("--device", "cpu", "agent.device=cpu", "physics=ovphysx")
    check_run(train(*command, *bpo, *cpu, cwd=tmp_path), "BPO")


def test_training_resumes_under_the_tasks_new_name(g1_training: Training) -> None:
    resumed = train(
        *(*TRAIN, "--task", "Isaac-Velocity-Rough-G1", "--checkpoint", "latest"),
        *("--num_envs", "8", "--max_iterations", "1", "--run_name", "resumed"),
        cwd=g1_training.cwd,
    )
    assert resumed.folder != g1_training.folder
    assert f"Loading model checkpoint from: {g1_training.checkpoint}" in resumed.output
    assert "Learning iteration 3/4" in resumed.output
    before, after = g1_training.load()["actor_state_dict"], resumed.load()["actor_state_dict"]
    assert any((before[name] != after[name]).any() for name in before)


def test_interrupt_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    process = subprocess.Popen(
        (*TRAIN, "--task", "Isaac-Velocity-Rough-Unitree-Go1-v0", "--num_envs", "8", "agent.save_interval=1"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore Ctrl-C
    )
    assert process.stdout is not None
    output = ""
    try:
        for line in process.stdout:
            output += line
            if "Learning iteration 2/" in line:
                os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C sends to everything in the terminal
                break
        output += process.communicate(timeout=TIMEOUT)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert "Traceback" not in output, output[-3000:]
    training = newest(tmp_path, output)
    assert training.load()["iter"] >= 1
    for checkpoint in training.folder.glob("model_*.pt"):
        torch.load(checkpoint, map_location="cpu", weights_only=True)


def test_preempted_run_exits_with_75_and_is_finished_by_the_same_command(tmp_path: Path) -> None:
    command = [*TRAIN, "--task", "Isaac-Velocity-Rough-Unitree-Go1-v0", "--num_envs", "8", "--max_iterations", "20"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    output = ""
    try:
        for line in process.stdout:
            output += line
            if "Learning iteration 2/" in line:
                process.send_signal(signal.SIGUSR1)
                break
        output += process.communicate(timeout=TIMEOUT)[0]
    finally:
        process.kill()
    assert process.returncode == 75, output[-3000:]
    assert "Traceback" not in output
    preempted = newest(tmp_path, output)
    saved = preempted.load()["iter"]
    assert 2 <= saved < 19
    assert f"model_{saved}.pt" in output

    finished = train(*command, "--checkpoint", "latest", cwd=tmp_path)
    assert f"{19 - saved} iterations are left" in finished.output
    assert f"Learning iteration {saved + 1}/20" in finished.output
    assert finished.load()["iter"] == 19


def test_checkpoint_of_another_robot_is_refused_with_a_sentence(g1_training: Training, tmp_path: Path) -> None:
    command = (*TRAIN, "--task", "Isaac-Velocity-Rough-Unitree-Go1-v0", "--num_envs", "4", "--max_iterations", "1")
    done = run(*command, "--checkpoint", str(g1_training.checkpoint), cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert "has shape (37,) in it and (12,) here" in done.stderr
    assert "another robot" in done.stderr
    assert not list(tmp_path.rglob("model_*.pt"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [
        "Isaac-Velocity-Rough-H1",
        "IsaacContrib-Velocity-Rough-UnitreeGo1",
        "Isaac-Velocity-Flat-G1-v0",
        "Isaac-Velocity-Flat-H1-v0",
        "Isaac-Velocity-Flat-Unitree-Go1-v0",
        "Isaac-Velocity-Flat-Anymal-C-v0",
        "Isaac-Velocity-Rough-G1-Play-v0",
    ],
)
def test_other_ids_train_too(task: str, tmp_path: Path) -> None:
    check_run(train(*TRAIN, "--task", task, *SMALL, cwd=tmp_path), "BPO")


@pytest.mark.slow
def test_newton_is_one_argument_away(tmp_path: Path) -> None:
    command = (*TRAIN, "--task", "Isaac-Velocity-Rough-G1-v0", *SMALL, "physics=newton_mjwarp")
    training = train(*command, cwd=tmp_path)
    check_run(training, "BPO")
    assert training.physics() == "NewtonMJWarpManager"


@pytest.mark.slow
@without_cuda
def test_number_of_environments_suits_a_laptop(tmp_path: Path) -> None:
    command = (*TRAIN, "--task", "Isaac-Velocity-Rough-Unitree-Go1-v0", "--max_iterations", "1")
    training = train(*command, cwd=tmp_path)
    assert "64 environments (--num_envs)" in training.output
    assert f"Total steps: {64 * 24}" in " ".join(training.output.split())
