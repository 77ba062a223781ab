# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Kills, signals and full disks, in real processes."""

from __future__ import annotations

import functools
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from conftest import RecordFault
from faults.training import (
    TIMEOUT,
    FullDiskPointMass,
    RudePointMass,
    SlowPointMass,
    checkpoints,
    is_finite,
    start,
)
from isaaclab_bpo.runners import read
from isaaclab_bpo.runners.preemption import SIGNALS
from point_mass import PointMass

SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))]


def last_message(process: BaseProcess, next_message: Callable[[], Any]) -> str:
    """Wait until a training ends, and return the error that it ended with."""
    while not isinstance(message := next_message(), str):
        pass
    process.join(TIMEOUT)
    return message


def kill_and_resume(folder: Path, kills: int, record_fault: RecordFault) -> None:
    """Kill a training at random instants; each one must go on where the newest checkpoint of the last one ended."""
    rng = random.Random(kills)
    saved = -1
    for _ in range(kills):
        process, next_iteration = start(folder)
        resumed = next_iteration()
        for _ in range(rng.randint(0, 3)):  # however slow the machine is
            next_iteration()
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
@pytest.mark.parametrize("number", [*SIGNALS], ids=lambda number: number.name)
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
    preempted = process.exitcode == SIGNALS[number]
    record_fault(f"{number.name} while learning", preempted, is_finite(tmp_path), max(0, reached - saved))

    process, next_iteration = start(tmp_path, total)
    assert next_iteration() == saved
    process.join(TIMEOUT)
    assert process.exitcode == 0
    assert read(checkpoints(tmp_path)[0])["iter"] == total - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_second_signal_ends_at_once(tmp_path: Path, seed: int, record_fault: RecordFault) -> None:
    first, second = random.Random(seed).sample((signal.SIGTERM, signal.SIGUSR1), 2)
    process, next_iteration = start(tmp_path, 3)
    process.join(TIMEOUT)
    process, next_iteration = start(tmp_path, 10, SlowPointMass)
    assert next_iteration() == 2
    assert process.pid is not None
    time.sleep(0.5)  # until it hangs in a step
    os.kill(process.pid, first)
    time.sleep(0.5)
    assert process.exitcode is None  # still finishing its iteration
    os.kill(process.pid, second)
    process.join(5.0)
    at_once = process.exitcode == -second  # 128 + its number in a shell
    record_fault("second signal", at_once, is_finite(tmp_path), 2 - read(checkpoints(tmp_path)[0])["iter"])


@pytest.mark.parametrize("seed", SEEDS)
def test_full_disk_costs_no_earlier_checkpoint(tmp_path: Path, seed: int, record_fault: RecordFault) -> None:
    full_in = random.Random(seed).randint(1, 9)
    process, next_iteration = start(tmp_path, 10, functools.partial(FullDiskPointMass, iteration=full_in))
    error = last_message(process, next_iteration)
    saved = [read(path)["iter"] for path in checkpoints(tmp_path)]
    survived = process.exitcode == 1 and "[Errno 27]" in error and saved[0] == full_in - 1
    record_fault("disk full while saving", survived, is_finite(tmp_path), 0)
    assert not list(tmp_path.glob(".*.tmp"))  # nothing half written is left
    # with room again, the run goes on
    process, next_iteration = start(tmp_path, 10)
    assert next_iteration() == full_in - 1
    process.join(TIMEOUT)
    assert process.exitcode == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_folder_that_vanishes_ends_with_a_sentence(tmp_path: Path, seed: int, record_fault: RecordFault) -> None:
    gone_in = random.Random(seed).randint(1, 20)
    folder = tmp_path / "run"
    folder.mkdir()
    process, next_iteration = start(folder, 100)
    while next_iteration() < gone_in:
        pass
    moved = folder.rename(tmp_path / "moved")
    error = last_message(process, next_iteration)
    survived = process.exitcode == 1 and "[Errno 2]" in error and "Traceback" not in (moved / "output").read_text()
    lost = max(0, gone_in - 1 - read(checkpoints(moved)[0])["iter"])
    record_fault("log folder gone", survived, is_finite(moved), lost)
