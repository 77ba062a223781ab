# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is read from folders of runs: whole, resumed and damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.logs import BPO, write_events, write_run
from isaaclab_bpo.compare.runs import read_runs


def test_run_is_read_from_its_folder(tmp_path: Path) -> None:
    write_run(tmp_path / "walk_bpo" / "1", [None, 1.0, 3.0], algorithm=BPO, seed=7)
    (run,), left_out = read_runs([tmp_path])
    assert (run.task, run.algorithm, run.seed, left_out) == ("Walk", "BPO", 7, [])
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
    (run,), left_out = read_runs([tmp_path])
    assert left_out == []
    assert run.returns == [0.0, 1.0, 20.0, 300.0, 400.0]
    assert run.seconds == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert [Path(folder).name for folder in run.folders] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "checkpoint", ["model_1.pt", "1/model_1.pt", "walk/1/model_1.pt", "/moved/walk/1/model_1.pt", "./1/model_1.pt"]
)
def test_checkpoint_is_found_however_it_was_named(tmp_path: Path, checkpoint: str) -> None:
    write_run(tmp_path / "walk" / "1", [0.0, 1.0])
    write_run(tmp_path / "walk" / "2", [20.0], start=2, checkpoint=checkpoint)
    runs, left_out = read_runs([tmp_path])
    if checkpoint == "model_1.pt":  # of which folder?
        assert "not among the folders given" in left_out[0]
    else:
        assert [run.returns for run in runs] == [[0.0, 1.0, 20.0]]


def test_run_continues_the_nearest_of_its_names(tmp_path: Path) -> None:
    for machine, value in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        write_run(tmp_path / machine / "walk" / "1", [value] * 2)
        write_run(tmp_path / machine / "walk" / "2", [10 * value], start=2, checkpoint="/logs/walk/1/model_1.pt")
    runs, left_out = read_runs([tmp_path])
    assert left_out == []
    assert sorted(run.returns for run in runs) == [[1.0, 1.0, 10.0], [2.0, 2.0, 20.0], [3.0, 3.0, 30.0]]


@pytest.mark.parametrize("resumed", [("a", "b"), ("a",), ("b",)])
def test_runs_of_one_name_that_were_resumed_in_their_folders_stay_apart(
    tmp_path: Path, resumed: tuple[str, ...]
) -> None:
    for machine, value in (("a", 1.0), ("b", 2.0)):
        folder = tmp_path / machine / "walk" / "1"
        write_run(folder, [value] * 2, checkpoint=str(folder / "model_1.pt") if machine in resumed else "model_.*.pt")
    runs, left_out = read_runs([tmp_path])
    assert left_out == []
    assert [(run.returns, len(run.folders)) for run in runs] == [([1.0, 1.0], 1), ([2.0, 2.0], 1)]


def test_run_without_its_beginning_does_not_take_that_of_another(tmp_path: Path) -> None:
    """It continued another folder, then was resumed in its own, which another run's has the name of."""
    write_run(tmp_path / "a" / "walk" / "1", [1.0, 1.0])
    folder = write_run(tmp_path / "b" / "walk" / "1", [2.0, 2.0], start=2, checkpoint="/moved/walk/1/model_3.pt")
    (run,), (sentence,) = read_runs([tmp_path])
    assert run.returns == [1.0, 1.0]
    assert sentence.startswith(f"{folder}: it continues")
    assert "in its own folder, so what came before is not known" in sentence


def test_of_several_continuations_the_others_are_named(tmp_path: Path) -> None:
    logs = tmp_path / "walk"
    write_run(logs / "1", [0.0, 1.0])
    for name, origin, start in (("2", "1", 2), ("3", "2", 3), ("4", "1", 2)):
        write_run(logs / name, [float(name)], start=start, checkpoint=str(logs / origin / "model_0.pt"))
    (run,), (sentence,) = read_runs([tmp_path])
    assert run.returns == [0.0, 1.0, 4.0]
    assert sentence.startswith(f"{logs / '2'}, {logs / '3'}: it continues")
    assert "as another folder does, and of several the last one counts" in sentence


def test_folders_that_continue_one_another_are_named(tmp_path: Path) -> None:
    """Their names, which others had before, make a circle."""
    for name, origin in (("1", "2"), ("2", "1")):
        write_run(tmp_path / "walk" / name, [1.0], start=3, checkpoint=f"/elsewhere/walk/{origin}/model_2.pt")
    runs, (sentence,) = read_runs([tmp_path])
    assert not runs
    assert all(str(tmp_path / "walk" / name) in sentence for name in "12")


@pytest.mark.parametrize(
    ("continuation", "reason"),
    [
        ({"seed": 2}, "which has seed 1, not 2"),
        ({"algorithm": BPO}, "which has algorithm PPO, not BPO"),
        ({"task": "Run", "seed": 3}, "which has task Walk, not Run and seed 1, not 3"),
        ({"checkpoint": "elsewhere/1/model_2.pt"}, "not among the folders given"),
        ({"checkpoint": "walk/damaged/model_2.pt"}, "which is left out, too"),
        ({"checkpoint": "walk/excluded/model_2.pt"}, "which is left out, too"),
    ],
)
def test_continuation_of_another_run_is_left_out(tmp_path: Path, continuation: dict[str, Any], reason: str) -> None:
    write_run(tmp_path / "walk" / "1", [0.0, 1.0, 2.0])
    damage(write_run(tmp_path / "walk" / "damaged", [0.0, 1.0], seed=7), "no events")
    write_run(tmp_path / "walk" / "excluded", [0.0, 1.0], seed=8)
    origin: dict[str, Any] = {"checkpoint": str(tmp_path / "walk" / "1" / "model_2.pt")}
    write_run(tmp_path / "walk" / "2", [20.0], start=2, **origin | continuation)
    runs, left_out = read_runs([tmp_path], ["excluded"])
    assert len(runs) == 1
    (sentence,) = (sentence for sentence in left_out if "walk/2:" in sentence)
    assert "at iteration 2" in sentence
    assert reason in sentence


def test_long_curves_are_averaged(tmp_path: Path) -> None:
    write_run(tmp_path / "1", [float(i % 2) for i in range(400)])
    (run,), _ = read_runs([tmp_path])
    assert run.returns == [0.5] * 200
    assert run.steps == [80.0 * i for i in range(1, 201)]


def test_interrupted_write_costs_the_last_event_only(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", [1.0, 2.0, 3.0])
    (events,) = folder.glob("events.out.tfevents.*")
    events.write_bytes(events.read_bytes()[:-5])
    (run,), left_out = read_runs([tmp_path])
    assert (run.returns, left_out) == ([1.0, 2.0], [])


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
    (run,), (sentence,) = read_runs([tmp_path])
    assert run.seed == 1
    assert sentence.startswith(str(tmp_path / "damaged"))
    assert complaint in sentence


@pytest.mark.parametrize(
    ("returns", "complaint"), [([None, None], "no episode has ended"), ([1.0, float("nan")], "not finite")]
)
def test_run_without_a_return_is_named(tmp_path: Path, returns: list, complaint: str) -> None:
    write_run(tmp_path / "1", returns)
    runs, (sentence,) = read_runs([tmp_path])
    assert not runs
    assert complaint in sentence
