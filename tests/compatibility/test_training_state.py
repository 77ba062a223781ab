# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What rsl_rl's checkpoints lack: saved as plain data, restored exactly."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isaaclab_bpo.compatibility.training_state import (
    random_states,
    restore_random_states,
    restore_training_state,
    training_state,
)
from isaaclab_bpo.runners import DurableRunner, read, write
from point_mass import PointMass, runner_cfg


def test_random_states_are_plain_and_exact(tmp_path: Path) -> None:
    def draw() -> list[float]:
        return [random.random(), float(np.random.rand()), torch.rand(1).item()]  # noqa: NPY002

    write({"states": random_states("cpu")}, tmp_path / "states.pt")
    expected = draw()
    assert draw() != expected
    restore_random_states(read(tmp_path / "states.pt")["states"], "cpu")
    assert draw() == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_random_states_of_cuda_are_exact(tmp_path: Path) -> None:
    write({"states": random_states("cuda:0")}, tmp_path / "states.pt")
    expected = torch.rand(3, device="cuda:0")
    restore_random_states(read(tmp_path / "states.pt", "cuda:0")["states"], "cuda:0")
    assert torch.equal(torch.rand(3, device="cuda:0"), expected)


def test_state_of_random_network_distillation_is_restored(tmp_path: Path) -> None:
    rnd = {"num_outputs": 1, "predictor_hidden_dims": [4], "target_hidden_dims": [4], "weight": 0.1}
    cfg = runner_cfg(rnd_cfg=rnd | {"reward_normalization": True})
    cfg["obs_groups"]["rnd_state"] = ["policy"]
    runner, fresh, other = (DurableRunner(PointMass(num_envs), cfg) for num_envs in (4, 4, 8))

    def average(runner: DurableRunner) -> Any:
        return runner.alg.rnd.reward_normalizer.disc_avg.avg  # type: ignore[union-attr]

    runner.learn(1)
    write(training_state(runner.alg), tmp_path / "state.pt")
    for each in (fresh, other):
        assert each.alg.rnd is not None
        restore_training_state(each.alg, read(tmp_path / "state.pt"))
        assert each.alg.rnd.update_counter == cfg["num_steps_per_env"]
    assert torch.equal(average(fresh), average(runner))
    assert average(other) is None  # it holds a value for each environment
