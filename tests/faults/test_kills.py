# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Kills, signals and full disks, in real processes."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from faults.conftest import RecordFault
from faults.training import (
    TIMEOUT,
    FullDiskPointMass,
    RudePointMass,
    SlowPointMass,
    checkpoints,
    is_finite,
    start,
)
from isaaclab_bpo.runners import PREEMPTED, read
from point_mass import PointMass

SEEDS = range(2)


def kill_and_resume(folder: Path, kills: int, record_fault: RecordFault) -> None:
    """Kill a training at random instants; each one must go on where the newest checkpoint of the last one ended."""
    rng = random.Random(kills)
    saved = -1
    for _ in range(kills):
        process, next_iteration = start(folder)
        resumed = next_iteration()
        time.sleep(rng.uniform(0.0, 0.3))
        process.kill()
        process.join(TIMEOUT)
        assert process.exitcode == -signal.SIGKILL
        whole = [read(path)["iter"] for path in checkpoints(folder)]
        newest = max(whole, default=-1)
        record_fault("SIGKILL at a random instant", resumed == saved, is_finite(folder), max(0, saved - newest))
        saved = newest
    assert saved > kills  # it made progress


def test_killed_run_resumes(tmp_path: Path, record_fault: RecordFault) -> None:
    kill_and_resume(tmp_path, 10, record_fault)


@pytest.mark.slow
def test_run_killed_200_times_resumes_every_time(tmp_path: Path, record_fault: RecordFault) -> None:
    kill_and_resume(tmp_path, 200, record_fault)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("env_class", [PointMass, RudePointMass], ids=["simulator_silent", "simulator_ignores_signals"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=lambda number: number.name)
def test_preempted_run_saves_and_finishes_later(
    tmp_path: Path, number: signal.Signals, env_class: type[PointMass], seed: int, record_fault: RecordFault
) -> None:
    total = 50
    process, next_iteration = start(tmp_path, total, env_class)
    reached = -1
    for _ in range(random.Random(seed).randint(2, 20)):
        reached = next_iteration()
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(TIMEOUT)
    saved = read(checkpoints(tmp_path)[0])["iter"]
    preempted = process.exitcode == PREEMPTED
    record_fault(f"{number.name} while learning", preempted, is_finite(tmp_path), max(0, reached - saved))

    process, next_iteration = start(tmp_path, total)
    assert next_iteration() == saved
    process.join(TIMEOUT)
    assert process.exitcode == 0
    assert read(checkpoints(tmp_path)[0])["iter"] == total - 1


def test_second_signal_ends_at_once(tmp_path: Path, record_fault: RecordFault) -> None:
    process, next_iteration = start(tmp_path, 3)
    while process.exitcode is None:
        process.join(0.1)
    process, next_iteration = start(tmp_path, 10, SlowPointMass)
    assert next_iteration() == 2
    assert process.pid is not None
    time.sleep(0.5)  # until it hangs in a step
    os.kill(process.pid, signal.SIGUSR1)
    time.sleep(0.5)
    assert process.exitcode is None  # still finishing its iteration
    os.kill(process.pid, signal.SIGTERM)
    process.join(5.0)
    at_once = process.exitcode == -signal.SIGTERM  # 128 + 15 in a shell
    record_fault("second signal", at_once, is_finite(tmp_path), 2 - read(checkpoints(tmp_path)[0])["iter"])


def test_full_disk_costs_no_earlier_checkpoint(tmp_path: Path, record_fault: RecordFault) -> None:
    process, next_iteration = start(tmp_path, 10, FullDiskPointMass)
    process.join(TIMEOUT)
    output = (tmp_path / "output").read_text()
    saved = [read(path)["iter"] for path in checkpoints(tmp_path)]
    survived = process.exitcode == 1 and "Traceback" not in output and saved == [3, 2, 1]
    record_fault("disk full while saving", survived, is_finite(tmp_path), 0)
    assert not list(tmp_path.glob(".*.tmp"))  # nothing half written is left
    # with room again, the run goes on
    process, next_iteration = start(tmp_path, 10)
    assert next_iteration() == 3
    process.join(TIMEOUT)
    assert process.exitcode == 0


def test_folder_that_vanishes_ends_with_a_sentence(tmp_path: Path, record_fault: RecordFault) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    process, next_iteration = start(folder, 100)
    while next_iteration() < 5:
        pass
    folder.rename(tmp_path / "moved")
    process.join(TIMEOUT)
    moved = tmp_path / "moved"
    # TensorBoard notices first, and reports in a thread of its own; the last word is the runner's
    last_line = (moved / "output").read_text().splitlines()[-1]
    survived = process.exitcode == 1 and last_line.startswith("error: [Errno 2]")
    record_fault("log folder gone", survived, is_finite(moved), max(0, 4 - read(checkpoints(moved)[0])["iter"]))
