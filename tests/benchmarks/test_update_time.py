# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmarks of update and rollout run, and count what can be counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import machine
import rollout_overhead
import update_time

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("program", ["update_time", "rollout_overhead"])
def test_benchmark_writes_results_and_a_plot(program: str, tmp_path: Path) -> None:
    sizes = ["--num_envs", "4"] if program == "update_time" else []
    command = [sys.executable, str(ROOT / "benchmarks" / f"{program}.py"), "--preset", "cpu", "--rounds", "2", *sizes]
    done = subprocess.run([*command, "--output", str(tmp_path)], capture_output=True, text=True, check=True)
    assert "PPO" in done.stdout
    record = json.loads((tmp_path / f"{program}_cpu.json").read_text())
    assert record["machine"]["torch"] == torch.__version__
    assert (tmp_path / f"{program}_cpu.png").stat().st_size > 1000


@pytest.mark.parametrize("program", ["update_time", "rollout_overhead"])
def test_too_few_rounds_are_refused(program: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{program}.py"), "--preset", "cpu", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "argument --rounds: 1 is too few: give at least 2" in done.stderr


def test_compiled_networks_are_counted() -> None:
    alg = update_time.make_algorithm("BPO, median critic", 4, "cpu")
    expected = update_time.operations(alg, 4)
    alg.compile("default")  # nothing is compiled before the first call
    assert update_time.operations(alg, 4) == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA device")
def test_missing_gpu_is_said_in_one_sentence() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "update_time.py"), "--preset", "gpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--preset gpu needs a CUDA device and this machine has none: use --preset cpu" in done.stderr


def test_operations_by_hand() -> None:
    ppo, bpo = (update_time.make_algorithm(name, 4, "cpu") for name in ("PPO", "BPO, median critic"))
    hidden = 512 * 256 + 256 * 128
    actor, critic = 310 * 512 + hidden + 128 * 37, 310 * 512 + hidden + 128
    per_sample = 6 * (actor + critic) - 2 * 2 * 310 * 512
    assert update_time.operations(ppo, 4) == per_sample * 5 * 4 * 24
    # a third network, and in four of five epochs one more pass of the critic
    per_sample += 6 * critic - 2 * 310 * 512 + 0.8 * 2 * critic
    assert update_time.operations(bpo, 4) == pytest.approx(per_sample * 5 * 4 * 24)


def test_operations_of_collecting_by_hand() -> None:
    hidden = 512 * 256 + 256 * 128
    actor, critic = 310 * 512 + hidden + 128 * 37, 310 * 512 + hidden + 128
    assert rollout_overhead.operations(4) == 2 * (actor + critic) * 4


def test_growth_by_hand() -> None:
    small = update_time.Measurement("PPO", num_envs=4, num_learning_epochs=5, update_s=[1.0, 2.0, 9.0])
    large = update_time.Measurement("PPO", num_envs=16, num_learning_epochs=5, update_s=[6.0, 4.0, 7.0])
    assert update_time.growth(large, small) == (6.0 / 16) / (2.0 / 4)


def test_reads_and_copies_of_the_host_are_counted() -> None:
    on_device = torch.ones(3)
    assert machine.count_host_reads(lambda: on_device.sum() + torch.zeros(3)) == 0
    assert machine.count_host_reads(lambda: on_device.sum().item()) == 1
    assert machine.count_host_reads(lambda: on_device.tolist()) == 1
    assert machine.count_host_reads(lambda: torch.tensor(1.0)) == 1  # on a GPU, a copy that the host waits for


def test_accelerated_path_never_makes_the_host_wait_in_a_mini_batch() -> None:
    (result,) = update_time.measure(4, 2, "cpu", ["BPO, median critic, accelerated"])
    assert result.host_reads_per_mini_batch == 2 / 20  # two per update of 5 x 4 mini-batches, at its end
    assert sum(result.shares.values()) == pytest.approx(1.0)
    assert result.bytes_per_transition <= 1705 + 16


@pytest.mark.parametrize(
    ("variant", "most"),
    [
        ("BPO, median critic", 222),
        ("BPO, median critic, accelerated", 180),
        ("BPO, shared trunk, accelerated", 183),
        ("BPO, batch median, accelerated", 170),
    ],
)
def test_mini_batches_launch_few_kernels(variant: str, most: float) -> None:
    """The counts are the same on every machine. They may only fall: lower the limit when they do."""
    launches = update_time.launches_per_mini_batch(variant)
    assert {"forward", "loss", "backward", "clipping", "optimizer", "statistics", "guards", "targets"} <= {*launches}
    assert most - 2.0 < sum(launches.values()) <= most, launches


def test_kernels_are_counted_by_phase_and_views_are_none() -> None:
    x, launches = torch.ones(2, 3), machine.KernelLaunches()
    with launches:
        launches.phase = "first"
        x.view(3, 2).T[0].expand(4, 3)  # views
        torch.empty(3)
        launches.phase = "second"
        (x + x).mul_(2.0)
        torch._foreach_add_([x, x], 1.0)  # type: ignore[reportPrivateImportUsage]
    assert launches.counts == {"second": 3}
