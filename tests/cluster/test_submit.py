# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``docker/cluster/submit.py``: the script that it writes, and what it refuses."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.process import ROOT

SUBMIT = (sys.executable, str(ROOT / "docker" / "cluster" / "submit.py"))
TASK = ("--task", "Isaac-Velocity-Rough-G1-v0")
SHELLCHECK = Path(sys.executable).parent / "shellcheck"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def script(*options: str, cwd: Path) -> str:
    """Return what a dry run prints."""
    done = run(*SUBMIT, *TASK, "--dry-run", *options, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sbatch_options(script: str) -> dict[str, str]:
    lines = [shlex.split(line)[0] for line in re.findall(r"^#SBATCH --(.*)$", script, flags=re.MULTILINE)]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def variables(script: str, *names: str) -> list[str]:
    """Return what bash makes of variables at the top of the script."""
    head = script[: script.index("set -euo pipefail")]
    echo = "; ".join(f'printf "%s\\n" "${{{name}[*]}}"' for name in names)
    return subprocess.run(("bash", "-c", head + echo), check=True, capture_output=True, text=True).stdout.splitlines()


def test_dry_run_prints_the_script_and_does_nothing(tmp_path: Path) -> None:
    text = script("--algo", "bpo", "ppo", "--seeds", "0", "1", "2", "3", "4", "--workdir", "new", cwd=tmp_path)
    options = sbatch_options(text)
    assert options["array"] == "0-9"  # 2 algorithms x 5 seeds
    assert options["output"] == str(tmp_path / "new" / "slurm" / "%x_%a.log")
    assert options["gpus-per-node"] == "1"
    assert {"requeue", "signal"} <= set(options)
    assert not {"partition", "account", "time"} & set(options)
    assert variables(text, "algorithms", "seeds", "workdir") == ["bpo ppo", "0 1 2 3 4", str(tmp_path / "new")]
    assert not (tmp_path / "new").exists()


def test_documented_commands_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "cluster.md").read_text().replace("\\\n", " ")
    lines = re.findall(r"^docker/cluster/submit.py (.*)$", page, flags=re.MULTILINE)
    assert len(lines) >= 4
    (tmp_path / "isaaclab_bpo.sif").touch()
    for line in lines:
        # Slurm may be here, and have other partitions.
        options = [option for option in shlex.split(line) if option not in ("--partition", "gpu")]
        done = run(*SUBMIT, "--dry-run", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "gpus", "arguments"),
    [
        ([], "1", ""),
        (["--nodes", "2", "--gpus", "4", "--time", "1-00:00:00", "--account", "us", "--image", __file__], "4", ""),
        (
            ["--gpus", "0", "--sbatch=--mem=8G", "--", "agent.x=[1,2]", "env.x=it's $HOME"],
            None,
            "agent.x=[1,2] env.x=it's $HOME",
        ),
    ],
)
def test_script_is_sound_bash(tmp_path: Path, options: list[str], gpus: str | None, arguments: str) -> None:
    folder = tmp_path / "a folder"
    text = script("--workdir", str(folder), *options, cwd=tmp_path)
    subprocess.run((SHELLCHECK, "--severity=warning", "-"), input=text, check=True, text=True)
    assert variables(text, "workdir", "arguments") == [str(folder), arguments]
    assert sbatch_options(text)["output"] == f"{folder}/slurm/%x_%a.log"
    assert sbatch_options(text).get("gpus-per-node") == gpus


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--image", "no.sif"], ["--image", "no.sif' does not exist", "docs/cluster.md"]),
        (["--workdir", f"{__file__}/runs"], ["--workdir", "cannot be written (Not a directory)"]),
        (["--seeds", "1", "2", "1"], ["--seeds 1 2 1", "twice"]),
        (["--algo", "ppo", "ppo"], ["--algo ppo ppo", "twice"]),
        (["--nodes", "0"], ["--nodes 0", "at least 1"]),
        (["--nodes", "2", "--gpus", "0"], ["--nodes 2", "--gpus is 0"]),
        (["--name", "a/b"], ["--name 'a/b'", "letters"]),
        (["--", "--seed=3"], ["--seed=3", "submit.py chooses it"]),
        (["--seed", "1"], ["--seed is not an option: did you mean --seeds?"]),
        (["--wrokdir", "x", "--foo"], ["did you mean --workdir?", "--foo is not an option"]),
        (["--time-limit=1:00"], ["--time-limit is not an option"]),
        (["--dry_run"], ["did you mean --dry-run?"]),
        (["--", "--num_evns", "2"], ["train.py, after --: --num_evns", "did you mean --num_envs?"]),
        (["--", "--headless"], ["--headless does not exist here", "leave it out"]),
        (["--", "--load_run", "x"], ["--load_run does not exist here", "--checkpoint"]),
        (["--", "num_envs=8"], ["'num_envs=8'", "env. or agent."]),
        (["--", "--agent.seed=3"], ["write agent.seed=VALUE"]),
        (["--", "env.decimation", "2"], ["write env.decimation=VALUE"]),
    ],
)
def test_mistakes_are_named(tmp_path: Path, options: list[str], parts: list[str]) -> None:
    check_error(run(*SUBMIT, *TASK, "--dry-run", *options, cwd=tmp_path), parts)


@pytest.mark.parametrize("arguments", [["--num_envs", "8"], ["--external_callback", "mine.tasks", "--mine", "3"]])
def test_arguments_of_training_are_handed_on(tmp_path: Path, arguments: list[str]) -> None:
    assert variables(script("--", *arguments, cwd=tmp_path), "arguments") == [" ".join(arguments)]


def check_error(done: subprocess.CompletedProcess[str], parts: list[str]) -> None:
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("submit.py: error: ")
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize(
    ("mount", "fill", "parts"),
    [
        ("size=1m", "", ["0.0 GB left and 2 runs may write 2 GB"]),
        ("size=1m", "dd if=/dev/zero of=full 2>/dev/null;", ["cannot be written (No space left on device)"]),
        ("ro", "", ["cannot be written (Read-only file system)"]),
    ],
)
def test_disk_without_room_is_refused(tmp_path: Path, mount: str, fill: str, parts: list[str]) -> None:
    in_namespace = ("unshare", "--map-root-user", "--mount")
    if subprocess.run((*in_namespace, "true")).returncode != 0:
        pytest.skip("needs a kernel that lets this user mount file systems of its own")
    submit = shlex.join((*SUBMIT, *TASK, "--seeds", "0", "1", "--dry-run"))
    code = f"mount -t tmpfs -o {mount} none .; cd .; cd $PWD; {fill} exec {submit}"
    check_error(run(*in_namespace, "sh", "-c", code, cwd=tmp_path), ["--workdir", *parts])


def test_machine_without_slurm_is_named(tmp_path: Path) -> None:
    done = subprocess.run((*SUBMIT, *TASK), cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True)
    check_error(done, ["sbatch is not on this machine"])
