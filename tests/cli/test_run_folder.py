# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The folder of a run: its name, that it is nobody else's, and that a refused start leaves none."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from argparse import Namespace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from isaaclab_bpo.cli.errors import UserError
from isaaclab_bpo.cli.run_folder import LONGEST, check_run_folder, run_folder

PROCESSES = 20


def check(experiment: str = "walk", run: str = "", timestamp: str | None = None, checkpoint: str | None = None) -> None:
    check_run_folder(
        Namespace(run_timestamp=timestamp, checkpoint=checkpoint), Namespace(experiment_name=experiment, run_name=run)
    )


@pytest.mark.parametrize("option", ["experiment", "run", "timestamp"])
@pytest.mark.parametrize(
    "name", ["a/b", "/a", "a\\b", "a\nb", "a\0b", "\x1b[31m", "..", ".", "a\u2028b", "\udcff", "a\tb", "\x7f"]
)
def test_name_that_makes_no_folder_is_refused(option: str, name: str) -> None:
    with pytest.raises(UserError, match="cannot name a folder: it must hold no separators and no control characters"):
        check(**{option: name})


@pytest.mark.parametrize("option", ["experiment", "run", "timestamp"])
@pytest.mark.parametrize("name", ["a" * 300, "ä" * 130, "走" * 90])
def test_name_that_is_too_long_is_refused(option: str, name: str) -> None:
    with pytest.raises(UserError, match=r"_name makes a folder's name of \d+ bytes: shorten it to 240"):
        check(**{option: name})


@pytest.mark.parametrize("name", ["", "a b", "ä走🤖", "-x", ".hidden", "a=b", "[x]*?", "x" * (LONGEST - 20)])
def test_every_other_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    check(run=name)
    folders = set()
    for _ in range(3):
        with run_folder("walk", name, None) as folder:
            (folder / "run.json").touch()
        folders.add(folder)
    assert len(folders) == 3
    assert {path.parent for path in (tmp_path / "logs" / "rsl_rl" / "walk").glob("*/run.json")} == folders
    assert all(folder.name.endswith(name) for folder in folders)


@pytest.mark.parametrize("below", ["logs", "logs/rsl_rl", "logs/rsl_rl/walk"])
def test_file_in_the_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / below).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / below).touch()
    with pytest.raises(UserError, match="is a file: start in another folder"):
        check()
    for timestamp in (None, "mine"):  # it may come in the way later
        with pytest.raises(UserError, match="no folder can be made"), run_folder("walk", "", timestamp):
            pass


def take(barrier: Barrier, folder: Path, refuse: bool, answers: Any) -> None:
    os.chdir(folder)
    barrier.wait()
    try:
        with run_folder("walk", "twin", None) as mine:
            (mine / "run.json").write_text(str(os.getpid()))
            if refuse:
                raise UserError("refused")
            answers.put((str(mine), os.getpid()))
    except UserError:
        answers.put(None)


@pytest.mark.parametrize("every", [0, 2])
def test_simultaneous_starts_have_folders_of_their_own(tmp_path: Path, every: int) -> None:
    """All of them succeed, or every second one is refused and removes what it made while the others make theirs."""
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=take, args=(barrier, tmp_path, every > 0 and i % every == 0, answers))
        for i in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    taken = dict(filter(None, [answers.get(timeout=60) for _ in processes]))
    for process in processes:
        process.join()
    assert len(taken) == (PROCESSES // 2 if every else PROCESSES)
    there = {str(path.parent): int(path.read_text()) for path in tmp_path.glob("logs/rsl_rl/walk/*/run.json")}
    assert there == taken  # every folder holds what its own process wrote, and there is no other
    assert {path.name for path in (tmp_path / "logs" / "rsl_rl" / "walk").iterdir()} == {Path(it).name for it in taken}


@pytest.mark.parametrize("error", [UserError("no"), SystemExit(75), KeyboardInterrupt(), ValueError("a defect")])
def test_start_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.chdir(tmp_path)

    def start(timestamp: str | None) -> None:
        with run_folder("walk", "", timestamp) as folder:
            (folder / "params").mkdir()
            raise error

    for timestamp in (None, "mine"):
        with pytest.raises(type(error)):
            start(timestamp)
        assert list(tmp_path.iterdir()) == []


def test_start_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with run_folder("walk", "", "mine") as earlier:
        (earlier / "model_1.pt").touch()
    with pytest.raises(UserError), run_folder("walk", "", None):
        raise UserError("no")
    with pytest.raises(UserError), run_folder("walk", "", "mine"):
        raise UserError("no")
    assert [path.name for path in earlier.parent.glob("*/*")] == ["model_1.pt"]


def test_named_folder_of_another_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with run_folder("walk", "", "mine") as folder:
        check(timestamp="mine")  # an earlier start that left no checkpoint
        (folder / "model_1.pt").touch()
    check()
    check(timestamp="mine", checkpoint=str(folder / "model_1.pt"))
    for checkpoint in (None, str(tmp_path / "model_1.pt")):
        with pytest.raises(UserError, match="continue it with --checkpoint logs/rsl_rl/walk/mine"):
            check(timestamp="mine", checkpoint=checkpoint)


RANK = """
import os
from isaaclab_bpo.cli.run_folder import run_folder

with run_folder("walk", "ranks", None) as folder:
    (folder / f"rank_{os.environ['RANK']}").touch()
"""


def test_ranks_share_the_folder_that_the_first_one_made(tmp_path: Path) -> None:
    (tmp_path / "rank.py").write_text(RANK)
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3", "rank.py")
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (folder,) = tmp_path.glob("logs/rsl_rl/walk/*")
    assert sorted(path.name for path in folder.iterdir()) == ["rank_0", "rank_1", "rank_2"]


def test_ranks_of_another_launcher_need_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    with pytest.raises(UserError, match="need --run_timestamp NAME"), run_folder("walk", "", None):
        pass
    with run_folder("walk", "", "mine") as folder:
        assert folder == tmp_path / "logs" / "rsl_rl" / "walk" / "mine"
