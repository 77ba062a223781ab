# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Comparisons of trainings, from folders like those that Isaac Lab and rsl_rl write."""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from torch.utils.tensorboard import SummaryWriter

from isaaclab_bpo.compare import __main__ as command
from isaaclab_bpo.compare.report import write_report
from isaaclab_bpo.compare.runs import read_runs
from isaaclab_bpo.compare.statistics import Group, group_runs, interquartile_mean, probability_of_improvement

BPO, PPO = "isaaclab_bpo.algorithms:BPO", "PPO"
NUM_ENVS, NUM_STEPS = 8, 5


def write_events(folder: Path, returns: Sequence[float | None], start: int = 0, seconds: float = 2.0) -> None:
    """Write the scalars of rsl_rl's logger for iterations from ``start`` on; None is an iteration without a return."""
    writer = SummaryWriter(str(folder))
    for iteration, value in enumerate(returns, start):
        writer.add_scalar("Perf/collection_time", 0.75 * seconds, iteration)
        writer.add_scalar("Perf/learning_time", 0.25 * seconds, iteration)
        if value is not None:
            writer.add_scalar("Train/mean_reward", value, iteration)
    writer.close()


def write_run(
    folder: Path,
    returns: Sequence[float | None],
    task: str = "Walk",
    algorithm: str = PPO,
    seed: int = 1,
    start: int = 0,
    checkpoint: str = "model_.*.pt",
    **hyperparameters: float,
) -> Path:
    """Write what a training leaves behind."""
    (folder / "params").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"task": task, "metadata": {"agent": "agent"}}))
    agent = {"seed": seed, "num_steps_per_env": NUM_STEPS, "load_checkpoint": checkpoint}
    agent["algorithm"] = {"class_name": algorithm, "clip_param": 0.2} | hyperparameters
    (folder / "params" / "agent.yaml").write_text(yaml.dump(agent | {"actor": {"std_range": (1e-6, 1e6)}}))
    env = {"scene": {"num_envs": NUM_ENVS, "slice": slice(None)}, "sim": {"physics": {"class_type": "Engine"}}}
    (folder / "params" / "env.yaml").write_text(yaml.dump(env))
    write_events(folder, returns, start)
    return folder


def write_seeds(root: Path, finals: list[float], **run: str | float) -> None:
    """Write one run for each of ``finals``: ten iterations, of which the first return 0."""
    for seed, final in enumerate(finals):
        write_run(root / f"{len(list(root.glob('*')))}", [0.0] * 9 + [final], seed=seed, **run)  # type: ignore[arg-type]


def run_command(monkeypatch: pytest.MonkeyPatch, *argv: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, argv)])
    command.main()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


# --- Statistics -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([2.0], 2.0),
        ([1.0, 2.0, 6.0], 3.0),  # a quarter of three runs is none: the mean
        ([1.0, 2.0, 4.0, 90.0], 3.0),  # (2 + 4)/2
        ([-50.0, 1.0, 2.0, 6.0, 90.0], 3.0),  # (1 + 2 + 6)/3
    ],
)
def test_interquartile_mean_drops_the_outer_quarters(scores: list[float], expected: float) -> None:
    estimate = interquartile_mean(np.array(scores))
    assert estimate.value == pytest.approx(expected)
    assert (estimate.low is None) == (len(scores) < 3)


def test_interval_is_that_of_all_resamples() -> None:
    scores = np.array([1.0, 2.0, 6.0])
    means = [np.mean(resample) for resample in itertools.product(scores, repeat=3)]  # all 27, equally likely
    estimate = interquartile_mean(scores)
    assert (estimate.low, estimate.high) == pytest.approx(
        tuple(np.percentile(means, [2.5, 97.5], method="inverted_cdf"))
    )


def test_probability_of_improvement_counts_pairs() -> None:
    # x > y in 2 of 2·3 pairs (3 > 1, 3 > 2), 3 = 3 and 1 = 1 are ties: (2 + 2/2)/6
    x, y = np.array([1.0, 3.0]), np.array([1.0, 2.0, 3.0])
    assert probability_of_improvement([(x, y)]).value == pytest.approx(0.5)
    assert probability_of_improvement([(x, y)]).low is None
    # two tasks, one won by all seeds and one lost by all
    three = np.arange(3.0)
    estimate = probability_of_improvement([(three + 10.0, three), (three, three + 10.0)])
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.5, 0.5, 0.5))
    # n tasks alike are resampled independently: the interval shrinks with √n
    alike = (np.array([1.0, 3.0, 5.0, 7.0]), np.array([0.0, 2.0, 6.0, 8.0]))
    one, four = (probability_of_improvement([alike] * n) for n in (1, 4))
    width, width_of_four = (estimate.high - estimate.low for estimate in (one, four))  # type: ignore[operator]
    assert width_of_four == pytest.approx(width / 2, rel=0.15)


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_run_is_read_from_its_folder(tmp_path: Path) -> None:
    write_run(tmp_path / "walk_bpo" / "1", [None, 1.0, 3.0], algorithm=BPO, seed=7)
    (run,), problems = read_runs([tmp_path])
    assert (run.task, run.algorithm, run.seed, problems) == ("Walk", "BPO", 7, [])
    assert run.steps == [80.0, 120.0]  # 8 environments x 5 steps an iteration, and no return after the first one
    assert run.seconds == [4.0, 6.0]
    assert run.returns == [1.0, 3.0]


def test_all_ranks_step(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", [1.0])
    for rank in (1, 2, 3):
        (folder / f"rank_{rank}" / "params").mkdir(parents=True)
    (run,), _ = read_runs([tmp_path])
    assert run.steps == [160.0]


def test_overlapping_folders_hold_one_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "walk" / "1", [1.0])
    assert len(read_runs([tmp_path, tmp_path / "walk", folder])[0]) == 1


def test_run_resumed_in_its_folder_keeps_the_later_half(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", [0.0, 1.0, 2.0, 3.0])
    write_events(folder, [20.0], start=2)  # iterations 2 and 3 were lost with the interruption
    (run,), _ = read_runs([tmp_path])
    assert run.returns == [0.0, 1.0, 20.0]
    assert run.steps == [40.0, 80.0, 120.0]


def test_run_resumed_in_other_folders_is_one_run(tmp_path: Path) -> None:
    logs = tmp_path / "logs" / "walk"
    write_run(logs / "1", [0.0, 1.0, 2.0, 3.0])
    write_run(logs / "2", [20.0, 30.0], start=2, checkpoint="/moved/logs/walk/1/model_2.pt")
    write_run(logs / "3", [300.0, 400.0], start=3, checkpoint=str(logs / "2" / "model_3.pt"))
    (run,), problems = read_runs([tmp_path])
    assert problems == []
    assert run.returns == [0.0, 1.0, 20.0, 300.0, 400.0]
    assert run.seconds == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert [Path(folder).name for folder in run.folders] == ["1", "2", "3"]


@pytest.mark.parametrize("continuation", [{"seed": 2}, {"algorithm": BPO}, {"checkpoint": "elsewhere/1/model_2.pt"}])
def test_continuation_of_another_run_is_left_out(tmp_path: Path, continuation: dict[str, Any]) -> None:
    write_run(tmp_path / "walk" / "1", [0.0, 1.0, 2.0])
    origin: dict[str, Any] = {"checkpoint": str(tmp_path / "walk" / "1" / "model_2.pt")}
    write_run(tmp_path / "walk" / "2", [20.0], start=2, **origin | continuation)
    runs, (problem,) = read_runs([tmp_path])
    assert len(runs) == 1
    assert "walk/2" in problem
    assert "at iteration 2" in problem


def test_long_curves_are_averaged(tmp_path: Path) -> None:
    write_run(tmp_path / "1", [float(i % 2) for i in range(400)])
    (run,), _ = read_runs([tmp_path])
    assert run.returns == [0.5] * 200
    assert run.steps == [80.0 * i for i in range(1, 201)]


def test_interrupted_write_costs_the_last_event_only(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", [1.0, 2.0, 3.0])
    (events,) = folder.glob("events.out.tfevents.*")
    events.write_bytes(events.read_bytes()[:-5])
    (run,), problems = read_runs([tmp_path])
    assert (run.returns, problems) == ([1.0, 2.0], [])


def test_foreign_configuration_runs_no_code(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", [1.0])
    for name in ("agent", "env"):
        with (folder / "params" / f"{name}.yaml").open("a") as file:
            file.write(f"attack: !!python/object/apply:os.system ['touch {tmp_path}/attacked']\n")
            file.write("function: !!python/name:os.system\n")
    assert len(read_runs([tmp_path])[0]) == 1
    assert not (tmp_path / "attacked").exists()


def damage(folder: Path, what: str) -> None:
    """Do to a run in ``folder`` what ``what`` says."""
    agent = folder / "params" / "agent.yaml"
    (events,) = folder.glob("events.out.tfevents.*")
    if what == "no manifest":
        (folder / "run.json").unlink()
    elif what == "cut manifest":
        (folder / "run.json").write_text('{"task": ')
    elif what == "manifest of another kind":
        (folder / "run.json").write_text("[1, 2]")
    elif what == "no YAML":
        agent.write_text("a: [")
    elif what == "endless YAML":
        agent.write_text("a: &a {b: *a}")
    elif what == "no seed":
        agent.write_text(agent.read_text().replace("seed:", "seeds:"))
    elif what == "binary YAML":
        agent.write_bytes(bytes(range(256)))
    elif what == "noise for events":
        events.write_bytes(np.random.default_rng(0).bytes(10_000))
    elif what == "no events":
        events.write_bytes(b"")


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("no manifest", "run.json cannot be read"),
        ("cut manifest", "run.json is damaged"),
        ("manifest of another kind", "run.json is damaged"),
        ("no YAML", "agent.yaml is damaged"),
        ("endless YAML", "agent.yaml is damaged"),
        ("binary YAML", "agent.yaml is damaged"),
        ("no seed", "seed is None"),
        ("noise for events", "its event files"),
        ("no events", "hold no iteration"),
    ],
)
def test_damaged_run_is_named_and_the_others_compared(tmp_path: Path, what: str, complaint: str) -> None:
    write_run(tmp_path / "whole", [1.0])
    damage(write_run(tmp_path / "damaged", [1.0], seed=2), what)
    (run,), (problem,) = read_runs([tmp_path])
    assert run.seed == 1
    assert problem.startswith(str(tmp_path / "damaged"))
    assert complaint in problem


@pytest.mark.parametrize(
    ("returns", "complaint"), [([None, None], "no episode has ended"), ([1.0, float("nan")], "not finite")]
)
def test_run_without_a_return_is_named(tmp_path: Path, returns: list, complaint: str) -> None:
    write_run(tmp_path / "1", returns)
    runs, (problem,) = read_runs([tmp_path])
    assert not runs
    assert complaint in problem


# --- Comparing --------------------------------------------------------------------------------------------------------


def groups_of(path: Path) -> list[Group]:
    runs, problems = read_runs([path])
    assert problems == []
    return group_runs(runs)


def test_runs_are_grouped_by_task_and_algorithm(tmp_path: Path) -> None:
    write_seeds(tmp_path, [1.0, 2.0], algorithm=BPO)
    write_seeds(tmp_path, [1.0], algorithm=PPO)
    write_seeds(tmp_path, [1.0], algorithm=PPO, task="Run")
    found = [(group.task, group.name, [run.seed for run in group.runs]) for group in groups_of(tmp_path)]
    assert found == [("Run", "PPO", [0]), ("Walk", "BPO", [0, 1]), ("Walk", "PPO", [0])]


def test_variants_are_named_by_what_differs(tmp_path: Path) -> None:
    for clip_param in (0.2, 0.3):
        write_seeds(tmp_path, [1.0, 2.0], algorithm=BPO, clip_param=clip_param)
    write_seeds(tmp_path, [1.0], algorithm=PPO)
    assert [group.name for group in groups_of(tmp_path)] == ["BPO clip_param=0.2", "BPO clip_param=0.3", "PPO"]


def test_all_runs_are_compared_up_to_the_shortest(tmp_path: Path) -> None:
    write_run(tmp_path / "1", [1.0] * 10 + [50.0] * 10, algorithm=BPO)
    write_run(tmp_path / "2", [2.0] * 10, algorithm=PPO)
    bpo, ppo = groups_of(tmp_path)
    assert (bpo.steps, ppo.steps) == (400.0, 400.0)
    assert (bpo.final.value, bpo.best.value) == (1.0, 1.0)
    assert np.isinf(bpo.until(50.0)).all()


def test_final_is_the_last_tenth_and_best_the_maximum(tmp_path: Path) -> None:
    write_run(tmp_path / "1", [0.0, 9.0] + [1.0] * 16 + [2.0, 4.0])
    (group,) = groups_of(tmp_path)
    assert group.final.value == pytest.approx(3.0)  # the last 2 of 20 iterations
    assert group.best.value == pytest.approx(9.0)


def test_curve_is_interpolated_and_banded(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / str(seed), [0.0, 10.0 * (seed + 1)], seed=seed)
    (group,) = groups_of(tmp_path)
    grid, (middle, low, high), curves = group.curve("steps")
    assert (grid[0], grid[-1]) == (40.0, 80.0)
    np.testing.assert_allclose(middle, 20.0 * (grid - 40.0) / 40.0, atol=1e-9)  # from 0 to the mean of 10, 20 and 30
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert curves.shape == (3, 100)


def test_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    logs, output = tmp_path / "logs", tmp_path / "deep" / "comparison"
    write_seeds(logs, [10.0, 20.0, 30.0, 40.0], algorithm=BPO)
    write_seeds(logs, [5.0, 15.0], algorithm=PPO)
    write_run(logs / "silent", [None], seed=9)
    run_command(monkeypatch, logs, "--output", output)
    assert capsys.readouterr().out.split() == [
        str(output / name) for name in ("compare.md", "compare.csv", "runs.csv", "curves.png", "runs.json")
    ]

    bpo, ppo = rows(output / "compare.csv")
    assert (bpo["final"], bpo["best"], ppo["final"]) == ("25.0", "25.0", "10.0")  # (20 + 30)/2, (5 + 15)/2
    assert float(bpo["final_low"]) < 25.0 < float(bpo["final_high"])
    assert (ppo["final_low"], ppo["final_high"]) == ("", "")
    assert (bpo["threshold"], bpo["reached"], ppo["reached"]) == ("10.0", "4", "1")
    assert (bpo["steps_to_threshold"], bpo["seconds_to_threshold"]) == ("400.0", "20.0")
    assert ppo["steps_to_threshold"] == "inf"
    assert [row["final"] for row in rows(output / "runs.csv")] == ["10.0", "20.0", "30.0", "40.0", "5.0", "15.0"]

    report = (output / "compare.md").read_text()
    assert "| Walk | BPO | 4 (seeds 0 1 2 3) | 400.00 | 25 [" in report
    assert "| Walk | BPO over PPO | 0.875 |" in report  # 7 of 8 pairs: only 10 < 15
    assert "PPO: no interval is claimed from 2 runs" in report
    assert f"Left out: {logs / 'silent'}: no episode has ended" in report
    assert "[" not in next(line for line in report.splitlines() if "| PPO |" in line)
    assert (output / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_gathered_runs_give_the_same_report(tmp_path: Path) -> None:
    for algorithm in (BPO, PPO):
        for task in ("Walk", "Run"):
            write_seeds(tmp_path / "logs", [1.0, 2.0, 4.0], algorithm=algorithm, task=task)
    first, second = tmp_path / "first", tmp_path / "second"
    write_report(*read_runs([tmp_path / "logs"]), {}, first)
    write_report(*read_runs([first / "runs.json"]), {}, second)
    for name in ("compare.md", "compare.csv", "runs.csv", "runs.json"):
        assert (first / name).read_text() == (second / name).read_text(), name
    assert "| 2 tasks | BPO over PPO |" in (first / "compare.md").read_text()


def test_threshold_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_seeds(tmp_path / "logs", [10.0])
    run_command(monkeypatch, tmp_path / "logs", "--output", tmp_path / "out", "--threshold", "Walk=0")
    (row,) = rows(tmp_path / "out" / "compare.csv")
    assert (row["threshold"], row["steps_to_threshold"]) == ("0.0", "40.0")


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["nowhere"], ["nowhere does not exist", "no run to compare in nowhere"]),
        (["empty"], ["no run to compare in empty"]),
        (["notes.json"], ["notes.json: no file of runs"]),
        (["cut.json"], ["cut.json: no file of runs"]),
        (["logs", "--threshold", "Fly=3"], ["--threshold names 'Fly'", "Walk"]),
        (["logs", "--threshold", "Walk=high"], ["'high' is not a number"]),
        (["logs", "--threshold", "3"], ["'3' is not of the form TASK=RETURN"]),
        (["logs", "--output", "notes.json"], ["File exists: 'notes.json'"]),
        (["logs", "short"], ["short/1 ends before another run of Walk has a return"]),
    ],
)
def test_mistakes_end_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list, parts: list
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("notes.json").write_text('{"runs": "none"}')
    Path("cut.json").write_text('[{"task": "Walk", ')
    write_run(Path("logs/1"), [None, 1.0])
    write_run(Path("short/1"), [1.0], seed=2)
    with pytest.raises(SystemExit) as exit_:
        run_command(monkeypatch, *argv)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert all(part in error for part in parts), error
    assert "Traceback" not in error


def test_command_as_the_user_types_it(tmp_path: Path) -> None:
    write_seeds(tmp_path / "logs", [1.0])
    argv = (sys.executable, "-m", "isaaclab_bpo.compare", "logs", "--output", "out")
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "out/compare.md"
    assert (tmp_path / "out" / "compare.md").is_file()
