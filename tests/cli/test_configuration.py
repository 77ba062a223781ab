# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Mistakes in the configuration that a command line asks for."""

from __future__ import annotations

import pytest

from cli.runs import G1, Ask
from cli.starts import Start

HOPPER = ("--task", "Gym-Hopper-v5")


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


@pytest.mark.parametrize(
    "field", ["agent.algorithm.temperature", "agent.algorithm.median", "agent.algorithm.loss", "agent.keep_last"]
)
def test_fields_of_the_other_algorithm_are_named_as_such(ask: Ask, field: str) -> None:
    for task in ("Gym-Hopper-v5", G1):
        error = ask("train", "--task", task, "--algo", "ppo", f"{field}=1")["error"]
        assert f"has no {field.rsplit('.', 1)[1]!r}: it is one of --algo bpo" in error


@pytest.mark.parametrize(
    "token",
    ["env.scene=null", "env.scene=3", "env.sim=None", "agent.actor=nonsense", "agent.critic=null", "agent.algorithm=3"],
)
def test_section_in_place_of_its_fields_is_named(ask: Ask, token: str) -> None:
    error = ask("train", *HOPPER, token)["error"]
    assert f"{token!r} replaces a whole section: set its fields, such as {token.split('=')[0]}." in error


@pytest.mark.parametrize("given", [["--seed", "-2"], ["--seed", "4294967296"], ["agent.seed=-2"], ["agent.seed=1e3"]])
def test_seed_out_of_range_is_named(ask: Ask, given: list[str]) -> None:
    assert "must be an integer from -1 to 4294967295" in ask("train", *HOPPER, *given)["error"]


def test_seed_that_would_be_overwritten_is_named(ask: Ask) -> None:
    assert "env.seed is set from agent.seed" in ask("train", *HOPPER, "env.seed=3")["error"]


@pytest.mark.parametrize("given", [["--seed", "-1"], ["agent.seed=-1"], ["--seed=-1", "agent.seed=3"]])
def test_seed_is_drawn_and_said(ask: Ask, given: list[str]) -> None:
    seeds = set()
    for _ in range(3):
        answer = ask("train", *HOPPER, *given)
        seed = answer["args"]["seed"]
        assert f"seed {seed} (drawn, as -1 asks)" in answer["notes"]
        seeds.add(seed)
    assert len(seeds) == 3
    assert min(seeds) >= 0


@pytest.mark.parametrize("name", ["RESUME", "MODE", "INIT_TIMEOUT", "SILENT", "CONSOLE", "BASE_URL"])
def test_variable_that_wandb_cannot_read_is_named(start: Start, name: str) -> None:
    done = start("train", *HOPPER, "--logger", "wandb", **{"WANDB_MODE": "offline", f"WANDB_{name}": "nonsense"})
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"train.py: error: --logger wandb cannot read the environment's WANDB_{name}='nonsense'"
    )
    assert done.stderr.count("\n") == 1
