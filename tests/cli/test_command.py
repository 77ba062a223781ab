# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What becomes of a command line, and what is refused, all before a simulator starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.runs import (
    BPO,
    G1,
    GO1,
    PPO,
    Ask,
    without_cuda,
)
from e2e.process import PLAY, TRAIN, run


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
        (["--task", "Gym-Hopper-v5", "--video"], ["--video", "Gym-Hopper-v5", "to play"]),
        (["--task", "Gym-PongNoFrameskp-v4"], ["'Gym-PongNoFrameskp-v4'", "did you mean Gym-PongNoFrameskip-v4"]),
        (["--task", "Gym-ALE/Pon-v5"], ["'Gym-ALE/Pon-v5'", "Gym-ALE/Pong-v5"]),
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
