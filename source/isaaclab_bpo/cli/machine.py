# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What this machine offers to a run: devices, processes, threads."""

from __future__ import annotations

import argparse
import math
import os
import re
from itertools import pairwise
from typing import Any

from .arguments import Action
from .configuration import override
from .errors import UserError

NUM_ENVS_WITHOUT_CUDA: dict[Action, int] = {"train": 64, "play": 4, "evaluate": 16}
"""Environments that a laptop simulates at a usable speed."""

WORK_FOR_THREADS = 4e6
"""Multiplications of a mini-batch between an MLP's hidden layers above which more threads than one are faster.

From trials on two cores that are not stored: an update with 1e6 (64 x 64, 256 rows) was slower, one with 13e6 (three
layers of 128, 384 rows) faster.
"""

MAX_THREADS = 8
"""Threads of torch that are used at most; with more cores than two nothing was measured."""


def has_cuda() -> bool:
    """Whether torch sees a CUDA device."""
    import torch

    return torch.cuda.is_available()


def choose_devices(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Put simulation and agent on one device: the CPU where there is no CUDA.

    Isaac Lab gives ``--device`` to the simulation only; the agent's is ``agent.device``.

    Returns:
        Overrides to add; the device in ``args`` is set.
    """
    given = args.device if getattr(args, "device_explicit", False) else override(overrides, "env.sim.device")
    agent_device = override(overrides, "agent.device")
    distributed = getattr(args, "distributed", False)  # play has no such argument
    for name, device in {"--device": given, "agent.device": agent_device}.items():
        if device is not None:
            _check_device(name, device)
    if not has_cuda():
        if distributed:
            raise UserError("--distributed needs CUDA devices and this machine has none")
        given = given or "cpu"
    if given is None or distributed:
        return []
    args.device, args.device_explicit = given, True
    return [] if agent_device is not None else [f"agent.device={given}"]


def _check_device(name: str, device: str) -> None:
    """Refuse a device that Isaac Lab does not know, or this machine does not have."""
    import torch

    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UserError(f"{name} {device!r} is not a device of Isaac Lab: give cpu, cuda, or cuda:0 and so on")
    if device != "cpu" and not has_cuda():
        raise UserError(f"{name} {device!r} needs a CUDA device and this machine has none: use cpu")
    if (index := int(device.partition(":")[2] or 0)) and index >= (there := torch.cuda.device_count()):
        raise UserError(f"{name} {device!r} is not on this machine, which has cuda:0 to cuda:{there - 1}")


def check_processes(distributed: bool) -> None:
    """Refuse what a launcher of several processes, or a leftover of one, has set in the environment and cannot be."""
    numbers = {"WORLD_SIZE": 1, "RANK": 0, "LOCAL_RANK": 0}
    for name in numbers:
        text = os.environ.get(name, str(numbers[name]))
        if not text.isdecimal():
            raise UserError(f"the environment has {name}={text!r}, which is not a number: unset it")
        numbers[name] = int(text)
    size = numbers.pop("WORLD_SIZE")
    for name, value in numbers.items():
        if value >= size:
            raise UserError(
                f"the environment has {name}={value}, which must be less than WORLD_SIZE={size}: unset both, or start "
                "the processes with torchrun"
            )
    if size > 1 and not distributed:
        raise UserError(
            f"the environment has WORLD_SIZE={size}, the number of processes to train with: give --distributed to "
            "train, or unset WORLD_SIZE"
        )


def set_threads(actor: Any, num_rows: float) -> int:
    """Set and return the number of torch's threads for a run on the CPU, unless OMP_NUM_THREADS says it.

    It is one where threads would rather wait for each other than save time, else all cores, up to
    :data:`MAX_THREADS`.

    Args:
        actor: Configuration of the policy's network.
        num_rows: Observations that it is given at once.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        is_mlp = str(getattr(actor, "class_name", None)).endswith("MLPModel")  # or one of ours
        work = num_rows * sum(a * b for a, b in pairwise(actor.hidden_dims)) if is_mlp else math.inf
        torch.set_num_threads(min(torch.get_num_threads(), MAX_THREADS) if work >= WORK_FOR_THREADS else 1)
    return torch.get_num_threads()
