# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's vector environments as rsl_rl's."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Dict
from gymnasium.vector import AutoresetMode, VectorEnv
from rsl_rl.env import VecEnv
from tensordict import TensorDict


class GymVecEnv(VecEnv):
    """Lets rsl_rl train on a vector environment of Gymnasium with continuous actions.

    * Observations become 32-bit floats on ``device``: a ``Box`` is the observation group "policy", and the entries of a
      ``Dict`` are groups of their own.
    * Actions are clipped to the bounds of the action space.
    * The environment must reset in the step that ends an episode, as rsl_rl's do. With Gymnasium's default, a reset
      takes a step of its own, which ignores the action and must not be learned from.
    * An episode that was cut off by a time limit, and not ended by the environment, is a time-out: to its last reward
      rsl_rl adds γ V(s) of the state that was acted in last. The observation after that action is in
      ``extras["final_observations"]``, in the rows of the episodes that ended.
    """

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
            ValueError: If the environment has another autoreset mode, or spaces that are not continuous.
        """
        if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise ValueError(
                f"The environment has the autoreset mode {env.metadata.get('autoreset_mode')}, but rsl_rl needs "
                "AutoresetMode.SAME_STEP: give it to gymnasium.make_vec in vector_kwargs, as autoreset_mode."
            )
        action_space = env.single_action_space
        if not isinstance(action_space, Box) or len(action_space.shape) != 1:
            raise ValueError(f"The action space is {action_space}, but BPO and PPO act in a Box with one dimension.")
        spaces = env.single_observation_space
        groups = spaces.spaces if isinstance(spaces, Dict) else {"policy": spaces}
        for name, space in groups.items():
            if not isinstance(space, Box):
                raise ValueError(f"The observation {name!r} is in {space}, but rsl_rl's networks observe a Box.")

        self.env = env
        self.device = device
        self.cfg = {} if cfg is None else cfg
        self.num_envs = env.num_envs
        self.num_actions = action_space.shape[0]
        self.max_episode_length = (env.spec and env.spec.max_episode_steps) or np.iinfo(np.int64).max
        self._episode_lengths = torch.zeros(self.num_envs, dtype=torch.long, device=device)
        self._low, self._high = action_space.low, action_space.high
        self._obs = self._to_tensors(env.reset(seed=seed)[0])

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
            extras with "time_outs", shape (num_envs,), and "final_observations", if an episode ended.
        """
        clipped = np.clip(actions.cpu().numpy(), self._low, self._high)
        obs, rewards, terminated, truncated, infos = self.env.step(clipped)
        self._obs = self._to_tensors(obs)
        dones = terminated | truncated
        extras: dict[str, Any] = {"time_outs": self._to_tensor(truncated & ~terminated)}
        if dones.any():
            final = self._obs.clone()
            ended = [infos["final_obs"][i] for i in np.flatnonzero(dones)]
            final[self._to_tensor(dones).bool()] = self._to_tensors(
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

    def _to_tensors(self, obs: Any) -> TensorDict:
        groups = obs if isinstance(obs, dict) else {"policy": obs}
        tensors = {name: self._to_tensor(array) for name, array in groups.items()}
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
    **kwargs: Any,
) -> GymVecEnv:
    """Make an environment that is registered with Gymnasium, for rsl_rl.

    Args:
        id: Id of the environment, for example ``"Hopper-v5"``.
        num_envs: Number of copies.
        device: Device of the tensors for rsl_rl.
        seed: Seed of the first copy, the others have the next ones.
        cfg: Configuration to log.
        vectorization_mode: "sync" steps the copies one after the other, "async" in processes of their own.
        **kwargs: Arguments of :func:`gymnasium.make`, for example ``render_mode``.

    Returns:
        The environment.
    """
    env = gymnasium.make_vec(
        id,
        num_envs,
        vectorization_mode=vectorization_mode,
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **kwargs,
    )
    return GymVecEnv(env, device, seed, cfg)
