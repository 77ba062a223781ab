# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The paper's robots: its values, with and without Isaac Lab."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isaaclab_bpo.agents import RslRlBpoRunnerCfg, robots
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg

# Task, ε, epochs, entropy coefficient, online advantage, iterations: Ao et al., arXiv:2604.18578
PAPER = [
    ("Isaac-Velocity-{}-G1", 0.2, 10, 0.0, True, 3000),
    ("Isaac-Velocity-{}-H1", 0.2, 5, 0.0, False, 3000),
    ("IsaacContrib-Velocity-{}-UnitreeGo1", 0.3, 10, 0.001, False, 1500),
    ("IsaacContrib-Velocity-{}-AnymalC", 0.25, 5, 0.0, True, 1500),
]


G1_ROUGH, G1_FLAT = "Isaac-Velocity-Rough-G1", "Isaac-Velocity-Flat-G1"


def load(task: str) -> RslRlBpoRunnerCfg:
    cfg = robots.bpo_cfg(task)
    assert isinstance(cfg, RslRlBpoRunnerCfg)
    return cfg


@pytest.mark.parametrize(("task", "clip", "epochs", "entropy", "online", "iterations"), PAPER)
def test_robots_have_the_papers_values(task, clip, epochs, entropy, online, iterations) -> None:
    for terrain in ("Rough", "Flat"):
        cfg = load(task.format(terrain))
        algorithm = cfg.algorithm
        assert (algorithm.clip_param, algorithm.num_learning_epochs) == (clip, epochs)
        assert (algorithm.entropy_coef, algorithm.online_advantage) == (entropy, online)
        assert (algorithm.temperature, algorithm.num_mini_batches, algorithm.learning_rate) == (0.01, 4, 1e-3)
        assert (algorithm.schedule, algorithm.desired_kl) == ("adaptive", 0.01)
        assert (algorithm.gamma, algorithm.lam, algorithm.median) == (0.99, 0.95, "critic")
        assert (cfg.num_steps_per_env, cfg.save_interval, cfg.check_for_nan) == (24, 50, False)
        assert check_agent_cfg(cfg) == []
    rough = load(task.format("Rough"))
    assert rough.max_iterations == iterations
    assert rough.actor.hidden_dims == [512, 256, 128]
    assert rough.critic.hidden_dims == [512, 256, 128]


def test_names_of_experiments_are_all_different() -> None:
    names = {load(task.format(terrain)).experiment_name for task, *_ in PAPER for terrain in ("Rough", "Flat")}
    assert len(names) == 2 * len(PAPER)


def test_configurations_share_nothing() -> None:
    load(G1_ROUGH).algorithm.clip_param = 0.9
    load(G1_FLAT).actor.hidden_dims.append(1)
    assert load(G1_ROUGH).algorithm.clip_param == 0.2
    assert load(G1_ROUGH).actor.hidden_dims == [512, 256, 128]


def test_papers_numbers_need_no_isaac_lab() -> None:
    """A finder in front of all others stands for an environment without it."""
    code = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith("isaaclab") and not name.startswith("isaaclab_bpo"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import isaaclab_bpo.agents
from isaaclab_bpo.agents.mujoco import MUJOCO_TASKS
from isaaclab_bpo.agents.robots import ROBOTS
print(len(ROBOTS), "Hopper" in MUJOCO_TASKS)
try:
    from isaaclab_bpo.agents import RslRlBpoRunnerCfg
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["4 True", "No module named 'isaaclab'"]
