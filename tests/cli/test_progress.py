# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a terminal shows of long work, and what a file of the output does."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.process import environment
from isaaclab_bpo.cli.progress import progress, training_line
from isaaclab_bpo.runners import DurableRunner
from point_mass import PointMass, runner_cfg

TRAIN = (sys.executable, "-m", "isaaclab_bpo", "train", "--task", "Gym-CartPole-v1", "--max_iterations", "4")


def run_in_terminal(command: tuple[str, ...], cwd: Path) -> str:
    """Run a command whose output is a terminal, and return what that was sent."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=cwd, env=environment() | {"TERM": "xterm"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    while True:
        try:
            printed += os.read(ours, 65536)
        except OSError:  # the end of a terminal
            break
    os.close(ours)
    assert process.wait() == 0, printed.decode()
    return printed.decode()


def test_terminal_shows_a_line_and_the_tables_go_into_a_file(tmp_path: Path) -> None:
    printed = run_in_terminal(TRAIN, tmp_path)
    assert re.search(r"Training: \d+ steps/s, return \d", printed)
    assert "4/4" in printed
    assert "Learning iteration" not in printed
    assert "[isaaclab_bpo] Run: " in printed
    (file,) = tmp_path.glob("logs/rsl_rl/*/*/train.log")
    tables = file.read_text()
    assert [f"Learning iteration {i}/4" in tables for i in range(4)] == [True] * 4


@pytest.mark.slow
def test_verbose_shows_the_tables(tmp_path: Path) -> None:
    printed = run_in_terminal((*TRAIN, "--verbose"), tmp_path)
    assert "Learning iteration 3/4" in printed
    assert not list(tmp_path.glob("logs/rsl_rl/*/*/train.log"))


INTERRUPTED = """
import contextlib, signal, sys
from pathlib import Path

sys.path.append(sys.argv[1])
from isaaclab_bpo.cli.progress import training_line
from isaaclab_bpo.runners import DurableRunner
from point_mass import PointMass, runner_cfg

class Interrupting(PointMass):  # somebody presses Ctrl-C in the second iteration
    num_steps = 0
    def step(self, actions):
        self.num_steps += 1
        if self.num_steps == runner_cfg()["num_steps_per_env"] + 1:
            signal.raise_signal(signal.SIGINT)
        return super().step(actions)

runner = DurableRunner(Interrupting(), runner_cfg(), ".")
with contextlib.suppress(SystemExit), training_line(runner.logger, Path("train.log")):
    runner.learn(5)
"""


def test_what_ends_a_training_is_not_hidden_in_the_tables(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[1])
    printed = run_in_terminal((sys.executable, "-c", INTERRUPTED, tests), tmp_path)
    assert "Interrupted after iteration 1: saved" in printed
    tables = (tmp_path / "train.log").read_text()
    assert "Learning iteration 1/5" in tables
    assert "Interrupted" not in tables
    assert "━" not in tables  # nor is the line itself


@pytest.mark.parametrize("path", ["/dev/full", "nowhere/train.log"])
def test_tables_that_cannot_be_written_cost_no_run(path: str, tmp_path: Path) -> None:
    runner = DurableRunner(PointMass(), runner_cfg(), str(tmp_path))
    with training_line(runner.logger, tmp_path / path):
        runner.learn(2)
    assert (tmp_path / "model_1.pt").is_file()


def test_where_no_bar_can_be_drawn_ten_lines_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Filming", 250) as show:
        for done in range(251):
            show(done)
    lines = capsys.readouterr().out.split("\n")
    assert lines == [*(f"[isaaclab_bpo] Filming: {25 * i} of 250." for i in range(1, 11)), ""]
