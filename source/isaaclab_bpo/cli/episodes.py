# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whole episodes of a policy: what each one earned, how long it was, and what the task measures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from rsl_rl.env import VecEnv

from isaaclab_bpo.compare.report import format_interval
from isaaclab_bpo.compare.statistics import Estimate, mean

from .progress import progress


class Episodes:
    """A number of episodes, shared out evenly among environments, so that short ones are not preferred."""

    def __init__(self, env: VecEnv, policy: Any, number: int) -> None:
        """Start; ``policy`` maps observations to actions."""
        shares = [number // env.num_envs + (index < number % env.num_envs) for index in range(env.num_envs)]
        self.number = number
        self.left = torch.tensor(shares, device=env.device)
        """How many episodes each environment has to run yet."""
        self.values: list[dict[str, float]] = []
        """What is known of each episode that has ended."""
        self.means: dict[str, list[float]] = {}
        """What the task logs of all episodes that end in a step together, once for each of them."""
        self._env, self._policy = env, policy
        self._obs = env.get_observations()
        self._returns, self._lengths = (torch.zeros(env.num_envs, device=env.device) for _ in range(2))

    def run(self, what: str) -> None:
        """Run all episodes, or as many as end before Ctrl-C, and show how many have."""
        with contextlib.suppress(KeyboardInterrupt), progress(what, self.number) as show:
            while self.left.any():
                self.step()
                show(len(self.values))

    @torch.inference_mode()
    def step(self) -> None:
        """Act in all environments."""
        with _command_metrics(self._env) as metrics:
            self._obs, rewards, dones, extras = self._env.step(self._policy(self._obs))
        self._policy.reset(dones)
        self._returns += extras.get("raw_rewards", rewards)
        self._lengths += 1
        ended = extras.get("games_over", dones) > 0
        if not ended.any():
            return
        values = {"return": self._returns, "length": self._lengths, "time limit reached": extras.get("time_outs")}
        values |= metrics | _terminations(self._env)
        for index in (ended & (self.left > 0)).nonzero().flatten().tolist():
            self.values.append({name: float(each[index]) for name, each in values.items() if each is not None})
            for name, value in extras.get("log", {}).items():
                if name.startswith("Metrics/") and name.removeprefix("Metrics/") not in metrics:
                    self.means.setdefault(name.removeprefix("Metrics/"), []).append(float(value))
        self.left -= (ended & (self.left > 0)).long()
        self._returns[ended] = self._lengths[ended] = 0.0

    def estimates(self) -> dict[str, Estimate]:
        """Return the means over the episodes, with their 95 % intervals where single episodes are known."""
        names = dict.fromkeys(name for episode in self.values for name in episode)
        known = {name: mean(np.array([episode[name] for episode in self.values])) for name in names}
        return known | {name: Estimate(float(np.mean(values))) for name, values in self.means.items()}

    def sentence(self) -> str:
        """Return what the episodes were like in one line."""
        estimates = self.estimates()
        parts = [f"{name} {format_interval(estimates[name])}" for name in ("return", "length") if name in estimates]
        return f"{len(self.values)} episodes: {', '.join(parts)}" if parts else "No episode has ended"


@contextlib.contextmanager
def _command_metrics(env: Any) -> Iterator[dict[str, torch.Tensor]]:
    """Yield what gets how well the commands were followed in episodes that end in the block, each of shape (num_envs,).

    Isaac Lab completes the metrics of an episode, logs their mean over all that ended, and clears them in one call.
    """
    manager = getattr(env.unwrapped, "command_manager", None)
    metrics: dict[str, torch.Tensor] = {}
    if manager is None:
        yield metrics
        return
    from isaaclab.managers import CommandTerm

    names = {id(manager.get_term(name)): name for name in manager.active_terms}
    reset = CommandTerm.reset

    def record(term: CommandTerm, env_ids: Any = None) -> Any:
        ended = slice(None) if env_ids is None else env_ids
        for name, values in term.metrics.items():
            metrics.setdefault(f"{names[id(term)]}/{name}", torch.zeros_like(values))[ended] = values[ended]
        return reset(term, env_ids)

    with patch.object(CommandTerm, "reset", record):
        yield metrics


def _terminations(env: Any) -> dict[str, torch.Tensor]:
    """Return by which terms the episodes of a manager-based environment ended, each of shape (num_envs,)."""
    manager = getattr(env.unwrapped, "termination_manager", None)
    if manager is None:
        return {}
    return {f"ended by {term}": manager.get_term(term) for term in manager.active_terms}
