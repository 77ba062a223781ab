# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trains, plays, logs and compares on a task of Gymnasium, with the commands that users type."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from e2e.process import PLAY, TRAIN, Training, newest, run, train
from isaaclab_bpo.compare import __main__ as compare

SMALL = ("--num_envs", "4", "agent.num_steps_per_env=64", "agent.algorithm.num_mini_batches=4")
TASK = "Gym-Hopper-v5"
ITERATIONS = 3


@pytest.fixture(scope="module")
def bpo(tmp_path_factory: pytest.TempPathFactory) -> Training:
    command = (*TRAIN, "--task", TASK, *SMALL, "--max_iterations", str(ITERATIONS), "--seed", "5")
    return train(*command, cwd=tmp_path_factory.mktemp("hopper"))


@pytest.fixture(scope="module")
def ppo(bpo: Training) -> Training:
    """PPO, logged with Weights & Biases offline, without an account."""
    command = (*TRAIN, "--task", TASK, "--algo", "ppo", *SMALL, "--max_iterations", str(ITERATIONS), "--seed", "5")
    tracking = ("--logger", "wandb", "--log_project_name", "trial", "--run_name", "tracked")
    done = run("env", "WANDB_MODE=offline", *command, *tracking, cwd=bpo.cwd)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return newest(bpo.cwd, done.stdout + done.stderr)


def scalars(training: Training, tag: str) -> list[int]:
    events = EventAccumulator(str(training.folder))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


def test_training_needs_no_simulator(bpo: Training) -> None:
    assert json.loads((bpo.folder / "run.json").read_text())["task"] == TASK
    assert bpo.algorithm().endswith("BPO")
    assert "Launching simulation" not in bpo.output
    assert "Stand-in robots" not in bpo.output
    assert scalars(bpo, "Loss/median") == scalars(bpo, "Train/mean_reward") == list(range(ITERATIONS))
    assert bpo.load()["actor_state_dict"]["mlp.4.weight"].shape == (3, 256)  # the paper's network, Hopper's 3 joints


def test_wandb_tracks_configuration_code_and_versions_offline(ppo: Training) -> None:
    assert ppo.folder.name.endswith("_tracked")
    (folder,) = ppo.cwd.glob("wandb/offline-run-*")
    packages = (folder / "files" / "requirements.txt").read_text()
    assert "rsl-rl-lib==" in packages
    assert list((folder / "files").glob("model_*.pt"))
    logged = b"".join(path.read_bytes() for path in folder.glob("run-*.wandb"))
    for expected in (ppo.folder.name.encode(), b"trial", b"num_learning_epochs", TASK.removeprefix("Gym-").encode()):
        assert expected in logged, expected
    assert scalars(ppo, "Train/mean_reward") == list(range(ITERATIONS))  # in tensorboard's events, too


def test_policy_is_played_and_exported(bpo: Training) -> None:
    done = run(*PLAY, "--task", TASK, "--checkpoint", str(bpo.checkpoint), "--num_envs", "3", cwd=bpo.cwd)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Mean return of 3 episodes: " in done.stdout
    assert {path.name for path in (bpo.folder / "exported").iterdir()} >= {"policy.pt", "policy.onnx"}


def test_both_are_compared_and_a_resumed_run_counts_once(
    bpo: Training, ppo: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = ("--max_iterations", "2", "--seed", "5", "--run_name", "resumed", "--checkpoint", str(bpo.checkpoint))
    resumed = train(*TRAIN, "--task", TASK, *SMALL, *again, cwd=bpo.cwd)
    assert resumed.folder != bpo.folder
    monkeypatch.setattr("sys.argv", ["compare", str(bpo.cwd / "logs"), "--output", str(bpo.cwd / "comparison")])
    compare.main()
    with (bpo.cwd / "comparison" / "runs.csv").open() as file:
        rows = {row["algorithm"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"BPO", "PPO"}
    assert len(rows["BPO"]["folders"].split()) == 2
    last = max(scalars(resumed, "Train/mean_reward"))
    assert float(rows["BPO"]["steps"]) == 4 * 64 * (last + 1)
    assert float(rows["PPO"]["steps"]) == 4 * 64 * ITERATIONS


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("env.id=Nope-v0",), "Environment `Nope` doesn't exist"),
        (("env.id=CartPole-v1",), "has the action space Discrete(2)"),
        (("agent.obs_groups.actor=['nonsense']",), "Observation 'nonsense' in observation set 'actor' not found"),
        (("agent.init_at_random_ep_len=true",), "Gymnasium counts an episode's steps itself"),
    ],
)
@pytest.mark.slow
def test_environment_that_cannot_be_learned_in_is_a_sentence(tmp_path: Path, arguments: tuple, complaint: str) -> None:
    done = run(*TRAIN, "--task", TASK, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_logging_service_is_a_sentence(tmp_path: Path) -> None:
    done = run(*TRAIN, "--task", TASK, "--logger", "neptune", cwd=tmp_path)  # which is not among our extras
    assert done.returncode == 2
    assert "train.py: error: --logger neptune needs the package neptune" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "logs").exists()


@pytest.mark.slow
def test_wandb_without_an_account_is_a_sentence(tmp_path: Path) -> None:
    stranger = ("env", "-u", "WANDB_API_KEY", f"NETRC={tmp_path / 'none'}", f"WANDB_CONFIG_DIR={tmp_path}")
    done = run(*stranger, *TRAIN, "--task", TASK, "--logger", "wandb", cwd=tmp_path)
    assert done.returncode == 2
    assert "--logger wandb cannot log in: " in done.stderr
    assert "WANDB_MODE=offline" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_wandb_out_of_reach_does_not_cost_the_run(tmp_path: Path) -> None:
    account = ("env", f"WANDB_API_KEY={'0' * 40}", "WANDB_BASE_URL=http://127.0.0.1:9", "WANDB_MODE=online")
    start = time.monotonic()
    done = run(*account, *TRAIN, "--task", TASK, "--logger", "wandb", "--max_iterations", "1", cwd=tmp_path)
    assert done.returncode == 0
    assert "http://127.0.0.1:9 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert list(tmp_path.glob("logs/rsl_rl/*/*/model_0.pt"))
    assert time.monotonic() - start < 90.0  # of which nearly all are imports
