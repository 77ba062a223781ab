# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The command as users type it, and their mistakes."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from compare.logs import write_run, write_seeds
from isaaclab_bpo.compare.__main__ import main


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
        (["logs", "--exclude", "nothing*"], ["--exclude 'nothing*' names no run in logs"]),
        (["logs", "--exclude", ""], ["--exclude is empty"]),
        (["logs", "--exclude", "logs"], ["logs/1: --exclude logs", "no run to compare in logs"]),
        (["--outptu", "x", "logs"], ["--outptu is not an option: did you mean --output?"]),
        (["--treshold", "Walk=3"], ["--treshold is not an option: did you mean --threshold?"]),
        (["logs", "--thresh", "Walk=3"], ["--thresh is not an option"]),
        (["logs", "--exlude", "a", "--output-folder", "b"], ["--exclude?; --output-folder is not an option"]),
        (["logs", "--seeds", "1", "2"], ["--seeds is not an option"]),
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
    with pytest.raises(SystemExit) as exit_:
        main(argv)
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


def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[list[dict[str, str]], str]:
    """Compare what is in logs/, and return the rows of runs.csv and what was said of those left out."""
    main([str(tmp_path / "logs"), "--output", str(tmp_path / "out"), *argv])
    with (tmp_path / "out" / "runs.csv").open() as file:
        return list(csv.DictReader(file)), capsys.readouterr().err


@pytest.mark.parametrize(
    "short",
    [
        {"returns": [1.0]},  # one iteration
        {"returns": [None, 1.0]},
        {"returns": [None, None]},  # none has a return
        {"returns": [1.0], "algorithm": "isaaclab_bpo.algorithms:BPO"},  # all there is of that algorithm
        {"returns": [1.0] * 3},  # less than a tenth of 40
    ],
)
def test_run_that_ended_early_is_left_out_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], short: dict
) -> None:
    for seed in (1, 2):
        write_run(tmp_path / "logs" / f"{seed}", [None] * 2 + [1.0] * 38, seed=seed)
    write_run(tmp_path / "logs" / "short", **short, seed=3)
    write_run(tmp_path / "logs" / "other", [1.0], task="Run")  # which is as long as all runs of its task
    rows, said = compare(tmp_path, capsys)
    assert [(row["task"], row["seed"], row["steps"]) for row in rows] == [
        ("Run", "1", "40.0"),
        ("Walk", "1", "1600.0"),
        ("Walk", "2", "1600.0"),
    ]
    assert said.count("left out") == 1
    assert f"left out: {tmp_path / 'logs' / 'short'}: " in said
    assert f"Left out: {tmp_path / 'logs' / 'short'}: " in (tmp_path / "out" / "compare.md").read_text()


def test_run_that_begins_late_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2, 3):
        write_run(tmp_path / "logs" / f"{seed}", [1.0] * 10, seed=seed)
    write_run(tmp_path / "logs" / "late", [None] * 20 + [1.0] * 10, seed=4)
    rows, said = compare(tmp_path, capsys)
    assert [row["seed"] for row in rows] == ["1", "2", "3"]
    assert "late: its returns, from 840 to 1200 steps, cannot be compared" in said


@pytest.mark.parametrize("pattern", ["2", "hopper/2", "hopper/?", "hop*", "logs/hopper/2"])
def test_folders_are_excluded_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], pattern: str) -> None:
    write_run(tmp_path / "logs" / "walker" / "1", [1.0] * 3, seed=1)
    write_run(tmp_path / "logs" / "hopper" / "2", [1.0] * 3, seed=2)
    rows, said = compare(tmp_path, capsys, "--exclude", pattern)
    assert [row["seed"] for row in rows] == ["1"]
    assert f"hopper/2: --exclude {pattern}" in said


def test_runs_of_a_file_are_excluded_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        write_run(tmp_path / "logs" / f"run{seed}", [1.0] * 3, seed=seed)
    compare(tmp_path, capsys)
    main([str(tmp_path / "out" / "runs.json"), "--output", str(tmp_path / "again"), "--exclude", "run2"])
    assert "seed 1)" in (tmp_path / "again" / "compare.md").read_text()
