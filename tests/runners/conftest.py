# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A checkpoint that has every part."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.loading import make_runner


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runner = make_runner()
    runner.learn(2)
    path = tmp_path_factory.mktemp("run") / "model_1.pt"
    runner.save(str(path))
    return path
