# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is chosen for a machine, and refused on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.runs import (
    BPO,
    G1,
    PPO,
    Ask,
    without_cuda,
)


@without_cuda
@pytest.mark.parametrize("argv", [["--device", "cuda:0"], ["agent.device=cuda"], ["--distributed"]])
def test_cuda_is_refused_where_there_is_none(ask: Ask, argv: list[str]) -> None:
    assert "this machine has none" in ask("train", "--task", G1, *argv)["error"]


def test_log_folder_that_cannot_be_written_is_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    assert "is a file" in ask("train", "--task", G1)["error"]


@without_cuda
def test_cpu_is_chosen_for_simulation_and_agent(ask: Ask) -> None:
    answer = ask("train", "--task", G1)
    args = answer["args"]
    assert args["rl_library"] == "rsl_rl"
    assert args["task"] == "Isaac-Velocity-Rough-G1"
    assert args["agent"] == BPO
    assert args["device"] == "cpu"
    assert args["num_envs"] == 64
    assert {"agent.device=cpu", "physics=ovphysx"} <= set(answer["overrides"])
    assert len(answer["notes"]) == 2


@without_cuda
def test_what_the_user_chose_stays(ask: Ask) -> None:
    given = ["--task", G1, "--algo", "ppo", "--num_envs", "3", "--device", "cpu", "physics=newton_mjwarp"]
    answer = ask("train", *given)
    args, overrides = answer["args"], answer["overrides"]
    assert (args["algo"], args["num_envs"], args["device"]) == ("ppo", 3, "cpu")
    assert args["agent"] == PPO
    assert [token for token in overrides if token.startswith("physics=")] == ["physics=newton_mjwarp"]
    assert answer["num_envs"] == 3
    answer = ask("train", "--task", G1, "env.scene.num_envs=5")
    assert answer["args"]["num_envs"] is None
    assert answer["num_envs"] == 5


def test_device_reaches_the_agent(ask: Ask) -> None:
    assert "agent.device=cpu" in ask("train", "--task", G1, "--device", "cpu")["overrides"]
