# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The sweep files, as Ray Tune and Weights & Biases run them."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from e2e.process import ROOT, run

SWEEPS = ROOT / "benchmarks" / "sweep"


@pytest.fixture(scope="module")
def ray_tune() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ray_tune", SWEEPS / "ray_tune.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((SWEEPS / name).read_text())


def test_robots_are_the_papers_with_five_seeds_and_both_algorithms(ray_tune: ModuleType) -> None:
    space = ray_tune.search_space(read("robots.yaml"))
    values = {name: grid["grid_search"] for name, grid in space.items()}
    assert len(values["task"]) == 4
    assert values["algo"] == ["bpo", "ppo"]
    assert values["seed"] == [1, 2, 3, 4, 5]


def test_random_search_draws_from_its_ranges(ray_tune: ModuleType) -> None:
    sweep = read("hyperparameters.yaml")
    for name, domain in ray_tune.search_space(sweep).items():
        spec = sweep["parameters"][name]
        samples = domain.sample(size=100)
        if "values" in spec:
            assert set(samples) == set(spec["values"])
        else:
            assert spec["min"] <= min(samples) < max(samples) <= spec["max"]


def test_commands_are_expanded_as_by_wandb(ray_tune: ModuleType) -> None:
    sweep = {"program": "train.py", "command": ["./isaaclab.sh", "-p", "${program}", "${args}", "${args_no_hyphens}"]}
    parameters = {"seed": 3, "agent.algorithm.online_advantage": True}
    assert ray_tune.command_line(sweep, parameters) == [
        *(str(ROOT / "isaaclab.sh"), "-p", "train.py"),
        *("--seed=3", "--agent.algorithm.online_advantage=true"),
        *("seed=3", "agent.algorithm.online_advantage=true"),
    ]


def test_every_command_is_one_that_train_accepts(ray_tune: ModuleType, tmp_path: Path) -> None:
    commands = []
    robots = read("robots.yaml")
    for task, algo in itertools.product(robots["parameters"]["task"]["values"], robots["parameters"]["algo"]["values"]):
        commands.append(ray_tune.command_line(robots, {"task": task, "algo": algo, "seed": 1}))
    search = read("hyperparameters.yaml")
    corners = {name: spec.get("values", [spec.get("min")])[-1] for name, spec in search["parameters"].items()}
    commands.append(ray_tune.command_line(search, corners))
    code = f"""
import json, sys

from isaaclab_bpo.cli.command import translate
from isaaclab_bpo.cli.errors import UserError
for argv in {[command[3:] for command in commands]!r}:
    try:
        answer = translate("train", [*argv, "--logger", "tensorboard"]).args.task
    except UserError as error:
        answer = str(error)
    print("ANSWER", json.dumps(answer))
"""
    done = run(sys.executable, "-c", code, cwd=tmp_path)
    answers = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert len(answers) == len(commands), done.stderr[-3000:]
    for command, answer in zip(commands, answers, strict=True):
        task = next(token for token in command if token.startswith("--task=")).removeprefix("--task=")
        assert answer == task, answer


@pytest.mark.slow
def test_ray_trains_compares_and_does_not_train_again(tmp_path: Path) -> None:
    sweep = read("robots.yaml")
    sweep["parameters"] = {
        "task": {"values": ["Gym-Hopper-v5"]},
        "algo": {"values": ["bpo", "ppo"]},
        "seed": {"values": [1]},
    }
    (tmp_path / "hopper.yaml").write_text(yaml.dump(sweep))
    small = ("--max_iterations", "2", "agent.num_steps_per_env=32", "agent.algorithm.num_mini_batches=2")
    command = (sys.executable, str(SWEEPS / "ray_tune.py"), "hopper.yaml", "--output", "out", "--", *small)
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = tmp_path / "out" / "hopper" / "comparison" / "compare.md"
    assert "| Gym-Hopper-v5 | BPO over PPO |" in report.read_text()
    assert "Left out" not in report.read_text()

    before = sorted(tmp_path.rglob("model_*.pt"))
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert sorted(tmp_path.rglob("model_*.pt")) == before
