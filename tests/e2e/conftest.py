# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trainings that several tests look at: a simulator takes most of a minute to start."""

from __future__ import annotations

import pytest

from e2e.process import TRAIN, Training, train

SMALL = ("--num_envs", "16", "--max_iterations", "3")


@pytest.fixture(scope="session")
def g1_training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """The README's command."""
    command = (*TRAIN, "--task", "Isaac-Velocity-Rough-G1-v0", "--algo", "bpo", *SMALL)
    return train(*command, cwd=tmp_path_factory.mktemp("g1"))


@pytest.fixture(scope="session")
def h1_training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    return train(*TRAIN, "--task", "Isaac-Velocity-Rough-H1-v0", *SMALL, cwd=tmp_path_factory.mktemp("h1"))


@pytest.fixture(scope="session")
def go1_training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    command = (*TRAIN, "--task", "Isaac-Velocity-Rough-Unitree-Go1-v0", *SMALL)
    return train(*command, cwd=tmp_path_factory.mktemp("go1"))
