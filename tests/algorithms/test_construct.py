# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From a runner configuration to an algorithm: classes, shared encoders, and a configuration that stays as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from isaaclab_bpo.algorithms import BPO, AcceleratedBPO
from isaaclab_bpo.algorithms.construct import construct_algorithm
from isaaclab_bpo.algorithms.median import MedianCritic
from isaaclab_bpo.algorithms.options import ConfigurationError
from point_mass import PointMass, runner_cfg


def construct(cfg: dict[str, Any], image: bool = False) -> BPO:
    env = PointMass(image=image)
    return construct_algorithm(env.get_observations(), env, cfg | {"multi_gpu": None}, "cpu")


@pytest.mark.parametrize(("accelerate", "cls"), [(True, AcceleratedBPO), (False, BPO), (None, AcceleratedBPO)])
def test_accelerate_chooses_the_class(accelerate: bool | None, cls: type[BPO]) -> None:
    assert type(construct(runner_cfg(accelerate=accelerate))) is cls


def test_rsl_rls_runner_reaches_it_through_every_class() -> None:
    assert BPO.construct_algorithm is construct_algorithm is AcceleratedBPO.construct_algorithm


@pytest.mark.parametrize(("model", "cls"), [("mlp", AcceleratedBPO), ("lstm", BPO)])
def test_the_faster_path_by_its_own_name_is_only_where_it_can_be(model: str, cls: type[BPO]) -> None:
    cfg = runner_cfg(model, algorithm="isaaclab_bpo.algorithms:AcceleratedBPO", accelerate=None)
    assert type(construct(cfg)) is cls


def test_options_and_arguments_of_ppo_reach_the_algorithm() -> None:
    bpo = construct(runner_cfg(temperature=0.5, gamma=0.9, clip_param=0.3, max_grad_norm=0.7, use_mixed_precision=True))
    assert (bpo.options.temperature, bpo.gamma, bpo.bounds.upper, bpo.max_grad_norm) == (0.5, 0.9, 1.3, 0.7)
    assert bpo.use_mixed_precision


def test_an_argument_that_nobody_knows_is_named() -> None:
    with pytest.raises(ConfigurationError, match="clip_parm is not a setting of BPO: did you mean clip_param"):
        construct(runner_cfg(clip_parm=0.2))


def test_the_configuration_is_left_as_it_was() -> None:
    cfg = runner_cfg("lstm", rnd_cfg=None)
    before = copy.deepcopy(cfg)
    construct(cfg)
    assert {name: cfg[name] for name in ("algorithm", "actor", "critic")} == {
        name: before[name] for name in ("algorithm", "actor", "critic")
    }


@pytest.mark.parametrize("share", [True, False])
def test_all_networks_share_the_encoders_or_none_does(share: bool) -> None:
    bpo = construct(runner_cfg("cnn", share_cnn_encoders=share), image=True)
    assert isinstance(bpo.median, MedianCritic)
    for model in (bpo.critic, bpo.median.model):
        assert (model.cnns is bpo.actor.cnns) is share  # type: ignore[attr-defined]
    # Each parameter is in the optimizer, once
    parameters = [id(p) for group in bpo.optimizer.param_groups for p in group["params"]]
    assert {id(p) for network in bpo.networks.values() for p in network} == set(parameters)
    median = [id(p) for p in bpo.optimizer.param_groups[1]["params"]]
    assert len(median) == len(set(median))
    assert not set(median) & {id(p) for p in bpo.optimizer.param_groups[0]["params"]}
