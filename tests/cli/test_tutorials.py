# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tutorials' programs and commands do what they say, as they are printed but for the number of iterations."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.runs import Ask
from cli.starts import Start

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted([DOCS / "start.md", *(DOCS / "tutorials").glob("*.md"), *(DOCS / "guides").glob("*.md")])


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """Return the page's commands that train, play, evaluate and compare, in its order."""
    lines = "".join(blocks(page, "bash")).replace("\\\n", "").splitlines()
    starts = {f"scripts/rsl_rl/{name}.py": name for name in ("train", "play", "evaluate")}
    starts["isaaclab_bpo.compare"] = "compare"
    found = []
    for line in lines:
        program, option, *arguments = shlex.split(line)
        if program == "./isaaclab.sh" and option == "-p":
            name, *arguments = arguments[1:] if arguments[0] == "-m" else arguments
            if name in starts:
                found.append([starts[name], *arguments])
    return found


def write_files(page: str, folder: Path) -> None:
    """Write the programs of a page whose first line is their name."""
    for block in blocks(page, "python"):
        if named := re.match(r"# (\w+\.py)\n", block):
            (folder / named[1]).write_text(block, encoding="utf-8")


def follow(page: str, start: Start, folder: Path) -> str:
    """Run the page's commands on Gymnasium's tasks, with two iterations each, and return what they print."""
    write_files(page, folder)
    output = ""
    for command in commands(page):
        if any(argument.startswith("Isaac") for argument in command):
            continue
        short = ["--max_iterations", "2"] if command[0] == "train" else []
        done = start(*command, *short)
        assert done.returncode == 0, (command, done.stdout[-2000:] + done.stderr[-2000:])
        output += done.stdout
    return output


def test_train_and_watch(start: Start, tmp_path: Path) -> None:
    output = follow("tutorials/train_and_watch.md", start, tmp_path)
    assert "Learning iteration 3/4" in output  # the continued run
    assert (tmp_path / "comparison" / "compare.md").is_file()
    assert list(tmp_path.glob("logs/rsl_rl/*/*/videos/play/*.mp4"))
    assert list(tmp_path.glob("logs/rsl_rl/*/*/evaluation/*.json"))


def test_own_environment(start: Start, tmp_path: Path) -> None:
    follow("tutorials/own_environment.md", start, tmp_path)
    assert list(tmp_path.glob("logs/rsl_rl/*/*/videos/play/*.mp4"))
    small = ("--task", "Gym-Reach-v0", "--external_callback", "reach_small.register", "--max_iterations", "1")
    done = start("train", *small)
    assert done.returncode == 0, done.stderr[-2000:]
    newest = max(tmp_path.glob("logs/rsl_rl/*/*/params/agent.yaml"), key=lambda file: file.stat().st_mtime)
    assert "clip_param: 0.1" in newest.read_text()


def test_from_ppo(start: Start, tmp_path: Path) -> None:
    follow("tutorials/from_ppo.md", start, tmp_path)
    assert len(list(tmp_path.glob("logs/rsl_rl/*/*/model_1.pt"))) == 2


def test_own_task(ask: Ask, tmp_path: Path) -> None:
    page = "tutorials/own_task.md"
    write_files(page, tmp_path)
    project = tomllib.loads(blocks(page, "toml")[0])["project"]
    (entry,) = project["entry-points"]["isaaclab.tasks"].items()
    info = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[isaaclab.tasks]\n{entry[0]} = {entry[1]}\n")
    ((action, *arguments),) = commands(page)
    agent = ask(action, *arguments)["agent"]
    assert agent["algorithm"]["class_name"].endswith("BPO")
    assert (agent["algorithm"]["clip_param"], agent["experiment_name"]) == (0.3, "slow_go1_bpo")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_trainings_are_understood(page: Path, ask: Ask) -> None:
    for action, *arguments in commands(str(page.relative_to(DOCS))):
        if action == "train" and "--external_callback" not in arguments and "Slow-Go1" not in arguments:
            answer = ask(action, *[it for it in arguments if it not in ("--checkpoint", "latest")])
            assert "error" not in answer, answer["error"]


def test_export(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ("--task", "Gym-CartPole-v1")
    assert start("train", *task, "--max_iterations", "1").returncode == 0
    follow("guides/export.md", start, tmp_path)
    (folder,) = tmp_path.glob("logs/rsl_rl/*/*/exported")
    monkeypatch.chdir(folder.parent)
    run_it, reorder = blocks("guides/export.md", "python")
    names: dict[str, Any] = {}
    exec(run_it, names)
    assert names["action"].sum() == 1.0  # one of two choices
    exec(reorder, {})


def test_language_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    from gbpo.trainers import TOKENIZER, save_model

    (example,) = blocks("tutorials/language_models.md", "python")
    monkeypatch.chdir(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(save_model(tmp_path))
    names: dict[str, Any] = {"model": model, "tokenizer": TOKENIZER}
    exec(example, names)
    assert names["trainer"].state.global_step == 2
