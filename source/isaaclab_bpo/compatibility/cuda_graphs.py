# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What tensordict's CUDA graphs need around them.

What fails: ``tensordict.nn.CudaGraphModule`` works on the current device, whatever its tensors are on. It leaves the
garbage collector on, which may destroy another graph during a capture, and autocast's cache, whose casts of weights a
graph must hold. It reports every capture on the log.

When to delete it: once tensordict does these things itself.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import torch
from tensordict.utils import logger


@contextlib.contextmanager
def graphs_on(device: torch.device | str) -> Iterator[None]:
    """Make, capture and replay CUDA graphs on a device within the block."""
    level, caches, collects = logger.level, torch.is_autocast_cache_enabled(), gc.isenabled()
    logger.setLevel("WARNING")
    torch.set_autocast_cache_enabled(False)
    gc.disable()
    try:
        # Without CUDA, tensordict's module calls its function
        with torch.cuda.device(device) if torch.cuda.is_available() else contextlib.nullcontext():
            yield
    finally:
        logger.setLevel(level)
        torch.set_autocast_cache_enabled(caches)
        if collects:
            gc.enable()
