# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Mistakes in the configuration that a command line asks for."""

from __future__ import annotations

from cli.runs import (
    G1,
    Ask,
)


def test_all_mistakes_are_named_at_once(ask: Ask) -> None:
    mistakes = [
        *("agent.algorithm.clip_parm=0.3", "agent.algorithm.gamma=2", "agent.actor.activation=nonsense"),
        *("agent.logger=print", "agent.save_interval=0", "env.scene.num_envs=many"),
        "agent.algorithm.num_mini_batches=999999",
    ]
    error = ask("train", "--task", G1, *mistakes)["error"]
    for mistake in mistakes:
        assert mistake.split("=")[0].rsplit(".", 1)[-1] in error
    assert "\n" not in error


def test_value_of_another_type_is_named(ask: Ask) -> None:
    assert "hidden_dims='wide'" in ask("train", "--task", G1, "agent.actor.hidden_dims=wide")["error"]
