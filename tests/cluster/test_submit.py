# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``docker/cluster/submit.py``: the script that it writes, and what it refuses."""

from __future__ import annotations

import os
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
    seeds = ("--seeds", "0", "1", "2", "3", "4")
    text = script("--algo", "bpo", "ppo", *seeds, "--workdir", "new", "--name", "g1", cwd=tmp_path)
    options = sbatch_options(text)
    assert options["array"] == "0-9"  # 2 algorithms x 5 seeds
    assert options["output"] == str(tmp_path / "new" / "slurm" / f"g1_{TASK[1]}_%a.log")
    assert options["gpus-per-node"] == "1"
    assert {"requeue", "signal"} <= set(options)
    assert not {"partition", "account", "time"} & set(options)
    assert variables(text, "algorithms", "seeds", "workdir") == ["bpo ppo", "0 1 2 3 4", str(tmp_path / "new")]
    runs = variables(text, "runs")[0].split()
    assert (len(runs), runs[0], runs[-1]) == (10, f"g1_{TASK[1]}_bpo_seed0", f"g1_{TASK[1]}_ppo_seed4")
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
    text = script("--workdir", str(folder), "--name", "test", *options, cwd=tmp_path)
    subprocess.run((SHELLCHECK, "--severity=warning", "-"), input=text, check=True, text=True)
    assert variables(text, "workdir", "arguments") == [str(folder), arguments]
    assert sbatch_options(text)["output"] == f"{folder}/slurm/test_{TASK[1]}_%a.log"
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
        (["--name", "a" * 250], ["--name 'aaa", "too long", "shorten it by 47 characters"]),
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


def fake(folder: Path, **programs: str) -> dict[str, str]:
    """Return the variables of a shell in which ``programs`` of Slurm's are other scripts."""
    folder.mkdir()
    for name, code in programs.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{code}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("other", "is_refused"),
    [
        (["--task", "Isaac-Velocity-Rough-H1-v0", "--", "--num_envs", "8"], False),  # another run, of its own name
        (["--seeds", "1", "--", "--num_envs", "16"], False),  # likewise
        (["--partition", "other", "--cpus", "2", "--", "--num_envs", "8"], False),  # the same one, elsewhere
        (["--", "--num_envs", "16"], True),
        (["--gpus", "2", "--", "--num_envs", "8"], True),
        (["--task", "Isaac-Velocity-Rough/G1-v0", "--", "--num_envs", "8"], True),  # its folder has the same name
    ],
)
def test_run_is_continued_by_its_own_command_only(tmp_path: Path, other: list[str], is_refused: bool) -> None:
    slurm = fake(tmp_path / "bin", sbatch="echo 7", sinfo="echo other")

    def submit(*options: str) -> subprocess.CompletedProcess[str]:
        command = (*SUBMIT, *TASK, "--name", "base", *options)
        return subprocess.run(command, cwd=tmp_path, env=slurm, capture_output=True, text=True)

    assert submit("--dry-run", "--", "--num_envs", "16").returncode == 0  # which leaves nothing
    for _ in range(2):
        done = submit("--", "--num_envs", "8")
        assert done.returncode == 0, done.stderr
    done = submit(*other)
    if is_refused:
        file = tmp_path / "slurm" / f"base_{TASK[1]}_bpo_seed0.json"
        check_error(done, ["--name 'base'", "another command: choose another name", f"remove '{file}'"])
        file.unlink()
        done = submit(*other)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("task", "name"), [("Isaac-Ant-v0", "base_Isaac-Ant-v0"), ("Gym-ALE/Pong-v5", "base_Gym-ALE-Pong-v5")]
)
def test_run_of_another_task_is_left_alone(tmp_path: Path, task: str, name: str) -> None:
    """A job runs under the name of another task's finished run: from the start, again, and from a checkpoint."""
    other = tmp_path / "logs" / "rsl_rl" / "g1" / f"base_{TASK[1]}_bpo_seed0"
    own = tmp_path / "logs" / "rsl_rl" / "ant" / f"{name}_bpo_seed0"
    train = 'printf "%s\\n" "$*" >>trained; mkdir -p "$OWN"; touch "$OWN/model_3.pt"'
    slurm = fake(tmp_path / "bin", srun=train, scontrol="") | {"OWN": str(own), "SLURMD_NODENAME": "one"}
    slurm |= {"SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "one"}
    other.mkdir(parents=True)
    for file in ("finished", "model_10.pt"):
        (other / file).touch()
    text = script("--task", task, "--name", "base", cwd=tmp_path)

    def job() -> list[str]:
        done = subprocess.run("bash", cwd=tmp_path, env=slurm, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return (tmp_path / "trained").read_text().splitlines()

    (first,) = job()
    assert f"--run_timestamp {name}_bpo_seed0" in first
    assert "--checkpoint" not in first
    assert (own / "finished").exists()
    assert len(job()) == 1  # it is finished
    (own / "finished").unlink()
    (other / "finished").unlink()
    _, second = job()
    assert second.endswith(f"--checkpoint {own.relative_to(tmp_path)}")
    assert not (other / "finished").exists()


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
