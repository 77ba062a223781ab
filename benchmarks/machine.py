# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the benchmarks share: a description of the machine, and statistics of times."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def describe(device: str) -> dict[str, str | int]:
    """Return versions and hardware, as they are stored with a result."""
    cpu = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "device": torch.cuda.get_device_name(device) if device != "cpu" else cpu[0],
        "cpu_cores": len(cpu),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rsl_rl": version("rsl-rl-lib"),
        "isaaclab_bpo": version("isaaclab_bpo"),
    }


def synchronize(device: str) -> None:
    """Wait until a device has done all work that it was given."""
    if device != "cpu":
        torch.cuda.synchronize(device)


class HostReads(TorchDispatchMode):
    """Counts operations for whose result the host must wait; on CUDA each one is a synchronisation."""

    NAMES = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal", "unique")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += any(func.__name__.startswith(name) for name in self.NAMES)
        return func(*args, **(kwargs or {}))


def count_host_reads(function: Callable[[], Any]) -> int:
    """Return how often the host reads a value from the device while a function runs."""
    with HostReads() as reads:
        function()
    return reads.count


def ceilings(device: str, num_rows: int) -> dict[str, float]:
    """Return what the machine can do at best with the shapes of an update.

    Args:
        device: The device.
        num_rows: Samples in a mini-batch.

    Returns:
        Operations per second of a layer's matrix product, and bytes per second of a copy.
    """
    x, weights = torch.randn(num_rows, 512, device=device), torch.randn(512, 256, device=device)
    operations, num_bytes = 2.0 * num_rows * 512 * 256, 2.0 * x.nbytes
    y = torch.empty_like(x)
    return {
        "flop_per_s": operations / _best(lambda: x @ weights, device),
        "byte_per_s": num_bytes / _best(lambda: y.copy_(x), device),
    }


def _best(function: Callable[[], Any], device: str) -> float:
    """Return the seconds that a function takes at best."""
    times = []
    for _ in range(50):
        synchronize(device)
        start = time.perf_counter()
        function()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)


def quartiles(seconds: list[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile."""
    low, mid, high = statistics.quantiles(seconds, n=4)
    return low, mid, high


def paired_ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
