# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The arguments of a command line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.runs import G1, Ask
from cli.starts import Start
from e2e.process import PLAY, ROOT, TRAIN, run
from isaaclab_bpo.command_line import FORWARDED

HOPPER = ("--task", "Gym-Hopper-v5")


def test_unknown_algorithm_is_refused_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    done = run(*TRAIN, "--task", G1, "--algo", "dpo", cwd=tmp_path)
    assert done.returncode == 2
    assert "invalid choice: 'dpo' (choose from 'bpo', 'ppo')" in done.stderr
    assert time.monotonic() - start < 15  # Isaac Lab was not even imported


def test_help_shows_our_arguments_and_isaaclabs(tmp_path: Path) -> None:
    for command in (TRAIN, PLAY):
        done = run(*command, "--help", cwd=tmp_path)
        assert done.returncode == 0
        for argument in ("--algo {bpo,ppo}", "--assets {auto,nvidia,standin}", "--num_envs", "--checkpoint", "--viz"):
            assert argument in done.stdout


@pytest.mark.parametrize("action", ["train", "play", "evaluate"])
def test_help_is_at_once_and_the_parsers(action: str, tmp_path: Path) -> None:
    start = time.monotonic()
    printed = run(sys.executable, "-m", "isaaclab_bpo", action, "--help", cwd=tmp_path).stdout
    assert time.monotonic() - start < 5.0
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1])['render'](sys.argv[2]), end='')"
    script = str(ROOT / "docs" / "make_help.py")
    assert printed == run(sys.executable, "-c", code, script, action, cwd=tmp_path).stdout, "run docs/make_help.py"


def test_options_that_are_handed_on_are_those_of_training() -> None:
    code = "from isaaclab_bpo.cli.arguments import _full_parser; print(*_full_parser('train').options)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True)
    assert sorted(done.stdout.splitlines()[-1].split()) == sorted(FORWARDED)


@pytest.mark.parametrize(
    ("action", "argv", "parts"),
    [
        ("train", ["--num_evns", "2", "--foo", "3"], ["did you mean --num_envs?", "--foo is not an option"]),
        ("train", ["--seeds", "1", "2"], ["--seeds is not an option: did you mean --seed?"]),
        ("train", ["--num-envs", "64"], ["did you mean --num_envs?"]),
        ("train", ["--num_env", "64"], ["did you mean --num_envs?"]),  # argparse would take it
        ("train", ["--num_envs", "4", "8"], ["'8' belongs to no option"]),
        ("train", ["64"], ["'64' belongs to no option"]),
        ("train", ["--headless"], ["--headless does not exist here", "--viz kit"]),
        ("train", ["--resume", "--load_run", "x"], ["--resume does not exist here", "--load_run does not exist here"]),
        ("train", ["--cpu"], ["--device cpu"]),
        ("train", ["--real-time"], ["--real-time does not exist here: it is an option of play"]),
        ("train", ["agent.seed", "3"], ["agent.seed has no value: write agent.seed=VALUE"]),
        ("train", ["--agent.seed=3"], ["write agent.seed=VALUE, without dashes"]),
        ("train", ["agent=3"], ["'agent=3' is not an override"]),
        ("train", ["hydra.run.dir=x"], ["'hydra.run.dir=x' is not an override"]),
        ("train", ["~agent.seed=42"], ["'~agent.seed=42' is not an override"]),
        ("train", ["+agent.foo=1"], ["'agent.foo=1' names an unknown field"]),
        ("train", ["++env.scene.foo=1"], ["'env.scene.foo=1' names an unknown field"]),
        ("train", ["--external_callback", "nonsense"], ["--external_callback cannot be called"]),
        ("train", ["--external_callback", "no.such"], ["No module named 'no'"]),
        ("play", ["--vdeo"], ["--vdeo is not an option: did you mean --video?"]),
        ("play", ["--max_iterations", "3"], ["--max_iterations does not exist here: it is an option of train"]),
        ("play", ["--use_pretrained_checkpoint"], ["--checkpoint pretrained"]),
        ("play", ["--headless", "--enable_cameras"], ["--headless does not", "--enable_cameras does not"]),
    ],
)
def test_what_nobody_understands_is_named(ask: Ask, action: str, argv: list[str], parts: list[str]) -> None:
    error = ask(action, *HOPPER, *argv)["error"]
    assert "\n" not in error
    for part in parts:
        assert part in error


def test_hydras_way_to_set_a_field_is_taken(ask: Ask) -> None:
    assert {"agent.max_iterations=3", "agent.save_interval=2"} <= set(
        ask("train", *HOPPER, "+agent.max_iterations=3", "++agent.save_interval=2")["overrides"]
    )


@pytest.mark.parametrize("steps", ["foo", "nan", "1e400", "0", "-3", "1.5"])
def test_number_of_steps_is_a_sentence(start: Start, steps: str) -> None:
    done = start("train", *HOPPER, f"--max_steps={steps}")
    assert done.returncode == 2
    assert done.stderr == f"train.py: error: argument --max_steps: {steps!r} is not a whole number of at least 1\n"


def test_what_a_callback_takes_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import sys\ndef tasks():\n    return [it for it in sys.argv[1:] if it not in ('--mine', 'agent.seed=1')]\n"
    )
    given = (*HOPPER, "--external_callback", "mine.tasks", "--mine", "agent.seed=1", "--mien")
    done = run("env", f"PYTHONPATH={ROOT / 'source'}:{tmp_path}", *TRAIN, *given, cwd=tmp_path)
    assert "[isaaclab_bpo] --external_callback mine.tasks took --mine agent.seed=1." in done.stdout
    assert done.returncode == 2
    assert "--mien is not an option" in done.stderr
