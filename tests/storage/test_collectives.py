# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Operations over ranks, in a group of one; several ranks are in tests/algorithms/test_multi_gpu.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import distributed

from isaaclab_bpo.storage.collectives import RankLostError, all_gather, all_reduce, lost_rank_reported


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_one_rank_is_all_ranks(group: None) -> None:
    tensor = torch.tensor([1.0, 2.0])
    assert all_reduce(tensor) is tensor
    assert tensor.tolist() == [1.0, 2.0]
    assert all_gather(tensor).tolist() == [1.0, 2.0]


def test_a_failed_operation_is_a_lost_rank(group: None) -> None:
    sentence = r"Rank 0 of 1 ends because another rank has \(whatever gloo says\)"
    with pytest.raises(RankLostError, match=sentence) as error, lost_rank_reported():
        raise RuntimeError("whatever gloo says")
    assert "whatever gloo says" in str(error.value.__cause__)


@pytest.mark.parametrize("kind", [ValueError, torch.OutOfMemoryError, NotImplementedError])
def test_errors_of_this_rank_pass(group: None, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="of ours"), lost_rank_reported():
        raise kind("of ours")


def test_errors_of_a_single_process_pass() -> None:
    with pytest.raises(RuntimeError, match=r"^of ours$") as error, lost_rank_reported():
        raise RuntimeError("of ours")
    assert error.type is RuntimeError
