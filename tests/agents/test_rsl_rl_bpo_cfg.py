# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The configclasses of BPO, and the turn from PPO's to them."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest
from isaaclab.utils import to_dict
from isaaclab_rl.rsl_rl import RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg
from isaaclab_tasks.core.velocity.config.g1.agents.rsl_rl_ppo_cfg import G1RoughPPORunnerCfg
from rsl_rl.algorithms import PPO

from isaaclab_bpo.agents import RslRlBpoAlgorithmCfg, RslRlBpoRunnerCfg, bpo_from_ppo
from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.algorithms.options import OPTION_RULES, PPO_RULES, BpoOptions
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg


def test_every_field_of_the_configuration_reaches_the_algorithm() -> None:
    arguments = {name for cls in (BPO, PPO) for name in inspect.signature(cls.__init__).parameters}
    options = {field.name for field in fields(BpoOptions)}
    by_construction = {"class_name", "share_cnn_encoders"}
    assert {field.name for field in fields(RslRlBpoAlgorithmCfg)} - by_construction <= arguments | options
    assert {field.name: field.default for field in fields(BpoOptions)}.items() <= vars(RslRlBpoAlgorithmCfg()).items()


def test_every_field_has_a_rule() -> None:
    without = {"class_name", "rnd_cfg", "symmetry_cfg"}
    assert {field.name for field in fields(RslRlBpoAlgorithmCfg)} - without == {*OPTION_RULES, *PPO_RULES}


def test_ppo_turns_into_bpo() -> None:
    ppo = G1RoughPPORunnerCfg()
    ppo.algorithm.gamma, ppo.seed, ppo.num_steps_per_env = 0.97, 7, 13
    bpo = bpo_from_ppo(ppo)
    assert isinstance(bpo, RslRlBpoRunnerCfg)
    assert isinstance(bpo.algorithm, RslRlBpoAlgorithmCfg)
    kept = {f.name for f in fields(RslRlPpoAlgorithmCfg)} - {"class_name", "use_clipped_value_loss", "entropy_coef"}
    for name in kept:
        assert getattr(bpo.algorithm, name) == getattr(ppo.algorithm, name), name
    for name in {f.name for f in fields(RslRlOnPolicyRunnerCfg)} - {"algorithm", "experiment_name", "device"}:
        assert to_dict({"x": getattr(bpo, name)}) == to_dict({"x": getattr(ppo, name)}), name
    assert bpo.algorithm.class_name == "isaaclab_bpo.algorithms:BPO"
    assert bpo.algorithm.use_clipped_value_loss is False
    assert bpo.experiment_name == "g1_rough_bpo"
    assert check_agent_cfg(bpo) == []


@pytest.mark.parametrize(("of_ppo", "of_bpo"), [(0.01, 0.001), (0.001, 0.001), (0.0005, 0.0005), (0.0, 0.0)])
def test_a_large_entropy_coefficient_is_not_kept(of_ppo: float, of_bpo: float) -> None:
    ppo = G1RoughPPORunnerCfg()
    ppo.algorithm.entropy_coef = of_ppo
    bpo: Any = bpo_from_ppo(ppo)
    assert (bpo.algorithm.entropy_coef, ppo.algorithm.entropy_coef) == (of_bpo, of_ppo)


def test_other_algorithms_do_not_turn_into_bpo() -> None:
    ppo = G1RoughPPORunnerCfg()
    ppo.algorithm.class_name = "Distillation"
    with pytest.raises(ValueError, match="trains with Distillation"):
        bpo_from_ppo(ppo)
