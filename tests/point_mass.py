# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A small environment for rsl_rl, fast enough for unit tests, and runner configurations for it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.algorithms.health import DIAGNOSTICS


def make_runner(
    cfg: dict, device: str = "cpu", log_dir: Path | None = None, image: bool | torch.dtype = False
) -> OnPolicyRunner:
    torch.manual_seed(0)
    discrete = "CategoricalDistribution" in cfg["actor"]["distribution_cfg"]["class_name"]
    env = PointMass(device=device, image=image, discrete=discrete)
    return OnPolicyRunner(env, copy.deepcopy(cfg), log_dir=str(log_dir) if log_dir else None, device=device)


def bpo_of(runner: OnPolicyRunner) -> BPO:
    assert isinstance(runner.alg, BPO)
    return runner.alg


def collect(alg: PPO, env: VecEnv, steps: int = 12) -> float:
    """Fill the storage as rsl_rl's runner does and return the mean reward."""
    obs, total = env.get_observations(), 0.0
    with torch.inference_mode():
        for _ in range(steps):
            obs, rewards, dones, extras = env.step(alg.act(obs))
            total += rewards.mean().item()
            alg.process_env_step(obs, rewards, dones, extras)
        alg.compute_returns(obs)
    return total / steps


def update(bpo: BPO) -> dict[str, float]:
    """Update ``bpo`` and return all statistics: what it returns, and what it leaves in the log."""
    losses = bpo.update()
    return losses | {name: bpo.health.log[tag].item() for name, tag in DIAGNOSTICS.items()}


class PointMass(VecEnv):
    """Push a point mass in the plane to the origin.

    Observation group "policy" (num_envs, 4): position [m], velocity [m/s]; with ``image``, also "camera"
    (num_envs, 1, 8, 8), an occupancy grid of [-2, 2]² m, 0 or 1, as uint8 0 or 255. Actions (num_envs, 2): acceleration
    [m/s²], or if they are ``discrete`` (num_envs, 6), one-hot: -5, 0 or 5 m/s² along each axis. The reward is
    exp(-distance [m]). An episode fails beyond 3 m and times out after 50 steps of 0.1 s.
    """

    def __init__(
        self,
        num_envs: int = 16,
        device: str = "cpu",
        image: bool | torch.dtype = False,
        seed: int = 0,
        discrete: bool = False,
    ) -> None:
        self.num_envs, self.num_actions, self.device = num_envs, 6 if discrete else 2, device
        self.max_episode_length, self.step_dt, self.cfg, self.image = 50, 0.1, {}, image
        self.generator = torch.Generator(device).manual_seed(seed)
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long, device=device)
        self.state = torch.zeros(num_envs, 4, device=device)
        self._reset(torch.ones(num_envs, dtype=torch.bool, device=device))

    @property
    def unwrapped(self) -> PointMass:
        return self

    def _reset(self, which: torch.Tensor) -> None:
        start = torch.rand(self.num_envs, 4, generator=self.generator, device=self.device) * 4.0 - 2.0
        start[:, 2:] = 0.0
        self.state = torch.where(which.unsqueeze(-1), start, self.state)
        self.episode_length_buf = torch.where(which, 0, self.episode_length_buf)

    def get_observations(self) -> TensorDict:
        groups = {"policy": self.state.clone()}
        if self.image:
            cell = ((self.state[:, :2] + 2.0) * 2.0).long().clamp(0, 7)
            camera = torch.zeros(self.num_envs, 1, 8, 8, device=self.device)
            camera[torch.arange(self.num_envs), 0, cell[:, 1], cell[:, 0]] = 1.0
            groups["camera"] = (255.0 * camera).byte() if self.image is torch.uint8 else camera
        return TensorDict(groups, batch_size=[self.num_envs], device=self.device)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        position, velocity = self.state[:, :2], self.state[:, 2:]
        if actions.shape[-1] == 6:
            actions = 5.0 * (actions.unflatten(-1, (2, 3)).argmax(dim=-1) - 1.0)
        velocity = 0.9 * velocity + 0.1 * actions.clamp(-5.0, 5.0)
        self.state = torch.cat([position + 0.1 * velocity, velocity], dim=-1)
        distance = self.state[:, :2].norm(dim=-1)
        self.episode_length_buf = self.episode_length_buf + 1
        time_outs = self.episode_length_buf >= self.max_episode_length
        dones = time_outs | (distance > 3.0)
        self._reset(dones)
        return self.get_observations(), torch.exp(-distance), dones.long(), {"time_outs": time_outs.float(), "log": {}}


def mirror(
    env: PointMass, obs: TensorDict | None = None, actions: torch.Tensor | None = None
) -> tuple[TensorDict | None, torch.Tensor | None]:
    """Append to observations and actions their reflections at the y axis."""
    if obs is not None:
        flipped = obs.clone()
        flipped["policy"] = obs["policy"] * torch.tensor([-1.0, 1.0, -1.0, 1.0], device=obs.device)
        obs = torch.cat([obs, flipped])  # type: ignore[assignment]
    if actions is not None:
        actions = torch.cat([actions, actions * torch.tensor([-1.0, 1.0], device=actions.device)])
    return obs, actions


def runner_cfg(
    model: str = "mlp",
    algorithm: str = "isaaclab_bpo.algorithms:BPO",
    discrete: bool = False,
    **hyperparameters: Any,
) -> dict:
    """Return a configuration of rsl_rl's OnPolicyRunner for :class:`PointMass`.

    Args:
        model: Kind of the networks, "mlp", "lstm", "gru", "cnn" or "nature", which takes images of uint8.
        algorithm: Class of the algorithm.
        discrete: Whether actions are discrete.
        **hyperparameters: Its arguments.
    """
    network: dict[str, Any] = {"class_name": "MLPModel", "hidden_dims": [32, 32], "activation": "elu"}
    if model in ("lstm", "gru"):
        network |= {"class_name": "RNNModel", "rnn_type": model, "rnn_hidden_dim": 8, "rnn_num_layers": 2}
    if model == "cnn":
        cnn = {"output_channels": [4], "kernel_size": 3, "activation": "elu", "flatten": True}
        network |= {"class_name": "CNNModel", "cnn_cfg": cnn}
    if model == "nature":
        network |= {"class_name": "isaaclab_bpo.models:NatureCNNModel", "hidden_dims": [16], "activation": "relu"}
    groups = ["policy", "camera"] if model in ("cnn", "nature") else ["policy"]
    distribution: dict[str, Any] = {"class_name": "GaussianDistribution", "init_std": 1.0}
    if discrete:
        distribution = {"class_name": "isaaclab_bpo.models:CategoricalDistribution", "nvec": [3, 3]}
    return {
        "num_steps_per_env": 12,
        "save_interval": 1000,
        "logger": "tensorboard",
        "obs_groups": {"actor": groups, "critic": groups},
        "actor": network | {"distribution_cfg": distribution},
        "critic": dict(network),
        "algorithm": {"class_name": algorithm, "num_mini_batches": 2, "num_learning_epochs": 3} | hyperparameters,
    }
