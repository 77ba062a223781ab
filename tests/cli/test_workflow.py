# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whole starts of training and playing, on a task that needs no simulator."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import yaml

from cli.starts import Start, starter
from e2e.process import PLAY, TIMEOUT, environment, run

HOPPER = ("--task", "Gym-Hopper-v5", "--num_envs", "2")
SMALL = (*HOPPER, "agent.num_steps_per_env=16", "agent.algorithm.num_mini_batches=2", "--max_iterations", "1")


@pytest.fixture(scope="module")
def trained(server: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    cwd = tmp_path_factory.mktemp("trained")
    done = starter(server, cwd)("train", *SMALL)
    assert done.returncode == 0, done.stderr
    (folder,) = cwd.glob("logs/rsl_rl/*/*")
    return folder


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Return the sentence that a refused start ends with."""
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("seed", ["4294967295", "0", "-1"])
def test_every_seed_that_the_rule_allows_trains(start: Start, tmp_path: Path, seed: str) -> None:
    done = start("train", *SMALL, "--seed", seed)
    assert done.returncode == 0, done.stderr
    (params,) = tmp_path.glob("logs/rsl_rl/*/*/params")
    written = [yaml.unsafe_load((params / f"{name}.yaml").read_text())["seed"] for name in ("agent", "env")]
    assert written[0] == written[1]
    if seed == "-1":
        assert f"seed {written[0]} (drawn, as -1 asks)" in done.stdout
    else:
        assert written[0] == int(seed)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--checkpoint", "{run}", "--task", "Gym-Ant-v5"), "it comes from another robot"),
        (("env.id=Nope-v0",), "Environment `Nope` doesn't exist"),
        (("env.id=CartPole-v1",), "has the action space Discrete(2)"),
        (("agent.init_at_random_ep_len=true",), "Gymnasium counts an episode's steps itself"),
        (("--checkpoint", "wandb:a/b/c"), "--checkpoint 'wandb:a/b/c' cannot be fetched: "),
        (("--checkpoint", "http://"), "--checkpoint 'http://' cannot be fetched: "),
        (("--checkpoint", "nonsense://x/model_1.pt"), "cannot be fetched: Unable to find the file"),
        (("--checkpoint", "file:///nowhere/model_1.pt"), "cannot be fetched: Unable to find the file"),
        (("--checkpoint", "https://wandb.ai/a"), "cannot be fetched"),
        (("--checkpoint", "pretrained"), "none is published for --task Gym-Hopper-v5"),
        (("--checkpoint", ""), "--checkpoint is empty"),
        (("--checkpoint", "a" * 300), "cannot be looked at: File name too long"),
        (("--run_name", "a/b"), "cannot name a folder"),
        (("--run_name", "a" * 300), "shorten it"),
    ],
)
@pytest.mark.parametrize("timestamp", [(), ("--run_timestamp", "mine")])
def test_refused_start_leaves_nothing(
    start: Start, tmp_path: Path, trained: Path, arguments: tuple, part: str, timestamp: tuple
) -> None:
    if timestamp and "://" in str(arguments):
        pytest.skip("the same again, and slow")
    given = [str(trained) if it == "{run}" else it for it in arguments]
    assert part in sentence(start("train", *SMALL, *timestamp, *given))
    assert not (tmp_path / "logs").exists()


def test_training_continues_in_the_folder_that_it_names(start: Start, tmp_path: Path) -> None:
    named = ("train", *SMALL, "--run_timestamp", "mine")
    assert start(*named).returncode == 0
    folder = next(tmp_path.glob("logs/rsl_rl/*/mine"))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert "where a run has left checkpoints: continue it with --checkpoint" in sentence(start(*named))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert start(*named, "--checkpoint", str(folder)).returncode == 0
    assert sorted(path.name for path in folder.glob("model_*.pt")) == ["model_0.pt", "model_1.pt"]


@pytest.mark.parametrize("name", ["", "two words", "ä走", "-x", "a=b"])
def test_latest_finds_whatever_training_made(start: Start, tmp_path: Path, name: str) -> None:
    assert start("train", *SMALL, "--run_name", "older").returncode == 0
    given = (f"agent.experiment_name='{name or 'walk'}'",)
    assert start("train", *SMALL, f"--run_name={name}", *given).returncode == 0
    done = start("play", *HOPPER, *given, "--checkpoint", "latest")
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob(f"logs/rsl_rl/{name or 'walk'}/*")
    assert f"Loading model checkpoint from: {folder}/model_0.pt" in done.stdout
    assert json.loads((folder / "run.json").read_text())["task"] == "Gym-Hopper-v5"


def commands(output: str, *starts: str) -> list[list[str]]:
    """Return the arguments of the printed lines that tell what to type next, without the program's."""
    found = []
    for start_ in starts:
        (line,) = (line for line in output.splitlines() if line.startswith(f"  {start_}: "))
        words = shlex.split(line.removeprefix(f"  {start_}: "))
        assert words[:3] == [sys.executable, "-m", "isaaclab_bpo"]
        found.append(words[3:])
    return found


def test_training_ends_with_what_to_type_next(start: Start, tmp_path: Path) -> None:
    given = ("--task", "Gym-CartPole-v1", "--algo", "ppo", "--max_iterations", "4", "agent.save_interval=2")
    done = start("train", *given, "--num_envs", "16")
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("logs/rsl_rl/*/*")
    assert f"[isaaclab_bpo] Run: {folder}" in done.stdout
    assert "Last checkpoint: model_3.pt" in done.stdout
    assert re.search(r"Mean return of the last 100 episodes: \d", done.stdout)
    assert re.search(r"Best checkpoint: model_best\.pt \(mean return [\d.]+ after iteration \d\)", done.stdout)
    play, resume = commands(done.stdout, "Play it", "Go on with it")
    assert start(*play).returncode == 0
    done = start(*resume, "--max_iterations", "1")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("logs/rsl_rl/*/*/model_4.pt"))


def test_best_checkpoint_is_found_and_evaluated(start: Start, tmp_path: Path) -> None:
    task = ("--task", "Gym-CartPole-v1")
    done = start("train", *task, "--max_iterations", "2", "--num_envs", "2", "agent.num_steps_per_env=8")
    assert "Best checkpoint" not in done.stdout  # too few episodes have ended
    error = sentence(start("evaluate", *task, "--checkpoint", "best"))
    assert "take latest (a best one needs 100 episodes that ended)" in error
    assert start("train", *task, "--max_iterations", "4", "--num_envs", "16").returncode == 0
    given = ("--checkpoint", "best", "--episodes", "7", "--num_envs", "3", "--output", "results/best.json")
    done = start("evaluate", *task, *given)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results" / "best.json").read_text())
    assert results["checkpoint"].endswith("model_best.pt")
    assert results["episodes"] == len(results["each"]) == 7
    returns = [episode["return"] for episode in results["each"]]
    assert returns == [episode["length"] for episode in results["each"]]  # CartPole gives 1 in each step
    mean = results["means"]["return"]
    assert mean["value"] == pytest.approx(sum(returns) / 7)
    assert min(returns) <= mean["low"] < mean["value"] < mean["high"] <= max(returns)
    assert f"[isaaclab_bpo] 7 episodes: return {mean['value']:.4g} [" in done.stdout


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (("--video",), "--video does not film an evaluation: give --video to play"),
        (("--episodes", "0"), "--episodes: '0' is not a whole number of at least 1"),
        (("--video_size", "big"), "--video_size: 'big' is not WIDTHxHEIGHT, such as 640x360"),
        (("--output", "."), "--output '.' cannot be written: name a file in a folder that can be"),
        (("--output", "/proc/none/x.json", "--episodes", "1"), "--output '/proc/none/x.json' cannot be written: "),
    ],
)
def test_mistakes_in_an_evaluation_are_sentences(start: Start, trained: Path, given: tuple, part: str) -> None:
    assert part in sentence(start("evaluate", *HOPPER, "--checkpoint", str(trained), *given))


WRITER = """
from pathlib import Path
class Writer:
    def __init__(self, log_dir, name):
        self.path = Path(log_dir, name)
    def add_scalar(self, tag, value, step):
        with self.path.open("a") as file:
            print(tag, step, file=file)
    def __getattr__(self, name):
        return lambda *args, **kwargs: None
"""


def test_training_logs_with_a_log_writer_of_ones_own(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WRITER)
    done = start("train", *SMALL, 'agent.logger={"class_name":"mine:Writer","name":"scalars.txt"}')
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("logs/rsl_rl/*/*/scalars.txt")
    assert "Loss/value 0" in file.read_text()


def test_interrupted_training_is_saved_and_says_so(tmp_path: Path) -> None:
    given = (*HOPPER, "agent.num_steps_per_env=16", "agent.algorithm.num_mini_batches=2")
    command = (sys.executable, "-m", "isaaclab_bpo", "train", *given)
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Learning iteration 3/" in line:
                process.send_signal(signal.SIGINT)
                break
        output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    (number,) = re.findall(r"Interrupted after iteration (\d+): saved", errors)
    assert list(tmp_path.glob(f"logs/rsl_rl/*/*/model_{number}.pt"))
    assert f"Last checkpoint: model_{number}.pt" in output


def test_exported_policy_says_what_it_needs(start: Start, trained: Path) -> None:
    assert start("play", *HOPPER, "--checkpoint", str(trained), "--episodes", "1").returncode == 0
    text = (trained / "exported" / "policy.json").read_text()
    contract = json.loads(text)
    assert contract["task"] == "Gym-Hopper-v5"
    assert contract["observations"] == {"policy": [11]}
    assert contract["num_actions"] == 3
    assert len(contract["commits"]["rsl_rl"]) == 40 if "rsl_rl" in contract["commits"] else contract["commits"]
    model = onnx.load(trained / "exported" / "policy.onnx")  # with its weights, which lie beside it
    (property,) = model.metadata_props
    assert (property.key, json.loads(property.value)) == ("isaaclab_bpo", contract)


@pytest.mark.parametrize("obstacle", ["a file", "a dangling link", "a folder"])
def test_policy_is_played_though_it_cannot_be_exported(
    start: Start, tmp_path: Path, trained: Path, obstacle: str
) -> None:
    (tmp_path / "model_0.pt").write_bytes((trained / "model_0.pt").read_bytes())
    exported = tmp_path / "exported"
    if obstacle == "a file":
        exported.touch()
    elif obstacle == "a dangling link":
        exported.symlink_to("/proc/no/such/folder")
    else:
        (exported / "policy.pt").mkdir(parents=True)
    done = start("play", *HOPPER, "--checkpoint", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"[isaaclab_bpo] The policy could not be exported to {str(exported)!r}: " in done.stderr
    assert "Mean return of 2 episodes" in done.stdout


BROKEN = """
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
def fail():
    def step(self, action):
        raise ConnectionError("the robot does not answer")
    HopperEnv.step = step
"""


@pytest.mark.parametrize("command", ["play", "evaluate"])
def test_environment_that_raises_is_a_sentence(start: Start, tmp_path: Path, trained: Path, command: str) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "model_0.pt").write_bytes((trained / "model_0.pt").read_bytes())
    done = start(command, *HOPPER, "--checkpoint", str(tmp_path), "--external_callback", "broken.fail")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"{command}.py: error: the environment raised ConnectionError: the robot does not answer. ")
    assert "Traceback" not in done.stderr
    assert "does not answer" in (tmp_path / "environment_error.txt").read_text()


@pytest.mark.parametrize("command", ["train", "play"])
def test_full_memory_is_a_sentence(start: Start, tmp_path: Path, trained: Path, command: str) -> None:
    given = ("--checkpoint", str(trained)) if command == "play" else ()
    done = start(command, *HOPPER, *given, "agent.num_steps_per_env=1000000000000")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"{command}.py: error: memory is full: give fewer environments with --num_envs (")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        ("mount -o remount,ro run", "Read-only file system"),
        ("dd if=/dev/zero of=run/fill 2>/dev/null", "No space left on device"),
    ],
)
def test_policy_is_played_from_a_file_system_that_takes_nothing(
    tmp_path: Path, trained: Path, prepare: str, reason: str
) -> None:
    in_namespace = ("unshare", "--map-root-user", "--mount")
    if subprocess.run((*in_namespace, "true"), capture_output=True).returncode != 0:
        pytest.skip("needs a kernel that lets this user mount file systems of its own")
    (tmp_path / "run").mkdir()
    mount = f"mount -t tmpfs -o size=16m none run; cp {trained}/model_0.pt run; {prepare}"
    play = shlex.join((*PLAY, *HOPPER, "--checkpoint", "run"))
    done = run(*in_namespace, "sh", "-c", f"{mount}; exec {play}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"could not be exported to {str(tmp_path / 'run' / 'exported')!r}: " in done.stderr
    assert reason in done.stderr
    assert "Mean return of 2 episodes" in done.stdout
