# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark of whole iterations on robots measures BPO and PPO in one simulation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import robot_speed

PROGRAM = str(Path(__file__).parents[2] / "benchmarks" / "robot_speed.py")


def test_report_by_hand(capsys: pytest.CaptureFixture) -> None:
    bpo = {"simulation": [3.0, 3.0], "inference": [1.0, 1.0], "update": [4.0, 4.0]}
    ppo = {"simulation": [3.0, 3.0], "inference": [1.0, 1.0], "update": [0.0, 0.0]}
    results = {"BPO, 1 thread": bpo, "PPO, 1 thread": ppo}
    robot_speed.report([{"robot": "Go1", "num_envs": 5, "steps_per_iteration": 120, "seconds_per_iteration": results}])
    _, ours, theirs = (line.split() for line in capsys.readouterr().out.splitlines())
    assert ours == ["Go1", "5", "BPO,", "1", "thread", "15", "38%", "12%", "50%", "0.50"]
    assert theirs[-5:] == ["30", "75%", "25%", "0%", "1.00"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="measures the CPU")
def test_a_robot_is_measured(tmp_path: Path) -> None:
    few = ("--robots", "Go1", "--num_envs", "4", "--rounds", "2", "--output", str(tmp_path))
    variables = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, PROGRAM, *few], check=True, env=variables, timeout=600)
    record = json.loads((tmp_path / "robot_speed_cpu.json").read_text())
    (of_robot,) = record["robots"]
    assert (of_robot["robot"], of_robot["num_envs"], of_robot["steps_per_iteration"]) == ("Go1", 4, 4 * 24)
    results = of_robot["seconds_per_iteration"]
    assert set(results) == {f"{name}, {threads}" for name in ("BPO", "PPO") for threads in ("1 thread", "2 threads")}
    assert all(len(seconds) == 2 and min(seconds) > 0.0 for phases in results.values() for seconds in phases.values())
    assert (tmp_path / "robot_speed_cpu.png").stat().st_size > 1000
