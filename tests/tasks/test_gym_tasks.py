# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's environments as tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, MultiDiscrete
from isaaclab_tasks.utils import load_cfg_from_registry

pytest.importorskip("ale_py")
from ale_py import roms

from isaaclab_bpo.agents import AGENT_KEYS
from isaaclab_bpo.tasks.gym_tasks import register_gym_task, register_gym_tasks

MULTI_PLAYER = {"combat", "joust", "maze_craze", "warlords"}  # ROMs that have no mode for one, says ale-py


class Maze(gymnasium.Env):
    """Sees a picture and a compass, and has two levers."""

    observation_space = Dict({"picture": Box(0, 255, (40, 40, 3), np.uint8), "compass": Box(-1.0, 1.0, (2,))})
    action_space = MultiDiscrete([3, 5])


def test_every_game_has_a_task_in_both_protocols() -> None:
    games = {
        gymnasium.spec(task.removeprefix("Gym-")).kwargs["game"]: task
        for task in gymnasium.registry
        if task.startswith("Gym-ALE/")
    }
    assert set(games) == set(roms.get_all_rom_ids()) - MULTI_PLAYER
    for game, task in games.items():
        name = task.removeprefix("Gym-ALE/").removesuffix("-v5")
        own, papers = (gymnasium.spec(f"ALE/{name}-v5").kwargs, gymnasium.spec(f"{name}NoFrameskip-v4").kwargs)
        assert f"Gym-{name}NoFrameskip-v4" in gymnasium.registry
        assert own["game"] == papers["game"] == game
        assert (own["repeat_action_probability"], papers["repeat_action_probability"]) == (0.25, 0.0)


@pytest.mark.parametrize("algorithm", AGENT_KEYS)
@pytest.mark.parametrize(
    ("env_id", "network", "distribution"),
    [
        ("CartPole-v1", "MLPModel", "CategoricalDistribution"),
        ("Acrobot-v1", "MLPModel", "CategoricalDistribution"),
        ("ALE/Pong-v5", "NatureCNNModel", "CategoricalDistribution"),
        ("Hopper-v5", "MLPModel", "GaussianDistribution"),
    ],
)
def test_networks_suit_the_spaces(algorithm: str, env_id: str, network: str, distribution: str) -> None:
    agent_cfg: Any = load_cfg_from_registry(f"Gym-{env_id}", AGENT_KEYS[algorithm])
    assert str(agent_cfg.actor.class_name).endswith(network)
    assert str(agent_cfg.actor.distribution_cfg.class_name).endswith(distribution)
    env_cfg: Any = load_cfg_from_registry(f"Gym-{env_id}", "env_cfg_entry_point")
    assert (env_cfg.id, env_cfg.scene.num_envs) == (env_id, 4 if env_id == "Hopper-v5" else 8)


@pytest.fixture
def registry() -> Iterator[None]:
    """Forgets what a test registers."""
    before = dict(gymnasium.registry)
    yield
    for name in gymnasium.registry.keys() - before.keys():
        del gymnasium.registry[name]


@pytest.mark.usefixtures("registry")
def test_environment_of_a_user_gets_the_networks_that_it_needs() -> None:
    gymnasium.register("Users/Maze-v0", f"{__name__}:Maze")
    register_gym_task("Users/Maze-v0")
    agent_cfg: Any = load_cfg_from_registry("Gym-Users/Maze-v0", AGENT_KEYS["bpo"])
    assert str(agent_cfg.actor.class_name).endswith("NatureCNNModel")
    assert agent_cfg.actor.distribution_cfg.nvec == [3, 5]
    assert agent_cfg.obs_groups["critic"] == ["compass", "picture"]
    assert agent_cfg.experiment_name == "users_maze-v0_bpo"


def test_registering_twice_changes_nothing() -> None:
    before = set(gymnasium.registry)
    register_gym_tasks()
    assert set(gymnasium.registry) == before
