# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is chosen for a machine, and refused on it."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch

from cli.runs import BPO, G1, PPO, Ask, without_cuda
from cli.starts import Start
from isaaclab_bpo.cli.machine import MAX_THREADS, set_threads
from isaaclab_bpo.cli.surroundings import prepare


@without_cuda
@pytest.mark.parametrize("argv", [["--device", "cuda:0"], ["agent.device=cuda"], ["--distributed"]])
def test_cuda_is_refused_where_there_is_none(ask: Ask, argv: list[str]) -> None:
    assert "this machine has none" in ask("train", "--task", G1, *argv)["error"]


@pytest.mark.parametrize("name", ["--device", "agent.device", "env.sim.device"])
@pytest.mark.parametrize("device", ["mps", "gpu", "", "CPU", "cpu:1", "meta", "xpu", "cuda:x", "cuda:-1", "0"])
def test_device_that_isaac_lab_does_not_know_is_refused(ask: Ask, name: str, device: str) -> None:
    given = [name, device] if name == "--device" else [f"{name}={device}"]
    error = ask("train", "--task", "Gym-Hopper-v5", *given)["error"]
    assert f"{device!r} is not a device of Isaac Lab: give cpu, cuda" in error


@without_cuda
def test_device_of_the_simulation_is_that_of_the_agent(ask: Ask) -> None:
    assert ask("train", "--task", "Gym-Hopper-v5", "env.sim.device=cpu")["args"]["device"] == "cpu"
    assert "needs a CUDA device" in ask("train", "--task", "Gym-Hopper-v5", "env.sim.device=cuda:0")["error"]


@pytest.mark.parametrize("action", ["train", "play"])
@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2, the number of processes to train with: give --distributed to train"),
        ({"WORLD_SIZE": "8", "RANK": "7", "LOCAL_RANK": "3"}, "WORLD_SIZE=8"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two', which is not a number: unset it"),
        ({"WORLD_SIZE": "-1"}, "WORLD_SIZE='-1', which is not a number"),
        ({"WORLD_SIZE": ""}, "WORLD_SIZE='', which is not a number"),
        ({"WORLD_SIZE": "0"}, "RANK=0, which must be less than WORLD_SIZE=0"),
        ({"RANK": "1"}, "RANK=1, which must be less than WORLD_SIZE=1"),
        ({"LOCAL_RANK": "1"}, "LOCAL_RANK=1, which must be less than WORLD_SIZE=1"),
        ({"RANK": "first"}, "RANK='first', which is not a number"),
    ],
)
def test_leftovers_of_a_launcher_are_named(start: Start, action: str, variables: dict[str, str], part: str) -> None:
    done = start(action, "--task", "Gym-Hopper-v5", **variables)
    assert done.returncode == 2
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


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


@pytest.mark.parametrize(
    ("class_name", "hidden_dims", "num_rows", "there", "expected"),
    [
        ("MLPModel", [64, 64], 256, 2, 1),
        ("MLPModel", [128, 128, 128], 384, 2, 2),
        ("MLPModel", [512, 256, 128], 384, 4, 4),
        ("MLPModel", [512, 256, 128], 4, 4, 1),  # play
        ("MLPModel", [512, 256, 128], 384, 64, MAX_THREADS),
        ("MLPModel", [256], 10**6, 4, 1),
        ("isaaclab_bpo.models:OrthogonalMLPModel", [64, 64], 256, 2, 1),
        ("isaaclab_bpo.models:NatureCNNModel", [], 256, 2, 2),
        (None, [], 256, 2, 2),
    ],
)
def test_threads_are_as_many_as_pay(
    monkeypatch: pytest.MonkeyPatch, class_name: str, hidden_dims: list[int], num_rows: int, there: int, expected: int
) -> None:
    before = torch.get_num_threads()
    actor = SimpleNamespace(class_name=class_name, hidden_dims=hidden_dims) if class_name else None
    try:
        for variable, number in ((None, expected), (str(there), there)):
            monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
            if variable is not None:
                monkeypatch.setenv("OMP_NUM_THREADS", variable)
            torch.set_num_threads(there)
            assert set_threads(actor, num_rows) == torch.get_num_threads() == number
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "passive"}, {"GOMP_SPINCOUNT": "7"}], ids=str)
def test_threads_that_wait_let_others_work(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    prepare()
    now = {name: os.environ[name] for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT") if name in os.environ}
    assert now == (given or {"GOMP_SPINCOUNT": "1000"})
