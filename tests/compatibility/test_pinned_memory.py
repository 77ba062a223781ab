# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Tests of the stand-in for pinned host memory. Each runs in a process of its own: Warp's state is global."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
import torch

with_ovphysx = pytest.mark.skipif(importlib.util.find_spec("ovphysx") is None, reason="OvPhysX is not installed")


def run_python(code: str) -> str:
    """Run ``code`` in a fresh interpreter and return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@with_ovphysx
def test_pinned_arrays_hold_and_copy_data() -> None:
    code = """
import warp as wp
from isaaclab_bpo.compatibility import serve_pinned_memory_without_cuda
serve_pinned_memory_without_cuda()
pinned = wp.array([1, 2, 3], dtype=wp.int32, device="cpu", pinned=True)
plain = wp.zeros(3, dtype=wp.int32, device="cpu")
wp.copy(plain, pinned)
clone = wp.clone(pinned)
del pinned  # the memory goes back to the allocator that gave it
print("values", plain.list(), clone.list())
"""
    assert "values [1, 2, 3] [1, 2, 3]" in run_python(code)


@with_ovphysx
def test_acts_only_without_cuda_and_twice_is_once() -> None:
    code = """
from isaaclab_bpo.compatibility import serve_pinned_memory_without_cuda
print("acts", serve_pinned_memory_without_cuda(), serve_pinned_memory_without_cuda())
"""
    expected = not torch.cuda.is_available()
    assert f"acts {expected} {expected}" in run_python(code)


def test_warp_is_left_alone_where_ovphysx_is_missing() -> None:
    code = """
import importlib.util
import sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "ovphysx" else find_spec(name, package)
from isaaclab_bpo.compatibility import serve_pinned_memory_without_cuda
print("acts", serve_pinned_memory_without_cuda(), "warp" in sys.modules, "torch" in sys.modules)
"""
    assert "acts False False False" in run_python(code)


@with_ovphysx
@pytest.mark.skipif(torch.cuda.is_available(), reason="with CUDA, Warp has pinned memory")
def test_cause_still_exists() -> None:
    """Fails once Warp gives out pinned memory without CUDA: then delete the module and this file."""
    code = """
import warp as wp
try:
    wp.zeros(4, dtype=wp.int32, device="cpu", pinned=True)
except RuntimeError as error:
    print("refused", error)
"""
    assert "refused" in run_python(code)
