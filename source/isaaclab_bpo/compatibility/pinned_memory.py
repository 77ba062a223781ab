# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""OvPhysX on machines without CUDA.

What fails: Isaac Lab 3.0's OvPhysX assets stage their data in *pinned* host memory (``wp.zeros(..., device="cpu",
pinned=True)``), also when the simulation itself runs on the CPU. Warp 1.17 obtains pinned memory from the CUDA driver
and has none to give where there is no driver: ``RuntimeError: Failed to allocate 64 bytes on device 'cpu'``.

What we do: pinning only speeds up copies to a GPU, so where there is no GPU ordinary host memory is an exact
substitute. :func:`serve_pinned_memory_without_cuda` lets Warp's CPU device answer requests for pinned memory with its
ordinary allocator. Neither Isaac Lab nor Warp has a public setting for it: ``wp.set_device_allocator`` accepts CUDA
devices only.

When to delete it: once ``physics=ovphysx`` starts on a machine without CUDA with this module removed, that is, when
Warp falls back by itself or Isaac Lab asks for pinned memory only next to a CUDA device.
"""

from __future__ import annotations

import importlib.util


def serve_pinned_memory_without_cuda() -> bool:
    """Make Warp answer requests for pinned host memory with ordinary host memory, if it has no CUDA to pin with.

    Does nothing, and does not even import Warp, where OvPhysX or Warp is not installed or torch sees a CUDA device.
    Idempotent.

    Returns:
        Whether ordinary memory stands in for pinned memory in this process.
    """
    if importlib.util.find_spec("ovphysx") is None or importlib.util.find_spec("warp") is None:
        return False

    import torch

    if torch.cuda.is_available():
        return False

    import warp as wp

    if wp.is_cuda_available():  # a CUDA driver that a CPU build of torch does not see
        return False
    cpu = wp.get_device("cpu")
    cpu.pinned_allocator = cpu.default_allocator  # pyright: ignore[reportAttributeAccessIssue]
    return True
