# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The console command, and that the scripts do the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from e2e.process import PLAY, ROOT, TRAIN, environment, run
from isaaclab_bpo.cli.main import main

CONSOLE = (sys.executable, "-m", "isaaclab_bpo")
COMPARE = (sys.executable, "-m", "isaaclab_bpo.compare")


@pytest.mark.parametrize(
    ("script", "name", "arguments", "code"),
    [
        (TRAIN, "train", ("--help",), 0),
        (PLAY, "play", ("--help",), 0),
        (COMPARE, "compare", ("--help",), 0),
        (TRAIN, "train", ("--algo", "dpo"), 2),
        (PLAY, "play", ("--resume",), 2),
        (PLAY, "play", ("--task", "Gym-Hopper-v5", "agent.seed=-3", "--checkpoint", "nowhere"), 2),
        (TRAIN, "train", ("--task", "Gym-Hopper-v6", "--external_callback", "tasks.register"), 2),
        (COMPARE, "compare", ("nowhere",), 2),
    ],
)
def test_both_roads_print_the_same(script: tuple, name: str, arguments: tuple, code: int, tmp_path: Path) -> None:
    # What callbacks see of the command line, and what they leave of it
    (tmp_path / "tasks.py").write_text("import sys\ndef register():\n    print(sys.argv[1:])\n    return []\n")
    # Isaac Lab's help lists the items of a set
    env = ("env", f"PYTHONPATH={ROOT / 'source'}:{tmp_path}", "PYTHONHASHSEED=0")
    by_script = run(*env, *script, *arguments, cwd=tmp_path)
    by_console = run(*env, *CONSOLE, name, *arguments, cwd=tmp_path)
    assert by_console.returncode == by_script.returncode == code
    assert by_console.stdout == by_script.stdout
    assert by_console.stderr == by_script.stderr
    assert "Traceback" not in by_console.stderr
    assert by_console.stdout if code == 0 else "error: " in by_console.stderr.splitlines()[-1]


SMALL = ("--num_envs", "2", "--max_iterations", "1", "agent.num_steps_per_env=16", "agent.algorithm.num_mini_batches=2")


@pytest.mark.parametrize(
    ("arguments", "code"), [(("--help",), 0), (("train", "--task", "Gym-Hopper-v5", *SMALL), 0), (("dance",), 2)]
)
def test_output_that_nobody_reads_costs_nothing(arguments: tuple, code: int, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command, variables = (*CONSOLE, *arguments), environment()
    done = subprocess.run(command, cwd=tmp_path, env=variables, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == code, done.stderr
    assert "Error" not in done.stderr
    assert bool(list(tmp_path.rglob("model_0.pt"))) is ("train" in arguments)


@pytest.mark.parametrize("name", ["train", "play", "evaluate"])
def test_scripts_only_call_the_package(name: str) -> None:
    assert len((ROOT / "scripts" / "rsl_rl" / f"{name}.py").read_text().splitlines()) <= 15


def test_the_installed_command_is_this_one() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert EntryPoint("isaaclab_bpo", scripts["isaaclab_bpo"], "console_scripts").load() is main


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_usage_names_the_subcommands(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(argv)
    printed = capsys.readouterr().out
    for name in ("usage: isaaclab_bpo", "train", "play", "compare"):
        assert name in printed


@pytest.mark.parametrize(("name", "part"), [("trian", "did you mean train?"), ("fly", "doctor, compare and ttrl")])
def test_unknown_subcommand_is_a_sentence(name: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([name])
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"isaaclab_bpo: error: {name!r} is not a command")
    assert part in line


def call(prelude: str, *argv: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys\n{prelude}\nfrom isaaclab_bpo.cli.main import main\nmain({list(argv)!r})\n"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("name", ["train", "play"])
def test_without_isaac_lab_it_says_what_to_install(name: str) -> None:
    done = call("sys.modules['isaaclab'] = None  # Python's own way to make an import fail", name, "--task", "any")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{name}.py: error: {name} needs Isaac Lab")
    assert "isaaclab_bpo[isaaclab]" in line


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    absent = "sys.modules.update(dict.fromkeys(('torch', 'rsl_rl', 'isaaclab', 'gymnasium', 'matplotlib')))"
    assert call(absent, "--help").returncode == 0
    assert "invalid choice: 'dpo'" in call(absent, "train", "--algo", "dpo").stderr
