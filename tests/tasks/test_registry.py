# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registration on Isaac Lab's tasks, without a simulator."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import _find_spec
from isaaclab.utils import to_dict
from isaaclab_tasks.utils import resolve_task_config

from isaaclab_bpo.agents import RslRlBpoRunnerCfg
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg
from isaaclab_bpo.tasks import AGENT_KEY, canonical_id
from isaaclab_bpo.tasks.registry import register
from tasks.process import run_python

TASKS = {
    "Isaac-Velocity-{}-G1": "Isaac-Velocity-{}-G1",
    "Isaac-Velocity-{}-H1": "Isaac-Velocity-{}-H1",
    "IsaacContrib-Velocity-{}-UnitreeGo1": "Isaac-Velocity-{}-Unitree-Go1",
    "IsaacContrib-Velocity-{}-AnymalC": "Isaac-Velocity-{}-Anymal-C",
}


CASES = [(task.format(t), legacy.format(t)) for task, legacy in TASKS.items() for t in ("Rough", "Flat")]


def test_isaac_lab_finds_the_package() -> None:
    (entry_point,) = (e for e in entry_points(group="isaaclab.tasks") if e.name == "isaaclab_bpo")
    assert entry_point.load().AGENT_KEY == "rsl_rl_bpo_cfg_entry_point"


def test_registration_asks_no_server_and_sets_nothing(tmp_path: Path) -> None:
    """Also with a setting that is wrong, which is none of this command's business."""
    guard = """
import atexit, os, socket

before = dict(os.environ)

def refuse(*args, **kwargs):
    print("NETWORK", args, flush=True)
    raise OSError("no network in this test")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse

def report():
    names = {name for name in before.keys() | os.environ.keys() if before.get(name) != os.environ.get(name)}
    print("CHANGED", *sorted(name for name in names if "ASSET" in name or "BPO" in name), flush=True)

atexit.register(report)
"""
    command = ("-m", "isaaclab", "list_envs", "--keyword", "Velocity")
    code, output, errors = run_python(*command, folder=tmp_path, sitecustomize=guard, ISAACLAB_BPO_ASSETS="foo")
    assert code == 0, errors
    assert "Isaac-Velocity-Rough-G1" in output
    assert "NETWORK" not in output
    assert "CHANGED\n" in output
    assert "isaaclab_bpo]" not in output + errors
    assert not (tmp_path / "cache" / "isaaclab_bpo").exists()


PROJECT = """
import gymnasium
from isaaclab.utils import configclass

gymnasium.register("Theirs-v0", entry_point="theirs:make", kwargs={"env_cfg_entry_point": "theirs:EnvCfg"})

@configclass
class EnvCfg:
    num_envs: int = 3

def make(cfg, **kwargs):
    print("MADE", cfg.num_envs, flush=True)
    return gymnasium.make("CartPole-v1")
"""


def test_task_of_another_project_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(PROJECT)
    program = """
import os
from isaaclab.cli import load_external_tasks

load_external_tasks()
import gymnasium, theirs
from isaaclab_tasks.utils import resolve_task_config

env_cfg, _ = resolve_task_config("Theirs-v0", None, overrides=["env.num_envs=5"])
gymnasium.make("Theirs-v0", cfg=env_cfg)
print("ROOT", os.environ.get("ISAACSIM_ASSET_ROOT"))
"""
    code, output, errors = run_python("-c", program, folder=tmp_path, ISAACLAB_BPO_ASSETS="foo")
    assert code == 0, errors
    assert "MADE 5" in output
    assert "ROOT None" in output
    assert "isaaclab_bpo" not in output + errors


@pytest.mark.parametrize(("task", "legacy"), CASES)
def test_ids_of_2x_are_the_same_tasks(task: str, legacy: str) -> None:
    env_cfg, agent_cfg = resolve_task_config(task, AGENT_KEY, overrides=[])
    legacy_env_cfg, legacy_agent_cfg = resolve_task_config(f"{legacy}-v0", AGENT_KEY, overrides=[])
    assert to_dict(legacy_env_cfg) == to_dict(env_cfg)
    assert to_dict(legacy_agent_cfg) == to_dict(agent_cfg)
    assert type(agent_cfg).__module__.startswith("isaaclab_bpo.agents.")
    play_cfg, _ = resolve_task_config(task, None, play_mode=True, overrides=[])
    legacy_play_cfg: Any
    legacy_play_cfg, _ = resolve_task_config(f"{legacy}-Play-v0", None, overrides=[])
    assert to_dict(legacy_play_cfg) == to_dict(play_cfg)
    assert legacy_play_cfg.scene.num_envs == 50
    assert canonical_id(f"{legacy}-v0") == canonical_id(f"{legacy}-Play-v0") == task
    assert canonical_id(task) == task


def test_overrides_reach_every_field() -> None:
    overrides = [
        "agent.algorithm.clip_param=0.25",
        "agent.algorithm.median=batch",
        "agent.algorithm.online_advantage=False",
        "agent.num_steps_per_env=32",
        "agent.actor.hidden_dims=[64,64]",
        "env.decimation=2",
        "env.scene.env_spacing=3.5",
    ]
    env_cfg: Any
    env_cfg, agent_cfg = resolve_task_config("Isaac-Velocity-Rough-G1-v0", AGENT_KEY, overrides=overrides)
    assert (agent_cfg.algorithm.clip_param, agent_cfg.algorithm.median) == (0.25, "batch")
    assert agent_cfg.algorithm.online_advantage is False
    assert (agent_cfg.num_steps_per_env, agent_cfg.actor.hidden_dims) == (32, [64, 64])
    assert (env_cfg.decimation, env_cfg.scene.env_spacing) == (2, 3.5)


def test_every_ppo_task_has_a_bpo_agent() -> None:
    tasks = [task for task, spec in gym.registry.items() if "rsl_rl_cfg_entry_point" in spec.kwargs]
    assert len(tasks) > 80
    assert all(AGENT_KEY in gym.registry[task].kwargs for task in tasks)
    # One plain, one with a field that is a choice among several values, one that is itself a choice
    for task in ("Isaac-Cartpole", "Isaac-Reach-Franka", "Isaac-Lift-KukaAllegro-Camera"):
        _, agent_cfg = resolve_task_config(task, AGENT_KEY, overrides=[])
        assert isinstance(agent_cfg, RslRlBpoRunnerCfg)
        assert check_agent_cfg(agent_cfg) == []
        assert agent_cfg.experiment_name.endswith("_bpo")


def test_no_configuration_of_isaac_lab_is_refused() -> None:
    for task in [task for task, spec in gym.registry.items() if "rsl_rl_cfg_entry_point" in spec.kwargs]:
        env_cfg, agent_cfg = resolve_task_config(task, "rsl_rl_cfg_entry_point", overrides=[])
        assert check_agent_cfg(agent_cfg, env_cfg.scene.num_envs) == [], task  # type: ignore[attr-defined]


def test_tasks_of_other_algorithms_say_so() -> None:
    with pytest.raises(ValueError, match="BPO takes the place of PPO"):
        resolve_task_config("IsaacContrib-Multitask-Manipulation", AGENT_KEY, overrides=[])


@pytest.mark.parametrize(("task", "legacy"), CASES)
def test_neither_id_stands_in_the_way_of_the_other(task: str, legacy: str, recwarn: pytest.WarningsRecorder) -> None:
    for name in (task, f"{legacy}-v0", f"{legacy}-Play-v0"):
        assert gym.spec(name).id == name
        assert _find_spec(name).id == name  # what gym.make makes
    assert not [warning for warning in recwarn if "versioned" in str(warning.message)]


def test_registering_twice_changes_nothing() -> None:
    before = {task: dict(spec.kwargs) for task, spec in gym.registry.items()}
    register()
    after = {task: dict(spec.kwargs) for task, spec in gym.registry.items()}
    assert before.keys() == after.keys()
    assert all(before[task].get(AGENT_KEY) is after[task].get(AGENT_KEY) for task in before)
