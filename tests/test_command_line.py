# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Closed command lines, of every program that has one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from isaaclab_bpo.command_line import (
    FORWARDED,
    REPLACED,
    ClosedParser,
    similar,
    unknown_arguments,
    unknown_to_training,
)

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("--num_evns", "--num_envs"),
        ("--num-envs", "--num_envs"),
        ("--seeds", "--seed"),
        ("--vdeo", "--video"),
        ("--max_iteration", "--max_iterations"),
        ("--chekpoint", "--checkpoint"),
        ("--algorithm", "--algo"),
    ],
)
def test_nearest_name_is_offered(name: str, nearest: str) -> None:
    assert similar(name, FORWARDED).startswith(f": did you mean {nearest}")


def test_nothing_is_offered_where_nothing_is_near() -> None:
    assert similar("--zzz", FORWARDED) == ""


@pytest.mark.parametrize(
    ("tokens", "errors"),
    [
        ([], 0),
        (["--num_envs", "4", "--seed=-1", "agent.seed=3", "physics=ovphysx", "presets=a,b", "+env.x=1"], 0),
        (["--max_steps", "-3", "--kit_args=--/a=b", "-rid", "3", "--viz", "kit"], 0),
        (["--num_evns", "4"], 1),
        (["--foo=3", "--bar", "1", "2"], 2),
        (["foo"], 1),
        (["--foo", "agent.seed=3", "4"], 2),
        (["agent.seed", "3"], 1),
        (["--agent.seed", "3"], 1),
        (["--env.scene.num_envs=3"], 1),
        (["num_envs=3"], 1),
        (["~agent.seed=1"], 1),
        (["hydra.run.dir=x"], 1),
        (["=3", "env=3", "agent.=3"], 3),
        (["--", "-x", "-"], 2),
    ],
)
def test_every_argument_that_nobody_understands_is_named(tokens: list[str], errors: int) -> None:
    assert len(unknown_arguments(tokens, FORWARDED)) == errors


@pytest.mark.parametrize("name", REPLACED)
def test_options_of_isaac_lab_2_say_what_took_their_place(name: str) -> None:
    for token in (name, f"{name}=1"):
        assert unknown_to_training([token]) == [f"{name} does not exist here: {REPLACED[name]}"]


def test_arguments_of_a_callback_are_not_judged() -> None:
    assert unknown_to_training(["--external_callback", "mine.tasks", "--mine", "3"]) == []


def parser() -> ClosedParser:
    parser = ClosedParser(prog="program")
    parser.add_argument("--task", required=True)
    parser.add_argument("--number", type=int, nargs="+")
    parser.add_argument("--kind", choices=("a", "b"))
    parser.add_argument("folders", nargs="*")
    return parser


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["--tsk", "x"], "--tsk is not an option: did you mean --task?"),  # not: --task is required
        (["--task", "x", "--num", "3"], "--num is not an option: did you mean --number?"),  # no abbreviations
        (["--task", "x", "--number", "x"], "invalid int value: 'x'"),
        (["--task", "x", "--kind", "c"], "invalid choice: 'c'"),
        (["--task"], "expected one argument"),
        ([], "required: --task"),
        (["--task", "x", "-n", "3"], "-n is not an option"),
    ],
)
def test_parser_ends_with_one_sentence(argv: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parser().parse_args(argv)
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("program: error: ")
    assert part in line


def test_parser_takes_what_it_knows() -> None:
    args = parser().parse_args(["--task=x", "--number", "-1", "2", "--", "--folder", "-x"])
    assert (args.task, args.number, args.folders) == ("x", [-1, 2], ["--folder", "-x"])


PROGRAMS = {
    "benchmarks/learning/run.py": ["gymnasium"],
    "benchmarks/learning/report.py": [],
    "benchmarks/update_time.py": [],
    "benchmarks/rollout_overhead.py": [],
    "benchmarks/sweep/ray_tune.py": ["sweep.yaml"],
    "docker/cluster/submit.py": ["--task", "X"],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_closed(program: str, tmp_path: Path) -> None:
    command = (sys.executable, str(ROOT / program), *PROGRAMS[program], "--ouptut", "x")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"{Path(program).name}: error: --ouptut is not an option")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["benchmarks/learning/run.py", "benchmarks/sweep/ray_tune.py"])
def test_arguments_that_a_benchmark_hands_on_are_checked_first(program: str, tmp_path: Path) -> None:
    command = (sys.executable, str(ROOT / program), *PROGRAMS[program], "--", "--num_evns", "3")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "train.py, after --: --num_evns is not an option: did you mean --num_envs?" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_login_nodes_can_read_it() -> None:
    python = shutil.which("python3.9") or next(Path.home().glob(".pyenv/versions/3.9*/bin/python"), None)
    if python is None or subprocess.run((python, "--version"), capture_output=True).returncode != 0:
        pytest.skip("needs Python 3.9")
    command = (python, ROOT / "docker" / "cluster" / "submit.py", "--task", "X", "--dry-run", "--", "--num_evns", "3")
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean --num_envs?" in done.stderr
