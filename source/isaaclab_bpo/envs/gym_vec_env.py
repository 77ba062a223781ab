# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's vector environments as rsl_rl's."""

from __future__ import annotations

import contextlib
import importlib
import math
import signal
import threading
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from .spaces import action_reader, factors, observation_groups, observation_reader


class GymVecEnv(VecEnv):
    """Lets rsl_rl train on a vector environment of Gymnasium.

    * A ``Box`` of observations is the observation group "policy", and the entries of a ``Dict`` are groups of their
      own, on ``device``. Images become channels-first, and keep their 8-bit integers; all else becomes 32-bit floats.
    * Actions in a ``Box`` are clipped to its bounds. Those in a ``Discrete`` or a ``MultiDiscrete`` are one-hot, with
      one block of columns for each factor; :attr:`nvec` has the blocks' sizes.
    * The environment must reset in the step that ends an episode, as rsl_rl's do. With Gymnasium's default, a reset
      takes a step of its own, which ignores the action and must not be learned from.
    * An episode that was cut off by a time limit, and not ended by the environment, is a time-out: to its last reward
      rsl_rl adds γ V(s) of the state that was acted in last. The observation after that action is in
      ``extras["final_observations"]``, in the rows of the episodes that ended.
    """

    nvec: list[int] | None
    """How many actions there are to choose from in each factor of a discrete action space; None if it is continuous."""

    frames_per_step: int | None
    """Frames that a video game advances in a step; None if the environment is no such game."""

    def __init__(
        self, env: VectorEnv, device: torch.device | str = "cpu", seed: int | None = None, cfg: object | None = None
    ) -> None:
        """Initialize the adapter and reset the environment.

        Args:
            env: The environment, with the autoreset mode "SameStep".
            device: Device of observations, rewards and actions for rsl_rl; Gymnasium itself is on the CPU.
            seed: Seed of the first environment, the others have the next ones.
            cfg: Configuration to log, an object or a mapping.

        Raises:
            ValueError: If the environment has another autoreset mode, or spaces that rsl_rl's networks cannot handle.
        """
        if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise ValueError(
                f"The environment has the autoreset mode {env.metadata.get('autoreset_mode')}, but rsl_rl needs "
                "AutoresetMode.SAME_STEP: give it to gymnasium.make_vec in vector_kwargs, as autoreset_mode."
            )
        self.env = env
        if not hasattr(env, "step_dt"):
            env.step_dt = 1.0  # type: ignore[attr-defined]  # by which rsl_rl scales RND: rewards are those of a step
        self.device = device
        self.cfg = {} if cfg is None else cfg
        self.num_envs = env.num_envs
        self.nvec = factors(env.single_action_space)
        self.num_actions = math.prod(env.single_action_space.shape or ()) if self.nvec is None else sum(self.nvec)
        self.max_episode_length = (env.spec and env.spec.max_episode_steps) or np.iinfo(np.int64).max
        self.frames_per_step = getattr(env, "frames_per_step", None)
        self._read_actions = action_reader(env.single_action_space)
        groups = observation_groups(env.single_observation_space)
        self._read_observations = {name: observation_reader(space) for name, space in groups.items()}
        self._episode_lengths = torch.zeros(self.num_envs, dtype=torch.long, device=device)
        self._obs = self._to_groups(env.reset(seed=seed)[0])

    @property
    def unwrapped(self) -> VectorEnv:
        """The environment of Gymnasium."""
        return self.env

    @property
    def episode_length_buf(self) -> torch.Tensor:
        """Steps of the running episodes, shape (num_envs,)."""
        return self._episode_lengths

    @episode_length_buf.setter
    def episode_length_buf(self, value: torch.Tensor) -> None:  # type: ignore[override]
        raise ValueError("Gymnasium counts an episode's steps itself: set init_at_random_ep_len=false.")

    def get_observations(self) -> TensorDict:
        """Return the current observations, batch size (num_envs,)."""
        return self._obs

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Act in all environments.

        Args:
            actions: Actions, shape (num_envs, num_actions).

        Returns:
            Observations, of the next episode where one ended; rewards and whether an episode ended, shape (num_envs,);
            extras with "time_outs", shape (num_envs,), and "final_observations", if an episode ended. Of video games,
            they have "raw_rewards" and "games_over", too, shape (num_envs,): see :class:`~.atari.AtariGames`.
        """
        obs, rewards, terminated, truncated, infos = self.env.step(self._read_actions(actions))
        self._obs = self._to_groups(obs)
        dones = terminated | truncated
        extras: dict[str, Any] = {"time_outs": self._to_tensor(truncated & ~terminated)}
        extras |= {name: self._to_tensor(infos[name]) for name in ("raw_rewards", "games_over") if name in infos}
        if dones.any():
            final = self._obs.clone()
            ended = [infos["final_obs"][i] for i in np.flatnonzero(dones)]
            final[self._to_tensor(dones).bool()] = self._to_groups(
                {name: np.stack([obs[name] for obs in ended]) for name in ended[0]}
                if isinstance(ended[0], dict)
                else np.stack(ended)
            )
            extras["final_observations"] = final
        ends = self._to_tensor(dones).long()
        self._episode_lengths = (self._episode_lengths + 1) * (1 - ends)
        return self._obs, self._to_tensor(rewards), ends, extras

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _to_groups(self, obs: Any) -> TensorDict:
        groups = obs if isinstance(obs, dict) else {"policy": obs}
        tensors = {name: read(groups[name]).to(self.device) for name, read in self._read_observations.items()}
        return TensorDict(tensors, batch_size=len(next(iter(tensors.values()))), device=self.device)  # type: ignore

    def _to_tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)


def make_gym_vec_env(
    id: str,
    num_envs: int,
    device: torch.device | str = "cpu",
    seed: int | None = None,
    cfg: object | None = None,
    vectorization_mode: str = "sync",
    num_threads: int | None = None,
    **kwargs: Any,
) -> GymVecEnv:
    """Make an environment that is registered with Gymnasium, for rsl_rl.

    Args:
        id: Id of the environment, for example ``"Hopper-v5"``, or as Gymnasium takes it with the module that registers
            it, ``"module:Name-v0"``; Atari's games are those of :func:`~.atari.make_atari`.
        num_envs: Number of copies.
        device: Device of the tensors for rsl_rl.
        seed: Seed of the first copy, the others have the next ones.
        cfg: Configuration to log.
        vectorization_mode: "sync" steps the copies one after the other, "async" in processes of their own.
        num_threads: How many of Atari's games are stepped at a time; None for as many as there are cores. They are
            stepped in threads, whatever the ``vectorization_mode``.
        **kwargs: Arguments of :func:`gymnasium.make`, for example ``render_mode``.

    Returns:
        The environment.
    """
    with contextlib.suppress(ModuleNotFoundError):  # an extra
        import ale_py  # noqa: F401  # registers Atari's games
    module, _, id = id.rpartition(":")
    if module:
        importlib.import_module(module)
    spec = gymnasium.spec(id)
    if spec.entry_point == "ale_py.env:AtariEnv":
        from .atari import make_atari

        return GymVecEnv(make_atari(spec, num_envs, num_threads=num_threads, **kwargs), device, seed, cfg)
    with _workers_ignore_signals() if vectorization_mode == "async" else contextlib.nullcontext():
        env = gymnasium.make_vec(
            id,
            num_envs,
            vectorization_mode=vectorization_mode,
            vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
            **kwargs,
        )
    return GymVecEnv(env, device, seed, cfg)


@contextlib.contextmanager
def _workers_ignore_signals() -> Iterator[None]:
    """Let processes that are started meanwhile leave Ctrl-C and the like to the trainer, which needs them to go on.

    A terminal and Slurm send them to all processes of a program. SIGTERM ends workers: so does their parent.
    """
    if threading.current_thread() is not threading.main_thread():  # no other one may set handlers
        yield
        return
    previous = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    }
    previous[signal.SIGTERM] = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: installed by a C library
