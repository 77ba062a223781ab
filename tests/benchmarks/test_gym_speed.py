# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark on Gymnasium's tasks times what our side does, and says how to install the other side."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import gym_speed

PROGRAM = str(Path(__file__).parents[2] / "benchmarks" / "gym_speed.py")


def test_too_few_rounds_are_refused() -> None:
    done = subprocess.run([sys.executable, PROGRAM, "--preset", "cpu", "--rounds", "1"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "argument --rounds: 1 is too few: give at least 2" in done.stderr


@pytest.mark.skipif(
    importlib.util.find_spec("stable_baselines3") is not None, reason="needs an environment without Stable-Baselines3"
)
def test_missing_stable_baselines3_is_said_in_one_sentence() -> None:
    done = subprocess.run([sys.executable, PROGRAM, "--preset", "cpu"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "gym_speed.py: error: Stable-Baselines3 or OpenCV is not installed: run this program with `uv run "
    )


@pytest.mark.parametrize(("env_id", "num_updates"), [("PongNoFrameskip-v4", 16), ("Pendulum-v1", 160)])
def test_every_step_and_update_is_timed(env_id: str, num_updates: int) -> None:
    learner = gym_speed.make_ours(gym_speed.make_cfg("bpo", env_id), env_id, 8, "cpu", num_threads=1)
    assert (learner.num_steps, learner.num_updates) == (1024, num_updates)
    calls, iterate = {}, learner.iterate

    def count() -> None:
        iterate()
        calls.update({phase: len(times) for phase, times in learner.seconds.items()})

    learner.iterate = count
    result = gym_speed.measure({"BPO": learner}, 2, "cpu")["BPO"]
    assert calls == {"simulation": 128, "update": 1}
    assert all(len(result[phase]) == 2 and min(result[phase]) > 0.0 for phase in gym_speed.PHASES)


def test_report_by_hand(capsys: pytest.CaptureFixture) -> None:
    results = {
        "BPO": {"simulation": [1.0, 1.0], "inference": [1.0, 3.0], "update": [2.0, 4.0]},
        gym_speed.STABLE_BASELINES3: {"simulation": [2.0, 2.0], "inference": [2.0, 6.0], "update": [1.0, 4.0]},
    }
    learners = {
        name: gym_speed.Learner(lambda: None, {}, num_steps, num_updates)
        for name, num_steps, num_updates in (("BPO", 600, 1000), (gym_speed.STABLE_BASELINES3, 1200, 500))
    }
    gym_speed.report(results, learners)
    _, ours, theirs = capsys.readouterr().out.splitlines()
    # Of two rounds, the mini-batches' ratios are 2 / 2 and 4 / 8
    assert ours.split()[1:] == ["600", "300", "200", "100", "3.00", "0.75"]
    assert theirs.split()[2:] == ["600", "300", "480", "141", "5.00", "1.00"]
