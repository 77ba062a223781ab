# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark of GBPO goes on where it was, whatever a lost machine left of its last line."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from e2e.process import ROOT

pytest.importorskip("trl", reason="needs the extra isaaclab_bpo[gbpo]")


@pytest.mark.parametrize("half", ["", '{"seed": 3, "rew', "\0\0\0", "{}"])
def test_half_of_a_line_is_cut_off(tmp_path: Path, half: str) -> None:
    finished_runs = runpy.run_path(str(ROOT / "benchmarks" / "gbpo" / "run.py"))["finished_runs"]
    file = tmp_path / "runs.jsonl"
    assert finished_runs(file) == []
    lines = '{"seed": 1}\n{"seed": 2}\n'
    file.write_text(lines + half)
    assert finished_runs(file) == [{"seed": 1}, {"seed": 2}]
    assert file.read_text() == lines
    file.write_text(half)
    assert finished_runs(file) == []
    assert file.read_text() == ""
