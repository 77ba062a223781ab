# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What this machine offers to a run: devices, threads, a folder to write to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .arguments import Action
from .configuration import override
from .errors import UserError

NUM_ENVS_WITHOUT_CUDA: dict[Action, int] = {"train": 64, "play": 4}
"""Environments that a laptop simulates at a usable speed."""


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
    given = args.device if getattr(args, "device_explicit", False) else None
    agent_device = override(overrides, "agent.device")
    distributed = getattr(args, "distributed", False)  # play has no such argument
    if not has_cuda():
        for name, device in {"--device": given, "agent.device": agent_device}.items():
            if device is not None and device.startswith("cuda"):
                raise UserError(f"{name} {device!r} needs a CUDA device and this machine has none: use cpu")
        if distributed:
            raise UserError("--distributed needs CUDA devices and this machine has none")
        given = given or "cpu"
    if given is None or distributed:
        return []
    args.device, args.device_explicit = given, True
    return [] if agent_device is not None else [f"agent.device={given}"]


def set_threads() -> int:
    """Set and return the number of torch's threads for a run on the CPU: one, unless OMP_NUM_THREADS says otherwise."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)  # the networks are small: more threads would only wait for each other
    return torch.get_num_threads()


def check_log_folder(folder: Path) -> None:
    """Refuse a folder in which no run can be saved."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        reason = "not writable" if existing.is_dir() else "a file"
        raise UserError(
            f"runs are saved in {str(folder)!r}, and {str(existing)!r} is {reason}: start in another folder"
        )
