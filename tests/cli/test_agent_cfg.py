# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Errors in an agent's configclass."""

from __future__ import annotations

from typing import Any

import pytest
from isaaclab_tasks.core.velocity.config.g1.agents.rsl_rl_ppo_cfg import G1RoughPPORunnerCfg

from isaaclab_bpo.agents.robots import bpo_cfg
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            "algorithm.clip_param",
            -1,
            "agent.algorithm.clip_param=-1 is not valid: it must be a number in (0, 1], or null.",
        ),
        (
            "algorithm.median",
            "foo",
            "agent.algorithm.median='foo' is not valid: it must be one of critic, batch, value.",
        ),
        ("algorithm.temperature", 0, "agent.algorithm.temperature=0 is not valid: it must be a finite number > 0."),
        ("algorithm.clip_parm", 0.1, "did you mean agent.algorithm.clip_param?"),
        ("algorithm.num_mini_batches", 1.5, "agent.algorithm.num_mini_batches=1.5 is not valid"),
        ("num_steps_per_env", 0, "agent.num_steps_per_env=0 is not valid: it must be an integer >= 1."),
        ("max_iterations", -1, "agent.max_iterations=-1 is not valid: it must be an integer >= 0."),
        ("foo", 1, "agent.foo is not a field of RslRlBpoRunnerCfg"),
    ],
)
def test_error_is_named(path: str, value: object, sentence: str) -> None:
    cfg: Any = bpo_cfg("Isaac-Velocity-Rough-G1")
    *parents, leaf = path.split(".")
    target = cfg
    for parent in parents:
        target = getattr(target, parent)
    setattr(target, leaf, value)
    (error,) = check_agent_cfg(cfg)
    assert sentence in error


def test_ppos_configuration_is_checked_too() -> None:
    ppo = G1RoughPPORunnerCfg()
    assert check_agent_cfg(ppo) == []
    ppo.algorithm.clip_param = -1
    assert len(check_agent_cfg(ppo)) == 1
