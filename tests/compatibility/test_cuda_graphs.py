# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What holds while CUDA graphs are at work, and that it ends with them; without a GPU the device is a number."""

from __future__ import annotations

import gc

import pytest
import torch
from tensordict.utils import logger

from isaaclab_bpo.compatibility.cuda_graphs import graphs_on


def state() -> tuple[int, bool, bool]:
    return logger.level, torch.is_autocast_cache_enabled(), gc.isenabled()


@pytest.mark.parametrize("fails", [False, True])
def test_settings_end_with_the_block(fails: bool) -> None:
    before = state()
    try:
        with graphs_on("cuda:0"):
            assert state()[1:] == (False, False)
            if fails:
                raise FloatingPointError
    except FloatingPointError:
        assert fails
    assert state() == before
