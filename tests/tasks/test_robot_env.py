# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The environments of the paper's robots."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tasks.process import run_python

with_ovphysx = pytest.mark.skipif(importlib.util.find_spec("ovphysx") is None, reason="OvPhysX is not installed")


@with_ovphysx
def test_wrong_assets_setting_ends_with_a_sentence(tmp_path: Path) -> None:
    command = ("-m", "isaaclab", "train", "--rl_library", "rsl_rl", "--task", "Isaac-Velocity-Rough-G1")
    small = ("--num_envs", "2", "--device", "cpu", "physics=ovphysx")
    code, _, errors = run_python(*command, *small, folder=tmp_path, ISAACLAB_BPO_ASSETS="foo")
    assert code != 0
    assert "is 'foo'; choose one of auto, nvidia, standin" in errors
    assert "Traceback" not in errors
