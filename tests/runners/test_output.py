# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A terminal that is closed, a pipe that nobody reads and a full disk behind the output cost no run."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import RecordFault
from isaaclab_bpo.runners import DurableRunner, read
from point_mass import PointMass, runner_cfg


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def closed_terminal() -> int:
    terminal, end = pty.openpty()
    os.close(terminal)
    return end


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("make", [closed_pipe, closed_terminal, full_disk])
def test_training_goes_on_without_its_output(
    make: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_fault: RecordFault
) -> None:
    runner = DurableRunner(PointMass(4), runner_cfg(), str(tmp_path))
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, os.fdopen(make(), "w", buffering=1))
    runner.learn(2)
    actor = read(tmp_path / "model_1.pt")["actor_state_dict"].values()
    record_fault("output gone", True, all(bool(value.isfinite().all()) for value in actor), 0)
