# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The command as users type it, and their mistakes."""

from __future__ import annotations

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
