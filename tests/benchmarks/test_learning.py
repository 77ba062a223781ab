# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The learning benchmark, on a real task with a tiny budget."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import report
import torch
from controls import PageLossBPO, RatioRateBPO
from experiments import Experiment, gather
from rsl_rl.runners import OnPolicyRunner
from run import Job

from compare.logs import write_run
from e2e.process import ROOT, TIMEOUT, environment, run
from isaaclab_bpo.compare.runs import read_runs
from point_mass import PointMass, runner_cfg

RESULTS = ROOT / "docs" / "results.md"
BENCHMARK = (sys.executable, str(ROOT / "benchmarks" / "learning" / "run.py"), "paper")
HOPPER = (*BENCHMARK, "--tasks", "Gym-Hopper-v5")
SMALL = ("--", "agent.num_steps_per_env=64", "agent.algorithm.num_mini_batches=4")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_budget_is_spent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = (*HOPPER, "--seeds", "1", "--steps", "1e3", "--output", "out", *SMALL)
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = rows(tmp_path / "out" / "comparison" / "runs.csv")
    assert [(row["algorithm"], row["seed"], row["steps"]) for row in found] == [
        ("BPO", "1", "1024.0"),  # 1000 steps, in whole iterations of 4 x 64
        ("PPO", "1", "1024.0"),
    ]
    assert "100 % of 2 runs" in done.stderr

    checkpoints = sorted(tmp_path.rglob("model_*.pt"))
    assert run(*command, cwd=tmp_path).returncode == 0
    assert sorted(tmp_path.rglob("model_*.pt")) == checkpoints

    other = run(*HOPPER, "--seeds", "1", "--steps", "2e3", "--output", "out", *SMALL, cwd=tmp_path)
    assert other.returncode == 1
    assert "holds a run with other arguments: give another --output" in other.stderr

    # What is stored of it: a run that has not finished is named, one that is stored stays
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    experiment = Experiment(["Gym-Hopper-v5"], [1, 2], 1000, {"BPO": [], "PPO": []})
    marker = tmp_path / "out" / "Gym-Hopper-v5" / "PPO" / "1" / "done"
    marker.unlink()
    for is_finished, stored, left_out in [
        (False, ["BPO"], ["Gym-Hopper-v5, PPO, seed 1 is not finished"]),
        (True, ["BPO", "PPO"], []),
        (False, ["BPO", "PPO"], []),
    ]:
        if is_finished:
            marker.touch()
        report.take_over("small", experiment, tmp_path / "out")
        assert [one.algorithm for one in read_runs([tmp_path / "results" / "small.json"])[0]] == stored
        assert json.loads((tmp_path / "results" / "small.machine.json").read_text())["left_out"] == left_out
        marker.unlink(missing_ok=True)

    # A run with another budget or other settings is none of the experiment's
    with pytest.raises(SystemExit, match="no finished run of small"):
        report.take_over("small", replace(experiment, steps=10_000), tmp_path / "out")
    text = (tmp_path / "results" / "small.json").read_text()
    assert str(tmp_path) not in text  # whoever reads it has no such folder
    odd = json.loads(text)[0]
    odd["seed"], odd["settings"]["algorithm.gamma"] = 2, 0.5
    (tmp_path / "results" / "small.json").write_text(text.replace("[", f"[{json.dumps(odd)},", 1))
    with pytest.raises(SystemExit, match=r"differ in their settings.*BPO gamma=0\.5"):
        report.take_over("small", experiment, tmp_path / "out")


def test_lost_machine_leaves_no_half_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(path: Path, text: str) -> None:
        with path.open("w") as file:
            file.write(text[: len(text) // 2])
        raise KeyboardInterrupt

    job = Job(tmp_path / "1", "train.py", ["--seed", "1"], seconds=None)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", write_half)
        with pytest.raises(KeyboardInterrupt):
            job.prepare()
    job.prepare()
    job.arguments = ["--seed", "2"]
    with pytest.raises(SystemExit, match="holds a run with other arguments"):
        job.prepare()


def test_run_of_which_a_folder_is_left_out_is_not_called_unreadable(tmp_path: Path) -> None:
    logs = tmp_path / "Walk" / "PPO" / "1" / "logs"
    write_run(logs / "1", [0.0, 1.0])
    for name in ("2", "3"):  # the first ended before it had saved
        write_run(logs / name, [2.0], start=2, checkpoint=str(logs / "1" / "model_1.pt"))
    (logs.parent / "done").touch()
    (one,), left_out = gather(tmp_path, ["Walk"], ["PPO"])
    assert [Path(folder).name for folder in one.folders] == ["1", "3"]
    assert left_out == ["Walk, PPO, seed 1 lacks some of its folders"]


def test_run_that_ends_before_the_others_first_return_is_named(tmp_path: Path) -> None:
    command = (*BENCHMARK, "--tasks", "Walk", "--seeds", "1", "--output", "out")
    for variant, returns in {"BPO": [1.0], "PPO": [None, None, 2.0, 3.0]}.items():
        folder = tmp_path / "out" / "Walk" / variant / "1"
        write_run(folder / "logs", returns)
        (folder / "done").touch()
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["steps"] for row in rows(tmp_path / "out" / "comparison" / "runs.csv")] == ["160.0"]
    report = (tmp_path / "out" / "comparison" / "compare.md").read_text()
    assert "Walk/BPO/1/logs: its returns, from 40 to 40 steps, cannot be compared" in report


def test_control_with_the_pages_loss_learns_nothing_outside_the_bounds() -> None:
    env = PointMass()
    runner = OnPolicyRunner(
        env, runner_cfg(algorithm="controls:PageLossBPO", online_advantage=True, num_learning_epochs=1), device="cpu"
    )
    runner.learn(1)
    assert isinstance(runner.alg, PageLossBPO)
    ratio = torch.tensor([0.5, 0.9, 1.1, 1.9], requires_grad=True)
    zero, ones = torch.zeros(4), torch.ones(4)
    runner.alg.policy_loss(ratio, ones, zero, zero, ones).backward()
    assert ratio.grad is not None
    assert ratio.grad.tolist() == [0.0, -0.25, -0.25, 0.0]


def test_control_of_the_rate_watches_the_ratio() -> None:
    cfg = runner_cfg(algorithm="controls:RatioRateBPO", schedule="adaptive", desired_kl=0.04)
    runner = OnPolicyRunner(PointMass(), cfg, device="cpu")
    runner.learn(1)
    assert isinstance(runner.alg, RatioRateBPO)
    log = runner.alg.health.log
    assert log["BPO/kl"] == pytest.approx(log["BPO/ratio_deviation"], rel=1e-4)
    assert log["BPO/kl"] > 0.0


@pytest.mark.parametrize(("desired_kl", "falls"), [(10.0, False), (1e-5, True)])
def test_control_of_the_highest_rate_lets_it_only_fall(desired_kl: float, falls: bool) -> None:
    cfg = runner_cfg(algorithm="controls:BoundedRateBPO", schedule="adaptive", desired_kl=desired_kl)
    runner = OnPolicyRunner(PointMass(), cfg, device="cpu")
    highest = runner.alg.learning_rate
    runner.learn(2)
    assert (runner.alg.learning_rate < highest) is falls
    assert falls or runner.alg.learning_rate == highest


def test_failed_run_is_named_with_its_reason(tmp_path: Path) -> None:
    task = ("--tasks", "Gym-Jumper-v5", "--variants", "PPO", "--seeds", "1", "--steps", "500")
    done = run(*BENCHMARK, *task, cwd=tmp_path)
    assert done.returncode == 1
    assert "Gym-Jumper-v5 PPO 1 ended with exit code 2: train.py: error: --task 'Gym-Jumper-v5'" in done.stderr
    assert "Traceback" not in done.stderr


def interrupt(command: tuple[str, ...], interruption: signal.Signals, output: Path, line: str) -> None:
    """Start a benchmark and interrupt it when its run has printed ``line`` into ``output``."""
    cwd = output.parents[4]
    process = subprocess.Popen(command, cwd=cwd, env=environment(), stderr=subprocess.PIPE, text=True)
    end = time.time() + TIMEOUT
    while time.time() < end and not (output.exists() and line in output.read_text()):
        time.sleep(0.2)
    process.send_signal(interruption)
    _, error = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 75
    assert "the same command goes on" in error


@pytest.mark.slow
@pytest.mark.parametrize("interruption", [signal.SIGTERM, signal.SIGHUP])
def test_interrupted_benchmark_goes_on(interruption: signal.Signals, tmp_path: Path) -> None:
    command = (*HOPPER, "--variants", "BPO", "--seeds", "1", "--steps", "12288", "--output", "out")
    output = tmp_path / "out" / "Gym-Hopper-v5" / "BPO" / "1" / "output.txt"
    interrupt(command, interruption, output, "Learning iteration 1/6")

    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert output.read_text().count("Learning iteration 5/6") == 1
    (row,) = rows(tmp_path / "out" / "comparison" / "runs.csv")
    assert row["steps"] == "12288.0"
    assert len(row["folders"].split()) == 2


@pytest.mark.slow
def test_mjlab_trains_with_both_algorithms(tmp_path: Path) -> None:
    """In an environment of its own, since mjlab needs other versions than Isaac Lab; interrupted and continued."""
    uv, python = str(Path(sys.executable).with_name("uv")), str(tmp_path / "venv" / "bin" / "python")
    packages = ("mjlab==1.6.0", f"torch=={version('torch')}", "--editable", f"{ROOT}[compare]")
    for install in (("venv", "--python", sys.executable, "venv"), ("pip", "install", "--python", python, *packages)):
        done = run(uv, *install, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]

    task = "Mjlab-Velocity-Rough-Unitree-Go1"
    budget = ("--seeds", "1", "--steps", "960", "--jobs", "1")
    command = (python, BENCHMARK[1], "mjlab", "--tasks", task, *budget, "--output", "out", "--", "--num_envs=8")
    interrupt(command, signal.SIGTERM, tmp_path / "out" / task / "BPO" / "1" / "output.txt", "Learning iteration 1/5")

    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    bpo, ppo = read_runs([tmp_path / "out" / "comparison" / "runs.json"])[0]
    assert (bpo.algorithm, bpo.steps[-1], len(bpo.folders)) == ("BPO", 960.0, 2)
    assert (ppo.algorithm, ppo.steps[-1], len(ppo.folders)) == ("PPO", 960.0, 1)
    assert (bpo.settings["algorithm.clip_param"], ppo.settings["algorithm.clip_param"]) == (0.3, 0.2)


@pytest.mark.slow
def test_budget_in_minutes_ends_a_run_with_a_checkpoint(tmp_path: Path) -> None:
    done = run(*HOPPER, "--variants", "PPO", "--seeds", "1", "--minutes", "0.1", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    (row,) = rows(tmp_path / "out" / "comparison" / "runs.csv")
    assert 6.0 <= float(row["seconds"]) <= 30.0
    iterations = float(row["steps"]) / 512
    assert list(tmp_path.rglob(f"model_{iterations - 1:.0f}.pt"))


def test_results_page_is_what_the_stored_runs_give(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text(RESULTS.read_text())
    report = (sys.executable, str(ROOT / "benchmarks" / "learning" / "report.py"), "--page", str(page))
    done = run(*report, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert page.read_text() == RESULTS.read_text(), "run benchmarks/learning/report.py"
    figures = re.findall(r"\(figures/(learning_\w+\.png)\)", page.read_text())
    assert figures
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(figures)
