# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Agent configurations: the paper's values, the turn from PPO to BPO, checks."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from isaaclab.utils import to_dict
from isaaclab_rl.rsl_rl import RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg
from isaaclab_tasks.core.velocity.config.g1.agents.rsl_rl_ppo_cfg import G1RoughPPORunnerCfg
from rsl_rl.algorithms import PPO

from isaaclab_bpo.agents import RslRlBpoAlgorithmCfg, RslRlBpoRunnerCfg, bpo_from_ppo, mujoco, robots
from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.algorithms.options import OPTION_RULES, PPO_RULES, BpoOptions
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


def test_every_field_of_the_configuration_reaches_the_algorithm() -> None:
    arguments = {name for cls in (BPO, PPO) for name in inspect.signature(cls.__init__).parameters}
    options = {field.name for field in fields(BpoOptions)}
    by_construction = {"class_name", "share_cnn_encoders"}
    assert {field.name for field in fields(RslRlBpoAlgorithmCfg)} - by_construction <= arguments | options
    assert {field.name: field.default for field in fields(BpoOptions)}.items() <= vars(RslRlBpoAlgorithmCfg()).items()


def test_every_field_has_a_rule() -> None:
    without = {"class_name", "rnd_cfg", "symmetry_cfg"}
    assert {field.name for field in fields(RslRlBpoAlgorithmCfg)} - without == {*OPTION_RULES, *PPO_RULES}


def test_ppo_turns_into_bpo() -> None:
    ppo = G1RoughPPORunnerCfg()
    ppo.algorithm.gamma, ppo.seed, ppo.num_steps_per_env = 0.97, 7, 13
    bpo = bpo_from_ppo(ppo)
    assert isinstance(bpo, RslRlBpoRunnerCfg)
    assert isinstance(bpo.algorithm, RslRlBpoAlgorithmCfg)
    kept = {f.name for f in fields(RslRlPpoAlgorithmCfg)} - {"class_name", "use_clipped_value_loss"}
    for name in kept:
        assert getattr(bpo.algorithm, name) == getattr(ppo.algorithm, name), name
    for name in {f.name for f in fields(RslRlOnPolicyRunnerCfg)} - {"algorithm", "experiment_name", "device"}:
        assert to_dict({"x": getattr(bpo, name)}) == to_dict({"x": getattr(ppo, name)}), name
    assert bpo.algorithm.class_name == "isaaclab_bpo.algorithms:BPO"
    assert bpo.algorithm.use_clipped_value_loss is False
    assert bpo.experiment_name == "g1_rough_bpo"
    assert check_agent_cfg(bpo) == []


def test_other_algorithms_do_not_turn_into_bpo() -> None:
    ppo = G1RoughPPORunnerCfg()
    ppo.algorithm.class_name = "Distillation"
    with pytest.raises(ValueError, match="trains with Distillation"):
        bpo_from_ppo(ppo)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            "algorithm.clip_param",
            -1,
            "agent.algorithm.clip_param=-1 is not valid: it must be a number in (0, 1], or null.",
        ),
        (
            "algorithm.median",
            "foo",
            "agent.algorithm.median='foo' is not valid: it must be one of critic, batch, value.",
        ),
        ("algorithm.temperature", 0, "agent.algorithm.temperature=0 is not valid: it must be a finite number > 0."),
        ("algorithm.clip_parm", 0.1, "did you mean agent.algorithm.clip_param?"),
        ("algorithm.num_mini_batches", 1.5, "agent.algorithm.num_mini_batches=1.5 is not valid"),
        ("num_steps_per_env", 0, "agent.num_steps_per_env=0 is not valid: it must be an integer >= 1."),
        ("max_iterations", -1, "agent.max_iterations=-1 is not valid: it must be an integer >= 0."),
        ("foo", 1, "agent.foo is not a field of RslRlBpoRunnerCfg"),
    ],
)
def test_error_is_named(path: str, value: object, sentence: str) -> None:
    cfg = load(G1_ROUGH)
    *parents, leaf = path.split(".")
    target = cfg
    for parent in parents:
        target = getattr(target, parent)
    setattr(target, leaf, value)
    (error,) = check_agent_cfg(cfg)
    assert sentence in error


def test_ppos_configuration_is_checked_too() -> None:
    ppo = G1RoughPPORunnerCfg()
    assert check_agent_cfg(ppo) == []
    ppo.algorithm.clip_param = -1
    assert len(check_agent_cfg(ppo)) == 1


# --- Gymnasium's MuJoCo tasks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", mujoco.MUJOCO_TASKS)
@pytest.mark.parametrize("make", [mujoco.bpo_cfg, mujoco.ppo_cfg])
def test_mujoco_agents_are_valid(make: Callable[[str], Any], task: str) -> None:
    cfg = make(task)
    assert check_agent_cfg(cfg, num_envs=mujoco.NUM_ENVS, observations=["policy"]) == []
    assert not cfg.init_at_random_ep_len


def test_hopper_has_the_papers_rollout_and_batch() -> None:
    bpo, ppo = mujoco.bpo_cfg("Hopper"), mujoco.ppo_cfg("Hopper")
    for cfg, rollout, batch in ((bpo, 2048, 32), (ppo, 512, 32)):
        assert mujoco.NUM_ENVS * cfg.num_steps_per_env == rollout
        assert cfg.algorithm.num_mini_batches == rollout // batch
        assert cfg.max_iterations == 20_000_000 // rollout
    assert (bpo.algorithm.clip_param, bpo.algorithm.temperature, bpo.algorithm.gamma) == (0.25, 10.0, 0.999)
    assert (ppo.algorithm.clip_param, ppo.algorithm.num_learning_epochs, ppo.algorithm.lam) == (0.2, 5, 0.99)
