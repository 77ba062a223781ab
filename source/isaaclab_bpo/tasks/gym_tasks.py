# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's environments as tasks, beside those of Isaac Lab: ``--task Gym-Hopper-v5``."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from dataclasses import MISSING
from functools import cache
from typing import Any, Literal

import gymnasium
from isaaclab.utils import configclass

from isaaclab_bpo.agents import AGENT_KEYS, GYM_PREFIX, mujoco
from isaaclab_bpo.agents import gymnasium as agents
from isaaclab_bpo.envs.spaces import factors, is_image, observation_groups


@configclass
class GymEnvCfg:
    """Configuration of a task whose environment is Gymnasium's; fields are named as in Isaac Lab's configurations."""

    @configclass
    class SceneCfg:
        """How many environments there are."""

        num_envs: int = 1
        """Number of copies of the environment."""

    @configclass
    class SimCfg:
        """Where it is simulated."""

        device: str = "cpu"
        """Device of observations and rewards; the simulation itself is on the CPU."""

    id: str = MISSING  # type: ignore[assignment]
    """Id of the environment, which is registered with Gymnasium."""

    scene: SceneCfg = SceneCfg()
    sim: SimCfg = SimCfg()

    vectorization_mode: Literal["sync", "async"] = "sync"
    """Whether the copies are stepped one after the other, or in processes of their own."""

    num_threads: int | None = None
    """How many of Atari's games are stepped at a time; None for as many as there are cores."""

    render_mode: str | None = None
    """What Gymnasium shows, for example "human"."""

    seed: int | None = None
    """Seed of the first copy, the others have the next ones; set from the agent's."""

    log_dir: str | None = None
    """Folder of the run, set when it starts."""


def register_gym_task(
    env_id: str,
    bpo: Callable[[], Any] | str | None = None,
    ppo: Callable[[], Any] | str | None = None,
    num_envs: int = agents.NUM_ENVS,
) -> None:
    """Make a task of an environment that is registered with Gymnasium, with the id ``Gym-<env_id>``.

    Args:
        env_id: Id of the environment. Its actions are in a ``Box``, a ``Discrete`` or a ``MultiDiscrete``; it shows
            vectors, images of 8-bit integers, or a ``Dict`` of these.
        bpo: Configuration of BPO's runner: a configclass, a function that makes one, or "module:name" of these. None
            for one that follows from the environment's spaces.
        ppo: The same for PPO.
        num_envs: Number of copies by default.
    """

    def env_cfg() -> GymEnvCfg:
        return GymEnvCfg(id=env_id, scene=GymEnvCfg.SceneCfg(num_envs=num_envs))

    gymnasium.register(
        GYM_PREFIX + env_id,
        entry_point=make_env,
        disable_env_checker=True,
        order_enforce=False,
        kwargs={
            "env_cfg_entry_point": env_cfg,
            # Isaac Lab asks for the file of a function that makes a configuration, which a partial does not have
            AGENT_KEYS["bpo"]: bpo or (lambda: agents.bpo_cfg(env_id, **_spaces(env_id))),
            AGENT_KEYS["ppo"]: ppo or (lambda: agents.ppo_cfg(env_id, **_spaces(env_id))),
        },
    )


@cache
def _spaces(env_id: str) -> dict[str, Any]:
    """Return what an agent must know of an environment: whether it shows images, its actions, its observations."""
    if _is_atari(env_id):  # without starting the console
        return {"images": True, "nvec": []}
    with contextlib.closing(gymnasium.make(env_id)) as env:
        groups = observation_groups(env.observation_space)
        return {
            "images": any(map(is_image, groups.values())),
            "nvec": factors(env.action_space),
            "groups": list(groups),
        }


def _is_atari(env_id: str) -> bool:
    return gymnasium.spec(env_id).entry_point == "ale_py.env:AtariEnv"


def register_gym_tasks() -> None:
    """Register MuJoCo's tasks, two of classic control with discrete actions, where ale-py is, of Atari. Idempotent."""
    # MuJoCo's in their present version and, if Gymnasium still has it, in the paper's
    for name in mujoco.MUJOCO_TASKS:
        for env_id in (f"{name}-v5", f"{name}-v4"):
            if _is_new(env_id):
                makers = [lambda make=make, name=name: make(name) for make in (mujoco.bpo_cfg, mujoco.ppo_cfg)]
                register_gym_task(env_id, *makers, num_envs=mujoco.NUM_ENVS)
    for env_id in ("CartPole-v1", "Acrobot-v1", *_atari_ids()):
        if _is_new(env_id):
            register_gym_task(env_id)


def _is_new(env_id: str) -> bool:
    return env_id in gymnasium.registry and GYM_PREFIX + env_id not in gymnasium.registry


def _atari_ids() -> list[str]:
    """Return the ids of Atari's games in ALE's own protocol and in the paper's, for each game that ale-py brings."""
    if importlib.util.find_spec("ale_py") is None:
        return []
    import ale_py  # noqa: F401  # registers them, but a part of the games in the former protocol only

    ids = []
    for id, spec in list(gymnasium.registry.items()):
        if spec.namespace == "ALE" and spec.version == 5:
            without_skip = f"{spec.name}NoFrameskip-v4"
            if without_skip not in gymnasium.registry:
                kwargs = {**spec.kwargs, "frameskip": 1, "repeat_action_probability": 0.0}
                gymnasium.register(without_skip, spec.entry_point, kwargs=kwargs)
            ids += [id, without_skip]
    return ids


def make_env(cfg: GymEnvCfg, **kwargs: Any) -> gymnasium.Env:
    """Return the single environment that a task is made of, for :func:`gymnasium.make`."""
    return gymnasium.make(cfg.id, render_mode=cfg.render_mode)
