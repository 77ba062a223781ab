# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What of BPO's networks a checkpoint holds, and what is loaded from one of PPO."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from point_mass import PointMass, bpo_of, collect, make_runner, runner_cfg


@pytest.mark.parametrize("median", ["critic", "value"])
def test_checkpoint_round_trip(median: str, tmp_path: Path) -> None:
    runner = make_runner(runner_cfg(median=median))
    runner.learn(2)
    runner.save(str(tmp_path / "model.pt"))
    other = make_runner(runner_cfg(median=median))
    other.load(str(tmp_path / "model.pt"))
    assert other.current_learning_iteration == runner.current_learning_iteration
    assert other.alg.learning_rate == runner.alg.learning_rate
    for name, state in runner.alg.save().items():
        if name.endswith("_state_dict") and name != "optimizer_state_dict":
            for key, value in state.items():
                assert torch.equal(other.alg.save()[name][key], value), f"{name} {key}"
    for alg in (runner.alg, other.alg):
        torch.manual_seed(1)
        collect(alg, PointMass(seed=1))
        alg.update()
    for key, value in runner.alg.save()["actor_state_dict"].items():
        assert torch.equal(other.alg.save()["actor_state_dict"][key], value), key


def test_ppo_checkpoint_starts_the_median_from_the_critic(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    ppo = make_runner(runner_cfg(algorithm="PPO"))
    ppo.learn(2)
    ppo.save(str(tmp_path / "model.pt"))
    runner = make_runner(runner_cfg())
    runner.load(str(tmp_path / "model.pt"))
    assert "no median critic" in capsys.readouterr().out
    bpo = bpo_of(runner)
    assert bpo.median.network is not None
    assert bpo.learning_rate == ppo.alg.learning_rate
    for key, value in ppo.alg.save()["critic_state_dict"].items():
        assert torch.equal(bpo.median.network.state_dict()[key], value)
    runner.learn(1)


def test_checkpoint_with_median_critic_loads_without_one(tmp_path: Path) -> None:
    runner = make_runner(runner_cfg())
    runner.learn(1)
    runner.save(str(tmp_path / "model.pt"))
    other = make_runner(runner_cfg(median="value"))
    other.load(str(tmp_path / "model.pt"))
    other.learn(1)
