# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl 5.4 beside 5.5, its observation normalizers, and its record of the code.

What differs: 5.4 updates the observation normalizers at every environment step, 5.5 once per update. The logger of 5.4
reads ``rnd_cfg`` of every algorithm's configuration, and it reduces gradients over ranks all at once. In both, a
normalizer assigns a new tensor to its buffer, and the range of the action's standard deviation bounds its value only,
not its parameter.

Both lose the run if the state of the code's repository cannot be stored.

When to delete it: what is for 5.4, once no neighbour needs it any more; mjlab 1.6 pins 5.4.2. :func:`buffers_in_place`,
once rsl_rl's ``EmpiricalNormalization`` updates its standard deviation in place. :func:`clamp_std_parameter`, once a
parameter beyond ``std_range`` has a gradient that leads it back. :func:`survive_code_state`, once
``Logger._store_code_state`` writes diffs that are not UTF-8, and catches what git itself refuses.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rsl_rl.utils.logger import Logger
from torch import nn

try:
    from rsl_rl.utils import reduce_gradients_in_buckets
except ImportError:  # 5.4

    def reduce_gradients_in_buckets(params: Iterable[nn.Parameter], world_size: int, bucket_mb: float) -> None:
        """Average gradients over the ranks; ``bucket_mb`` bounds nothing."""
        if grads := [p.grad for p in params if p.grad is not None]:
            flat = nn.utils.parameters_to_vector(grads)
            torch.distributed.all_reduce(flat)
            nn.utils.vector_to_parameters(flat / world_size, grads)


__all__ = [
    "NORMALIZES_IN_UPDATE",
    "buffers_in_place",
    "complete",
    "reduce_gradients_in_buckets",
    "survive_code_state",
]

NORMALIZES_IN_UPDATE = tuple(map(int, version("rsl-rl-lib").split(".")[:2])) >= (5, 5)
"""Whether observation normalizers are updated once per update, and not at every environment step."""


def complete(cfg: dict[str, Any]) -> None:
    """Add to a runner's configuration what rsl_rl 5.4 reads of it."""
    cfg["algorithm"].setdefault("rnd_cfg", None)


def survive_code_state(logger: Logger) -> None:
    """Let a run go on where the state of a repository cannot be stored, and say so in a line."""
    store = logger._store_code_state

    def store_each() -> list[str]:
        repositories, files = logger.git_status_repos, []
        for repository in repositories:
            logger.git_status_repos = [repository]
            try:
                files += store()
            except Exception as error:  # whatever git and the encoding of files may raise
                reason = " ".join(str(error).split())[:200]
                print(f"[isaaclab_bpo] The state of the code of {repository} is not stored: {reason}", file=sys.stderr)
        logger.git_status_repos = repositories
        for file in Path(str(logger.log_dir), "git").glob("*.diff"):
            if file.stat().st_size == 0:  # what was begun
                file.unlink()
        return files

    logger._store_code_state = store_each


def clamp_std_parameter(actor: nn.Module) -> None:
    """Hold the parameter of the action's standard deviation in its range; rsl_rl clamps only what is computed of it."""
    distribution = actor.distribution
    for name in ("std", "log_std"):
        if (parameter := getattr(distribution, f"{name}_param", None)) is not None:
            parameter.data.clamp_(*getattr(distribution, f"{name}_range"))


@contextlib.contextmanager
def buffers_in_place(*modules: nn.Module) -> Iterator[None]:
    """Let modules' buffers keep their memory, which a CUDA graph reads, while something assigns new ones."""
    before = [dict(module.named_buffers()) for module in modules]
    try:
        yield
    finally:
        for module, old in zip(modules, before, strict=True):
            for name, buffer in module.named_buffers():
                if buffer is not old[name]:
                    owner, _, attribute = name.rpartition(".")
                    setattr(module.get_submodule(owner), attribute, old[name].copy_(buffer))
