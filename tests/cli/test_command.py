# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What becomes of a command line, and what is refused, all before a simulator starts."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from e2e.process import PLAY, TRAIN, environment, run

G1, GO1 = "Isaac-Velocity-Rough-G1-v0", "Isaac-Velocity-Rough-Unitree-Go1-v0"
BPO, PPO = "rsl_rl_bpo_cfg_entry_point", "rsl_rl_cfg_entry_point"
without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="tests the defaults of a machine without CUDA")

# Imports Isaac Lab once and translates one command line after the other, as the command does with its only one.
WORKER = """
import json, os, sys

from isaaclab_bpo.cli.command import translate
from isaaclab_bpo.cli.errors import UserError
sys.path.append(sys.argv[1])  # the last place, so that its entry point is found after ours
for line in sys.stdin:
    folder, action, argv = json.loads(line)
    os.chdir(folder)
    try:
        command = translate(action, argv)
        given = len([token for token in argv if "=" in token and not token.startswith("-")])
        answer = dict(
            args=vars(command.args),
            overrides=command.overrides,
            added=command.overrides[given:],
            notes=command.notes,
            checkpoint=command.args.checkpoint,
            num_envs=command.args.num_envs or command.env_cfg.scene.num_envs,
            max_iterations=command.agent_cfg.max_iterations,
        )
    except UserError as error:
        answer = dict(error=str(error))
    print("ANSWER", json.dumps(answer), flush=True)
"""

Ask = Callable[..., dict]


USERS_TASK = """
import gymnasium
import isaaclab_tasks

kwargs = gymnasium.spec("IsaacContrib-Velocity-Flat-UnitreeGo1").kwargs
keys = ("env_cfg_entry_point", "rsl_rl_cfg_entry_point")
gymnasium.register("Users-Go1", "isaaclab.envs:ManagerBasedRLEnv", kwargs={key: kwargs[key] for key in keys})
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    project = tmp_path_factory.mktemp("project")
    (project / "users_tasks.py").write_text(USERS_TASK)
    info = project / "users_tasks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: users_tasks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[isaaclab.tasks]\nusers_tasks = users_tasks\n")
    process = subprocess.Popen(
        (sys.executable, "-c", WORKER, str(project)),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate()


@pytest.fixture
def ask(worker: subprocess.Popen[str], tmp_path: Path) -> Ask:
    """Return a function that translates a command line given in the folder ``tmp_path``."""

    def ask(action: str, *argv: str) -> dict:
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(json.dumps([str(tmp_path), action, argv]), file=worker.stdin, flush=True)
        for line in worker.stdout:
            if line.startswith("ANSWER "):
                return json.loads(line.removeprefix("ANSWER "))
        raise AssertionError("the worker ended")

    return ask


LAYERS = {f"mlp.{2 * i}.weight": torch.zeros(width, 1) for i, width in enumerate((512, 256, 128, 12))}
OPTIMIZER = {"state": {}, "param_groups": [{"lr": 1e-3, "params": []}]}
CHECKPOINT = {"iter": 7, "actor_state_dict": LAYERS, "critic_state_dict": LAYERS, "optimizer_state_dict": OPTIMIZER}


def write_run(cwd: Path, task: str, agent: str, physics: str, created: str = "2026-01-01T00:00:00+00:00") -> Path:
    """Write what a training leaves behind, and return its checkpoint."""
    experiment = "unitree_go1_rough_bpo" if agent == BPO else "unitree_go1_rough"
    folder = cwd / "logs" / "rsl_rl" / experiment / f"{len(list(cwd.rglob('run.json')))}"
    (folder / "params").mkdir(parents=True)
    manifest = {"version": 1, "library": "rsl_rl", "task": task, "created_at": created, "metadata": {"agent": agent}}
    (folder / "run.json").write_text(json.dumps(manifest))
    env = {"sim": {"physics": {"class_type": physics}}, "scene": {"robot": {"joint_ordering": None}, "size": (1, 2)}}
    (folder / "params" / "env.yaml").write_text(yaml.dump(env))
    checkpoint = folder / "model_7.pt"
    torch.save(CHECKPOINT, checkpoint)
    return checkpoint


def test_a_users_own_task_has_a_bpo_agent(ask: Ask) -> None:
    answer = ask("train", "--task", "Users-Go1", "--algo", "bpo")
    assert answer["args"]["agent"] == BPO


OVPHYSX = "isaaclab_ov.physics.ovphysx_manager:OvPhysxManager"
PHYSX = "isaaclab_physx.physics.physx_manager:PhysxManager"
NEWTON = "isaaclab_newton.physics.newton_manager:NewtonManager"
PHYSX_HERE = "ovphysx" if importlib.util.find_spec("isaacsim") is None else "isaacsim_physx"


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["--task", "Isaac-Velocity-Rough-G2-v0"], ["'Isaac-Velocity-Rough-G2-v0'", "did you mean", G1]),
        ([], ["--task is missing"]),
        (["--task", GO1, "--resume"], ["--resume does not exist", "--checkpoint latest"]),
        (["--task", G1, "--agent", "skrl"], ["'skrl'", BPO, PPO]),
        (["--task", G1, "--algo", "ppo", "--agent", BPO], ["--algo ppo", PPO, "give one of the two"]),
        (["--task", G1, "--num_envs", "0"], ["--num_envs 0", "at least 1"]),
        (["--task", G1, "--max_iterations", "-1"], ["--max_iterations -1", "at least 0"]),
        (["--task", G1, "env.scene.num_envs=-3"], ["env.scene.num_envs=-3", "at least 1"]),
        (["--task", G1, "--checkpoint", "nowhere/model_1.pt"], ["'nowhere/model_1.pt'", "does not exist"]),
        (["--task", G1, "--checkpoint", "latest"], ["'latest'", "Isaac-Velocity-Rough-G1", "train one first"]),
        (["--task", G1, "--checkpoint", "."], ["'.'", "model_*.pt"]),
        (["--task", G1, "agent.algorithm.clip_param=-1"], ["clip_param", "-1", "(0, 1]"]),
        (["--task", G1, "agent.algorithm.median=foo"], ["median", "'foo'", "critic", "batch", "value"]),
        (["--task", G1, "agent.algorithm.temperature=0"], ["temperature", "0", "> 0"]),
        (["--task", G1, "--algo", "ppo", "agent.algorithm.clip_param=-1"], ["clip_param", "-1"]),
        (["--task", G1, "agent.algorithm.clip_parm=0.3"], ["'clip_parm'", "did you mean clip_param"]),
        (["--task", G1, "env.scene.num_env=8"], ["'num_env'", "did you mean num_envs"]),
        (["--task", G1, "env.scene.num_envs=many"], ["'env.scene.num_envs=many'", "needs a number", "4096"]),
        (["--task", G1, "num_envs=8"], ["'num_envs=8'", "env. or agent."]),
        (["--task", G1, "physics=bullet"], ["physics=bullet", "newton_mjwarp", "ovphysx"]),
        (["--task", G1, "presets=foo"], ["presets=foo"]),
        (["--task", "IsaacContrib-Multitask-Manipulation"], ["TaskBalancedPPO", BPO]),
        (["--task", "Isaac-Velocity-Rough-AnymalD"], ["anymal_d.usd", "no stand-in", "ISAACSIM_ASSET_ROOT"]),
        (["--task", "Isaac-Cartpole-Camera-Direct"], [".usd", "no stand-in"]),  # its whole configuration is a preset
        (["--task", G1, "--max_steps", "1e6", "--max_iterations", "3"], ["--max_steps", "give one of the two"]),
        (["--task", "Gym-Hopper-v6"], ["'Gym-Hopper-v6'", "did you mean Gym-Hopper-v5"]),
        (["--task", "Gym-Hopper-v5", "--video"], ["--video", "Gym-Hopper-v5", "env.render_mode=human"]),
        (["--task", "Gym-Hopper-v5", "physics=ovphysx"], ["physics=ovphysx", "valid are none"]),
    ],
)
def test_mistakes_are_named(ask: Ask, argv: list[str], parts: list[str]) -> None:
    error = ask("train", *argv)["error"]
    assert "\n" not in error
    for part in parts:
        assert part in error


@without_cuda
def test_gymnasiums_tasks_keep_their_number_of_environments(ask: Ask) -> None:
    answer = ask("train", "--task", "Gym-Hopper-v5", "--max_steps", "1e6")
    assert answer["max_iterations"] == 489  # 1e6/(4 environments x 512 steps), rounded up
    assert answer["args"]["num_envs"] is None
    assert answer["num_envs"] == 4
    assert "agent.device=cpu" in answer["overrides"]
    assert not any(token.startswith("physics=") for token in answer["overrides"])


@without_cuda
@pytest.mark.parametrize("argv", [["--device", "cuda:0"], ["agent.device=cuda"], ["--distributed"]])
def test_cuda_is_refused_where_there_is_none(ask: Ask, argv: list[str]) -> None:
    assert "this machine has none" in ask("train", "--task", G1, *argv)["error"]


def test_checkpoint_cut_short_is_refused(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "cut short" in ask("play", "--task", GO1, "--checkpoint", str(checkpoint))["error"]
    assert "finds no run" in ask("play", "--task", GO1)["error"]


@pytest.mark.parametrize("action", ["train", "play"])
def test_latest_skips_damaged_checkpoints(ask: Ask, tmp_path: Path, action: str) -> None:
    older = write_run(tmp_path, GO1, BPO, OVPHYSX, created="2026-01-01T00:00:00+00:00")
    newest = write_run(tmp_path, GO1, BPO, OVPHYSX, created="2026-01-02T00:00:00+00:00")
    previous = newest.with_name("model_6.pt")
    previous.write_bytes(newest.read_bytes())
    chosen = [*("--task", GO1, "--checkpoint", "latest")]
    assert ask(action, *chosen)["checkpoint"] == str(newest)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert ask(action, *chosen)["checkpoint"] == str(previous)
    nan = {**LAYERS, "mlp.0.weight": torch.full((512, 1), torch.nan)}
    torch.save(CHECKPOINT | {"actor_state_dict": nan}, previous)
    assert ask(action, *chosen)["checkpoint"] == str(older)


def test_other_hidden_layers_are_refused_before_the_simulator_starts(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    given = ("--task", GO1, "--checkpoint", str(checkpoint), "agent.actor.hidden_dims=[512,128,128]")
    error = ask("train", *given)["error"]
    for part in ("mlp.2.weight of the actor", "(256, 1)", "[512, 256, 128]", "[512, 128, 128]", "same networks"):
        assert part in error


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ({"student_state_dict": {}, "teacher_state_dict": {}}, "rsl_rl's Distillation"),
        ({"policy": {}}, "another library"),
    ],
)
def test_checkpoint_of_another_algorithm_is_refused(ask: Ask, tmp_path: Path, content: dict, part: str) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    torch.save(content, checkpoint)
    assert part in ask("train", "--task", GO1, "--checkpoint", str(checkpoint))["error"]


@pytest.mark.parametrize(
    "text", ["{", "- 1", "just text", "scene: 3\nsim: {physics: 3}", "!!python/object/apply:os.abort []"]
)
def test_damaged_configuration_of_a_run_is_no_crash(ask: Ask, tmp_path: Path, text: str) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    (checkpoint.parent / "params" / "env.yaml").write_text(text)
    answer = ask("train", "--task", GO1, "--checkpoint", str(checkpoint))
    assert "args" in answer or "env.yaml', which says how the checkpoint was trained, is damaged" in answer["error"]


def test_configuration_of_a_run_cannot_add_overrides(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    file = checkpoint.parent / "params" / "env.yaml"
    file.write_text(file.read_text().replace("joint_ordering: null", "joint_ordering: 'x hydra.run.dir=/'"))
    assert "is not the name of one" in ask("train", "--task", GO1, "--checkpoint", str(checkpoint))["error"]


def test_all_mistakes_are_named_at_once(ask: Ask) -> None:
    mistakes = [
        *("agent.algorithm.clip_parm=0.3", "agent.algorithm.gamma=2", "agent.actor.activation=nonsense"),
        *("agent.logger=print", "agent.save_interval=0", "env.scene.num_envs=many"),
        "agent.algorithm.num_mini_batches=999999",
    ]
    error = ask("train", "--task", G1, *mistakes)["error"]
    for mistake in mistakes:
        assert mistake.split("=")[0].rsplit(".", 1)[-1] in error
    assert "\n" not in error


def test_value_of_another_type_is_named(ask: Ask) -> None:
    assert "hidden_dims='wide'" in ask("train", "--task", G1, "agent.actor.hidden_dims=wide")["error"]


def test_log_folder_that_cannot_be_written_is_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    assert "is a file" in ask("train", "--task", G1)["error"]


def test_checkpoint_that_runs_code_is_refused(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    torch.save(CHECKPOINT | {"infos": Path("anything but plain data")}, checkpoint)
    error = ask("play", "--task", GO1, "--checkpoint", str(checkpoint))["error"]
    assert "not a whole file of tensors and plain data" in error


@pytest.mark.parametrize("command", [TRAIN, PLAY])
def test_a_mistake_costs_one_line_and_exit_code_2(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, "--task", "Isaac-Velocity-Rough-G1", "agent.algorithm.clip_parm=0.3", cwd=tmp_path)
    assert done.returncode == 2
    script = Path(command[-1]).name
    assert [line for line in done.stderr.splitlines() if "error" in line.lower()] == [
        line for line in done.stderr.splitlines() if line.startswith(f"{script}: error: ")
    ]
    assert "Traceback" not in done.stderr
    assert "Launching simulation" not in done.stdout
    assert not (tmp_path / "logs").exists()


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


@without_cuda
def test_cpu_is_chosen_for_simulation_and_agent(ask: Ask) -> None:
    answer = ask("train", "--task", G1)
    args = answer["args"]
    assert args["rl_library"] == "rsl_rl"
    assert args["task"] == "Isaac-Velocity-Rough-G1"
    assert args["agent"] == BPO
    assert args["device"] == "cpu"
    assert args["num_envs"] == 64
    assert {"agent.device=cpu", "physics=ovphysx"} <= set(answer["overrides"])
    assert len(answer["notes"]) == 2


@without_cuda
def test_what_the_user_chose_stays(ask: Ask) -> None:
    given = ["--task", G1, "--algo", "ppo", "--num_envs", "3", "--device", "cpu", "physics=newton_mjwarp"]
    answer = ask("train", *given)
    args, overrides = answer["args"], answer["overrides"]
    assert (args["algo"], args["num_envs"], args["device"]) == ("ppo", 3, "cpu")
    assert args["agent"] == PPO
    assert [token for token in overrides if token.startswith("physics=")] == ["physics=newton_mjwarp"]
    assert answer["num_envs"] == 3
    answer = ask("train", "--task", G1, "env.scene.num_envs=5")
    assert answer["args"]["num_envs"] is None
    assert answer["num_envs"] == 5


@without_cuda
def test_flat_go1_starts_without_isaac_sim(ask: Ask) -> None:
    assert "physics=ovphysx" in ask("train", "--task", "Isaac-Velocity-Flat-Unitree-Go1-v0")["overrides"]


def test_device_reaches_the_agent(ask: Ask) -> None:
    assert "agent.device=cpu" in ask("train", "--task", G1, "--device", "cpu")["overrides"]


@pytest.mark.parametrize(
    "asked", [GO1, "Isaac-Velocity-Rough-Unitree-Go1-Play-v0", "IsaacContrib-Velocity-Rough-UnitreeGo1"]
)
@pytest.mark.parametrize("trained", [GO1, "IsaacContrib-Velocity-Rough-UnitreeGo1"])
def test_latest_run_is_found_under_old_and_new_ids(ask: Ask, tmp_path: Path, asked: str, trained: str) -> None:
    checkpoint = write_run(tmp_path, trained, BPO, OVPHYSX)
    write_run(tmp_path, trained, PPO, OVPHYSX)
    answer = ask("play", "--task", asked)
    assert answer["checkpoint"] == str(checkpoint)
    assert answer["args"]["checkpoint"] == str(checkpoint)


@pytest.mark.parametrize(
    ("trained", "chosen", "physics", "order"),
    [
        (OVPHYSX, [], "physics=ovphysx", None),
        (PHYSX, [], f"physics={PHYSX_HERE}", None),  # both are PhysX, OvPhysX without Isaac Sim
        (NEWTON, [], None, None),  # the task's default
        (OVPHYSX, ["physics=newton_mjwarp"], None, "physx"),
        (PHYSX, ["physics=newton_mjwarp"], None, "physx"),
        (NEWTON, ["physics=ovphysx"], None, "mjwarp"),
        (NEWTON, ["physics=ovphysx", "env.scene.robot.joint_ordering=physx"], None, None),
    ],
)
@pytest.mark.parametrize("action", ["train", "play"])
def test_policy_meets_the_joint_order_that_it_learned(
    ask: Ask, tmp_path: Path, action: str, trained: str, chosen: list[str], physics: str | None, order: str | None
) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, trained)
    added = ask(action, "--task", GO1, "--checkpoint", str(checkpoint), *chosen)["added"]
    assert [token for token in added if token.startswith("physics=")] == ([physics] if physics else [])
    joint_orders = [token for token in added if token.startswith("env.scene.robot.joint_ordering=")]
    assert joint_orders == ([f"env.scene.robot.joint_ordering={order}"] if order else [])


def check_video(folder: Path, since: float) -> str:
    """Return the mistake that play.py finds in the videos of ``folder``."""
    code = "import pathlib, sys; from isaaclab_bpo.cli import video; video.check(pathlib.Path(), float(sys.argv[1]))"
    done = run(sys.executable, "-c", code, str(since), cwd=folder)
    assert "UserError: " in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "left no video"), (b"", "holds no frames"), (b"no video", "holds no frames")]
)
def test_video_that_failed_is_an_error(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "clip_model_2_0000.mp4").write_bytes(content)
    assert complaint in check_video(tmp_path, since=0.0)


def test_video_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "clip_model_2_0000.mp4").touch()
    assert "left no video" in check_video(tmp_path, since=time.time() + 1)
