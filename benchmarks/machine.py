# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the benchmarks share: a description of the machine, and statistics of times."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode


def describe(device: str) -> dict[str, str | int]:
    """Return versions and hardware, as they are stored with a result."""
    cpu_models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    cpu = cpu_models[0] if cpu_models else platform.machine()  # on Arm, Linux does not tell
    return {
        "device": torch.cuda.get_device_name(device) if device != "cpu" else cpu,
        "cpu_cores": os.cpu_count() or 1,
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
    """Counts, on the CPU, what would make the host wait if the tensors were on a GPU.

    These are operations with a result on the host, and ``tolist``, which is none of torch's operations. Tensors made
    from numbers of the host (``lift_fresh``) count, too, since they are copied to the device. What Adam reads in a step
    does not count: its step counters are on the host wherever the parameters are.
    """

    NAMES = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal", "unique", "lift_fresh")
    CHECKS_STD_TWICE = ("normal.Tensor_Tensor", "normal.float_Tensor")
    """Samples of a normal distribution: torch reads twice, in the kernel, whether a tensor of stds is positive."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._in_optimizer = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if not self._in_optimizer:
            self.count += any(func.__name__.startswith(name) for name in self.NAMES)
            self.count += 2 * (func.__name__ in self.CHECKS_STD_TWICE)
        return func(*args, **(kwargs or {}))

    def __enter__(self) -> Self:
        to_list = torch.Tensor.tolist

        def counted(tensor: torch.Tensor) -> Any:
            self.count += 1
            return to_list(tensor)

        self._undo = contextlib.ExitStack()
        self._undo.enter_context(patch.object(torch.Tensor, "tolist", counted))
        for register, inside in (
            (register_optimizer_step_pre_hook, True),
            (register_optimizer_step_post_hook, False),
        ):
            hook = register(lambda *_, inside=inside: setattr(self, "_in_optimizer", inside))
            self._undo.callback(hook.remove)
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._undo.close()


class KernelLaunches(TorchDispatchMode):
    """Counts, for each phase, operations that launch a kernel if the tensors are on a GPU: all but views of tensors.

    Calls over many tensors at once, such as those of a fused optimizer, count as one.
    """

    NO_KERNEL = ("empty", "new_empty", "detach", "lift_fresh", "_unsafe_view", "_local_scalar_dense", "is_nonzero")
    NO_KERNEL += ("_record_function", "scalar_tensor", "broadcast_tensors")  # the last two: constants, and views

    def __init__(self) -> None:
        super().__init__()
        self.phase = ""
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        aliases = [returned.alias_info for returned in func._schema.returns]
        is_view = any(alias is not None and not alias.is_write for alias in aliases)
        if not is_view and not func.__name__.startswith(self.NO_KERNEL):
            self.counts[self.phase] += 1
        return func(*args, **(kwargs or {}))


def count_host_reads(function: Callable[[], Any], device: str = "cpu") -> int:
    """Return how often the host waits for the device while a function runs: on the CPU, how often it would."""
    if device == "cpu":
        with HostReads() as reads:
            function()
        return reads.count
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            function()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing CUDA operation" in str(warning.message) for warning in caught)


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
    # Many calls before a GPU is waited for, since the wait takes as long as a call
    num_calls = 1 if device == "cpu" else 50
    times = []
    for _ in range(50):
        synchronize(device)
        start = time.perf_counter()
        for _ in range(num_calls):
            function()
        synchronize(device)
        times.append((time.perf_counter() - start) / num_calls)
    return min(times)


def number_of_rounds(text: str) -> int:
    """Return a number of rounds, of which quartiles need two."""
    if int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text} is too few: give at least 2")
    return int(text)


def quartiles(seconds: list[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile."""
    low, mid, high = statistics.quantiles(seconds, n=4)
    return low, mid, high


def paired_ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
