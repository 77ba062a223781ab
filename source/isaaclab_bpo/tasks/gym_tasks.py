# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's environments as tasks, beside those of Isaac Lab: ``--task Gym-Hopper-v5``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, Literal

import gymnasium
from isaaclab.utils import configclass

from isaaclab_bpo.agents import AGENT_KEYS, GYM_PREFIX, mujoco


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

    render_mode: str | None = None
    """What Gymnasium shows, for example "human"."""

    seed: int | None = None
    """Seed of the first copy, the others have the next ones; set from the agent's."""

    log_dir: str | None = None
    """Folder of the run, set when it starts."""


def register_gym_task(
    env_id: str, bpo: Callable[[], Any] | str, ppo: Callable[[], Any] | str, num_envs: int = 1
) -> None:
    """Make a task of an environment that is registered with Gymnasium, with the id ``Gym-<env_id>``.

    Args:
        env_id: Id of the environment, with bounded or unbounded continuous actions.
        bpo: Configuration of BPO's runner: a configclass, a function that makes one, or "module:name" of these.
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
            AGENT_KEYS["bpo"]: bpo,
            AGENT_KEYS["ppo"]: ppo,
        },
    )


def register_mujoco_tasks() -> None:
    """Register the MuJoCo tasks in their present version and, if Gymnasium still has it, in the paper's. Idempotent."""
    for name in mujoco.MUJOCO_TASKS:
        for env_id in (f"{name}-v5", f"{name}-v4"):
            if env_id in gymnasium.registry and GYM_PREFIX + env_id not in gymnasium.registry:
                # Isaac Lab asks for the file of a function that makes a configuration, which a partial does not have
                agents = [lambda make=make, name=name: make(name) for make in (mujoco.bpo_cfg, mujoco.ppo_cfg)]
                register_gym_task(env_id, *agents, num_envs=mujoco.NUM_ENVS)


def make_env(cfg: GymEnvCfg, **kwargs: Any) -> gymnasium.Env:
    """Return the single environment that a task is made of, for :func:`gymnasium.make`."""
    return gymnasium.make(cfg.id, render_mode=cfg.render_mode)
