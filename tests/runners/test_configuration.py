# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a checkpoint's configuration says of its networks, and of the learning rate that goes on."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from tensordict import TensorDict

from isaaclab_bpo.runners import CheckpointError, DurableRunner
from point_mass import PointMass, runner_cfg

RND = {"num_outputs": 2, "predictor_hidden_dims": [8], "target_hidden_dims": [8], "weight": 0.1}


def changed(cfg: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a configuration with another value of a field."""
    cfg = copy.deepcopy(cfg)
    *parents, last = path.split(".")
    section: Any = cfg
    for parent in parents:
        section = section[parent]
    section[last] = value
    return cfg


def make_runner(cfg: dict[str, Any], **env: Any) -> DurableRunner:
    return DurableRunner(PointMass(num_envs=4, **env), copy.deepcopy(cfg))


def saved(cfg: dict[str, Any], folder: Path, **env: Any) -> str:
    """Return a checkpoint of a run with the configuration."""
    path = str(folder / "model_0.pt")
    make_runner(cfg, **env).save(path)
    return path


BETA = changed(runner_cfg(), "actor.distribution_cfg", {"class_name": "BetaDistribution"})
RND_CFG = changed(runner_cfg(rnd_cfg=RND), "obs_groups.rnd_state", ["policy"])
CNN = runner_cfg("cnn")
CNN["actor"]["cnn_cfg"] = CNN["critic"]["cnn_cfg"] | {"global_pool": "max", "padding": "zeros"}


@pytest.mark.parametrize(
    ("cfg", "path", "value", "default"),
    [
        (runner_cfg(), "actor.activation", "tanh", "elu"),
        (runner_cfg(), "critic.activation", "tanh", "elu"),
        (BETA, "actor.distribution_cfg.action_range", [-2.0, 2.0], [-1.0, 1.0]),
        (RND_CFG, "algorithm.rnd_cfg.activation", "relu", None),
        (CNN, "actor.cnn_cfg.global_pool", "avg", "max"),
        (CNN, "actor.cnn_cfg.padding", "reflect", "zeros"),
    ],
)
def test_networks_that_fit_but_compute_something_else_are_refused(
    cfg: dict, path: str, value: Any, default: Any, tmp_path: Path
) -> None:
    env = {"image": True} if cfg is CNN else {}
    checkpoint = saved(changed(cfg, path, value), tmp_path, **env)
    with pytest.raises(CheckpointError) as error:
        make_runner(cfg, **env).load(checkpoint)
    assert f"{path} is {value!r} in it and {default!r} here" in str(error.value)
    make_runner(changed(cfg, path, value), **env).load(checkpoint)
    only_other_parts = dict.fromkeys(("actor", "critic", "optimizer", "rnd"), False)
    make_runner(cfg, **env).load(checkpoint, only_other_parts)


def test_defaults_and_names_of_one_class_are_the_same_whether_written_or_not(tmp_path: Path) -> None:
    checkpoint = saved(runner_cfg(), tmp_path)
    cfg = changed(runner_cfg(), "actor.class_name", "rsl_rl.models:MLPModel")
    cfg["actor"] |= {"hidden_dims": (32, 32), "obs_normalization": False}
    del cfg["actor"]["activation"]
    make_runner(cfg).load(checkpoint)


def test_the_order_of_observation_groups_is_the_checkpoints(tmp_path: Path) -> None:
    class TwoGroups(PointMass):
        def get_observations(self) -> TensorDict:
            obs = super().get_observations()
            obs["copy"] = 2.0 * obs["policy"]
            return obs

    def make(groups: list[str]) -> DurableRunner:
        return DurableRunner(TwoGroups(num_envs=4), changed(runner_cfg(), "obs_groups.actor", groups))

    make(["policy", "copy"]).save(str(tmp_path / "model_0.pt"))
    make(["policy", "copy"]).load(str(tmp_path / "model_0.pt"))
    with pytest.raises(CheckpointError, match=r"the order of obs_groups\.actor is \['policy', 'copy'\] in it"):
        make(["copy", "policy"]).load(str(tmp_path / "model_0.pt"))


@pytest.mark.parametrize(
    ("path", "value"),
    [("actor.distribution_cfg.init_std", 0.3), ("algorithm.rnd_cfg.weight", 0.5), ("algorithm.gamma", 0.9)],
)
def test_what_says_how_to_start_and_to_learn_may_change(path: str, value: float, tmp_path: Path) -> None:
    make_runner(changed(RND_CFG, path, value)).load(saved(RND_CFG, tmp_path))


@pytest.mark.parametrize(
    ("before", "now", "rate"),
    [
        ({"learning_rate": 1e-3}, {"learning_rate": 1e-3}, 4e-4),  # adapted: its state goes on
        ({"learning_rate": 1e-3}, {}, 4e-4),  # the default of PPO, written or not
        ({"learning_rate": 1e-3}, {"learning_rate": 1e-5}, 1e-5),
        ({}, {"learning_rate": 1e-5}, 1e-5),
        ({"learning_rate": 1e-3}, {"learning_rate": 1e-5, "schedule": "fixed"}, 1e-5),
        ({"learning_rate": 1e-3}, {"learning_rate": 1e-3, "schedule": "fixed"}, 1e-3),
        ({"learning_rate": 1e-4, "schedule": "fixed"}, {"learning_rate": 1e-4, "schedule": "adaptive"}, 4e-4),
    ],
)
@pytest.mark.parametrize("settings", [{"accelerate": True}, {"accelerate": False}, {"algorithm": "PPO"}])
def test_the_learning_rate_that_is_written_down_is_the_one_that_runs(
    before: dict, now: dict, rate: float, settings: dict, tmp_path: Path
) -> None:
    runner = make_runner(runner_cfg(**settings, **before))
    runner.alg.learning_rate = 4e-4
    for group in runner.alg.optimizer.param_groups:
        group["lr"] = 4e-4
    if settings.get("accelerate"):
        runner.alg._set_rate(4e-4)  # type: ignore[attr-defined]
    runner.save(str(tmp_path / "model_0.pt"))
    resumed = make_runner(runner_cfg(**settings, **now))
    resumed.load(str(tmp_path / "model_0.pt"))
    assert resumed.alg.learning_rate == pytest.approx(rate)
    assert [float(group["lr"]) for group in resumed.alg.optimizer.param_groups] == pytest.approx(
        [rate] * len(resumed.alg.optimizer.param_groups)
    )
    resumed.learn(1)
    if now.get("schedule") == "fixed":
        assert resumed.alg.learning_rate == pytest.approx(rate)


def test_the_predictors_learning_rate_is_the_configurations(tmp_path: Path) -> None:
    runner = make_runner(changed(RND_CFG, "algorithm.rnd_cfg.learning_rate", 1e-5))
    runner.load(saved(RND_CFG, tmp_path))
    assert runner.alg.rnd is not None
    assert runner.alg.rnd.optimizer.param_groups[0]["lr"] == 1e-5
