# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From a runner configuration to an algorithm: classes, shared encoders, and a configuration that stays as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO, AcceleratedBPO
from isaaclab_bpo.algorithms.construct import construct_algorithm
from isaaclab_bpo.algorithms.health import INVALID, SKIPPED
from isaaclab_bpo.algorithms.median import MedianCritic
from isaaclab_bpo.algorithms.options import ConfigurationError
from isaaclab_bpo.compatibility.bfloat16 import cpu_features, lacks_bfloat16
from point_mass import PointMass, runner_cfg


def construct(cfg: dict[str, Any], image: bool | torch.dtype = False) -> BPO:
    env = PointMass(image=image)
    return construct_algorithm(env.get_observations(), env, cfg | {"multi_gpu": None}, "cpu")


@pytest.mark.parametrize(("options", "cls"), [({}, AcceleratedBPO), ({"accelerate": False}, BPO)])
def test_accelerate_chooses_the_class(options: dict[str, Any], cls: type[BPO]) -> None:
    assert type(construct(runner_cfg(**options))) is cls


def test_rsl_rls_runner_reaches_it_through_every_class() -> None:
    assert BPO.construct_algorithm is construct_algorithm is AcceleratedBPO.construct_algorithm


@pytest.mark.parametrize(("model", "cls"), [("mlp", AcceleratedBPO), ("lstm", BPO)])
def test_the_faster_path_by_its_own_name_is_only_where_it_can_be(model: str, cls: type[BPO]) -> None:
    cfg = runner_cfg(model, algorithm="isaaclab_bpo.algorithms:AcceleratedBPO")
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


class Unread(PointMass):
    """Has a group of rays that hit nothing."""

    def get_observations(self) -> TensorDict:
        obs = super().get_observations()
        obs["rays"] = torch.full((self.num_envs, 3), torch.inf)
        return obs


@pytest.mark.parametrize(
    ("groups", "rnd", "looked_at"),
    [
        ({}, False, {"policy"}),
        ({"critic": ["policy", "rays"]}, False, {"policy", "rays"}),
        ({"actor": ["rays"]}, False, {"policy", "rays"}),
        ({"rnd_state": ["rays"]}, True, {"policy", "rays"}),
        ({"rnd_state": ["rays"]}, False, {"policy"}),  # there is no such network
        ({"teacher": ["rays"]}, False, {"policy"}),
    ],
)
def test_only_groups_that_a_network_reads_are_looked_at(groups: dict, rnd: bool, looked_at: set) -> None:
    sizes = {"num_outputs": 2, "predictor_hidden_dims": [8], "target_hidden_dims": [8], "weight": 0.1}
    cfg: dict[str, Any] = runner_cfg(rnd_cfg=sizes if rnd else None) | {"multi_gpu": None}
    cfg["obs_groups"] |= groups
    env = Unread()
    assert construct_algorithm(env.get_observations(), env, cfg, "cpu").health.groups == looked_at


@pytest.mark.parametrize("settings", [{}, {"accelerate": False}, {"model": "lstm"}, {"refresh_targets": False}])
def test_a_group_that_no_network_reads_does_not_keep_it_from_learning(settings: dict) -> None:
    runner = OnPolicyRunner(Unread(), runner_cfg(**settings))
    before = copy.deepcopy(runner.alg.actor.state_dict())
    runner.learn(1)
    assert not all(torch.equal(before[name], value) for name, value in runner.alg.actor.state_dict().items())
    assert all(runner.alg.health.log[name] == 0.0 for name in (SKIPPED, INVALID))  # type: ignore[attr-defined]


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("model", ["cnn", "nature"])
def test_all_networks_share_the_encoders_or_none_does(model: str, share: bool) -> None:
    bpo = construct(runner_cfg(model, share_cnn_encoders=share), image=torch.uint8 if model == "nature" else True)
    assert isinstance(bpo.median, MedianCritic)
    networks: list[Any] = [bpo.actor, bpo.critic, bpo.median.model]
    for network in networks[1:]:
        assert (network.cnns is bpo.actor.cnns) is share
    # Each parameter is once in the optimizer, in what is clipped and in the checkpoint
    optimized = [id(p) for group in bpo.optimizer.param_groups for p in group["params"]]
    clipped = [id(p) for parameters in bpo.networks.values() for p in parameters]
    everything = {id(p) for network in networks for p in [*network.parameters(), *network.cnns.parameters()]}
    assert sorted(optimized) == sorted(clipped) == sorted(everything)
    names = [f"{n}_state_dict" for n in ("actor", "critic", "median_critic")]
    saved = [any(key.startswith("cnns.") for key in bpo.save()[name]) for name in names]
    assert saved == [True, not share, not share]


@pytest.mark.parametrize("model", ["cnn", "nature"])
def test_a_checkpoint_of_shared_encoders_restores_all_networks(model: str) -> None:
    image = torch.uint8 if model == "nature" else True
    one, other = (construct(runner_cfg(model, share_cnn_encoders=True), image) for _ in range(2))
    obs = PointMass(image=image).get_observations()
    other.load(one.save(), None, strict=True)
    for a, b in ((one.actor, other.actor), (one.critic, other.critic), (one.median.network, other.median.network)):
        assert torch.equal(a(obs), b(obs))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("features", "lacks"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, True),  # an Intel Xeon of 2017
        ({"avx2": True, "avx512_bf16": True, "amx_bf16": False}, False),  # an AMD EPYC of 2022
        ({}, False),  # not known
    ],
)
def test_cpus_without_units_for_bfloat16_are_known(features: dict[str, bool], lacks: bool) -> None:
    assert lacks_bfloat16(features) is lacks


def test_slow_mixed_precision_is_said_where_it_is_slow(capsys: pytest.CaptureFixture) -> None:
    construct(runner_cfg(use_mixed_precision=True))
    is_said = "[INFO] use_mixed_precision: this CPU has no units for bfloat16" in capsys.readouterr().out
    assert is_said is lacks_bfloat16(cpu_features())
    construct(runner_cfg())
    assert "bfloat16" not in capsys.readouterr().out
