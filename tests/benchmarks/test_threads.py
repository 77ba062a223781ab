# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark of threads measures each case in a process of its own, beside programs that keep cores busy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import threads

PROGRAM = str(Path(__file__).parents[2] / "benchmarks" / "threads.py")


def test_a_case_is_measured_with_its_threads() -> None:
    assert len(threads.measure(1, 2)) == 2


def test_busy_programs_end_with_the_block() -> None:
    with threads.busy(2) as programs:
        assert [program.poll() for program in programs] == [None, None]
    assert None not in [program.poll() for program in programs]


def test_one_core_is_refused() -> None:
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, PROGRAM], env=variables, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "has one core, or OMP_NUM_THREADS says so: there is nothing to compare"
    )
