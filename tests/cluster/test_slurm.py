# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Jobs of ``docker/cluster`` under Slurm itself, started on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cluster.slurm import DAEMONS, cluster, find
from e2e.process import ROOT, environment

SUBMIT = (sys.executable, str(ROOT / "docker" / "cluster" / "submit.py"))
COMPARE = (str(ROOT / "isaaclab.sh"), "-p", "-m", "isaaclab_bpo.compare")
TASK = "Isaac-Velocity-Flat-Unitree-Go1-v0"
ITERATIONS = 8

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(find(daemon) for daemon in DAEMONS),
    reason="needs root, and Slurm: apt-get install slurmctld slurmd slurm-client munge",
)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a shell on a cluster, in which the tests' Python environment is active."""
    with cluster(tmp_path_factory.mktemp("slurm")) as variables:
        yield {**environment(), "SLURM_CONF": variables["SLURM_CONF"]}


def call(*command: str, slurm: dict[str, str]) -> str:
    return subprocess.run(command, env=slurm, check=True, capture_output=True, text=True).stdout


def submit(*options: str, slurm: dict[str, str]) -> str:
    """Submit a job and return its number."""
    return call(*SUBMIT, "--task", TASK, *options, slurm=slurm).split()[2]


def wait_for_jobs(slurm: dict[str, str]) -> None:
    deadline = time.monotonic() + 900
    while call("squeue", "--noheader", slurm=slurm):
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.sim
def test_interrupted_run_of_an_array_is_requeued_and_finished(slurm: dict[str, str], tmp_path: Path) -> None:
    options = ("--algo", "bpo", "ppo", "--gpus", "0", "--cpus", "1", "--workdir", str(tmp_path), "--name", "go1")
    log_file = tmp_path / "slurm" / f"go1_{TASK}_0.log"
    # Episodes of 2 s, so that there are returns to compare.
    small = ("--num_envs", "4", "--max_iterations", str(ITERATIONS), "env.episode_length_s=2")
    job = submit(*options, "--", *small, slurm=slurm)
    while not list(tmp_path.glob(f"logs/rsl_rl/*/go1_{TASK}_bpo_seed0/model_0.pt")):
        assert call("squeue", "--noheader", f"--jobs={job}_0", slurm=slurm), log_file.read_text()
        time.sleep(0.1)
    call("scancel", "--signal=USR1", "--batch", f"{job}_0", slurm=slurm)  # as Slurm does before the time is up
    wait_for_jobs(slurm)

    bpo, ppo = (next(tmp_path.glob(f"logs/rsl_rl/*/go1_{TASK}_{algorithm}_seed0")) for algorithm in ("bpo", "ppo"))
    log = log_file.read_text()
    for part in ("for the 1. time", "goes back into the queue", "for the 2. time", "ended with exit code 0"):
        assert part in log
    for task, restarts in enumerate((1, 0)):
        assert f" Restarts={restarts} " in call("scontrol", "show", "job", f"{job}_{task}", slurm=slurm)
    for run, starts in {bpo: 2, ppo: 1}.items():
        assert (run / "finished").exists()
        assert len(list(run.glob("events.*"))) == starts
        assert (run / f"model_{ITERATIONS - 1}.pt").exists()
        events = EventAccumulator(str(run)).Reload().Scalars("Loss/value")
        assert [event.step for event in events] == list(range(ITERATIONS))

    # The same command again finds nothing left to do.
    submit(*options, "--", *small, slurm=slurm)
    wait_for_jobs(slurm)
    assert f"go1_{TASK}_bpo_seed0 is finished" in log_file.read_text()
    assert len(list(bpo.glob("events.*"))) == 2

    done = call(*COMPARE, str(tmp_path / "logs"), "--output", str(tmp_path / "comparison"), slurm=slurm)
    assert "Go1" in (tmp_path / "comparison" / "compare.md").read_text(), done


def test_processes_of_two_nodes_meet_and_end_together(slurm: dict[str, str], tmp_path: Path) -> None:
    options = ("--nodes", "2", "--gpus", "1", "--cpus", "1", "--workdir", str(tmp_path), "--name", "far")
    submit(*options, "--", "--assets", "nowhere", slurm=slurm)  # there is no CUDA: let train.py end at once
    wait_for_jobs(slurm)
    log = (tmp_path / "slurm" / f"far_{TASK}_0.log").read_text()
    assert f"far_{TASK}_bpo_seed0 starts on one,two" in log
    # Both nodes' processes were started, which torchrun does when all nodes have met.
    assert log.count("argument --assets: invalid choice: 'nowhere'") == 2
    assert f"far_{TASK}_bpo_seed0 ended with exit code 1" in log


def test_what_slurm_refuses_is_said_in_one_sentence(slurm: dict[str, str], tmp_path: Path) -> None:
    mistakes = {
        ("--partition", "gpu"): "--partition 'gpu' does not exist: this cluster has cpu",
        ("--time", "soon"): "Invalid --time specification",
    }
    for options, sentence in mistakes.items():
        command = (*SUBMIT, "--task", "Isaac-Velocity-Rough-G1-v0", *options, "--workdir", str(tmp_path))
        done = subprocess.run(command, env=slurm, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith("submit.py: error: ")
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
