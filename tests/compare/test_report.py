# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The report: numbers, tables and files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from compare.logs import BPO, PPO, write_run, write_seeds
from isaaclab_bpo.compare.__main__ import main
from isaaclab_bpo.compare.report import format_steps, write_report
from isaaclab_bpo.compare.runs import read_runs


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs, output = tmp_path / "logs", tmp_path / "deep" / "comparison"
    write_seeds(logs, [10.0, 20.0, 30.0, 40.0], algorithm=BPO)
    write_seeds(logs, [5.0, 15.0], algorithm=PPO)
    write_run(logs / "silent", [None], seed=9)
    main([str(logs), "--output", str(output)])
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
    assert "| Walk | BPO | 4 (seeds 0 1 2 3) | 400 | 25 [" in report
    assert "| 1 of 2 | not by more than half of the runs |" in report
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


def test_threshold_is_the_users(tmp_path: Path) -> None:
    write_seeds(tmp_path / "logs", [10.0])
    main([str(tmp_path / "logs"), "--output", str(tmp_path / "out"), "--threshold", "Walk=0"])
    (row,) = rows(tmp_path / "out" / "compare.csv")
    assert (row["threshold"], row["steps_to_threshold"]) == ("0.0", "40.0")


@pytest.mark.parametrize(
    ("steps", "text"), [(1.0, "1"), (768.0, "768"), (999.0, "999"), (1000.0, "1.00k"), (2.5e6, "2.50M"), (3e9, "3.00G")]
)
def test_steps_are_counted_not_measured(steps: float, text: str) -> None:
    assert format_steps(steps) == text
