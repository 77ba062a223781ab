# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Operations over the processes (ranks) of a multi-GPU run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import distributed


class RankLostError(RuntimeError):
    """Another process of a multi-GPU run has ended, so this one cannot go on."""


@contextlib.contextmanager
def lost_rank_reported() -> Iterator[None]:
    """Raise a :class:`RankLostError` if a collective operation in the block fails.

    Gloo's errors have no type of their own. Those that have one, such as that of a full memory, are this rank's.
    """
    try:
        yield
    except RuntimeError as error:
        if not distributed.is_initialized():  # a single process
            raise
        if type(error) is not RuntimeError and not isinstance(error, distributed.DistError):
            raise
        raise RankLostError(
            f"Rank {distributed.get_rank()} of {distributed.get_world_size()} ends because another rank has ({error}): "
            "look for the first error in the output of the others."
        ) from error


def all_reduce(tensor: torch.Tensor, op: distributed.ReduceOp.RedOpType = distributed.ReduceOp.SUM) -> torch.Tensor:
    """Reduce a tensor over all ranks, in place, and return it."""
    with lost_rank_reported():
        distributed.all_reduce(tensor, op=op)
    return tensor


def all_gather(tensor: torch.Tensor) -> torch.Tensor:
    """Return the equally large tensors of all ranks, joined along their first dimension."""
    tensors = [torch.empty_like(tensor) for _ in range(distributed.get_world_size())]
    with lost_rank_reported():
        distributed.all_gather(tensors, tensor)
    return torch.cat(tensors)
