# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rollout storage that computes the targets of BPO where the rollout lies."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import torch
from rsl_rl.modules import HiddenState
from rsl_rl.storage import RolloutStorage

from isaaclab_bpo import brrl

from .collectives import all_gather, all_reduce

LIMIT = 1e15
"""What is larger than all observations, rewards and values: from it on, squares and their sums overflow in float32."""


def is_finite(tensor: torch.Tensor) -> torch.Tensor:
    """Return where a tensor is neither NaN nor as large in magnitude as :data:`LIMIT`."""
    return tensor.abs() < LIMIT  # false for NaN, and in half precision, where LIMIT is infinite, for infinities


def standardize(tensor: torch.Tensor, distributed: bool = False) -> torch.Tensor:
    """Shift and scale a tensor to mean 0 and standard deviation 1, as rsl_rl does with advantages.

    Args:
        tensor: The tensor.
        distributed: Whether mean and standard deviation are those of the tensors of all ranks, which are equally large.
    """
    if not distributed:
        return (tensor - tensor.mean()) / (tensor.std() + 1e-8)
    count = tensor.numel() * torch.distributed.get_world_size()
    deviations = tensor - all_reduce(tensor.sum()) / count
    variance = all_reduce(deviations.square().sum() / (count - 1))
    return deviations / (variance.sqrt() + 1e-8)


def _normaliser(
    advantages: torch.Tensor, bounds: brrl.RatioBounds, temperature: float | None, distributed: bool
) -> torch.Tensor:
    """Return the median of advantages, of all ranks, or with asymmetric bounds what makes their ρ* average 1."""
    if distributed:
        advantages = all_gather(advantages)  # as many from each rank
    samples = advantages.flatten()
    if temperature is not None and not math.isclose(bounds.level, 0.5):
        prior = torch.full_like(samples, 1.0 / len(samples))
        return brrl.soft_optimal_policy(samples, prior, bounds, temperature)[1]
    # Not torch.quantile, which refuses more than 2^24 values
    ordered = samples.sort().values
    position = bounds.level * (len(ordered) - 1)
    return torch.lerp(ordered[math.floor(position)], ordered[math.ceil(position)], position % 1.0)


class BpoRolloutStorage(RolloutStorage):
    """rsl_rl's rollout storage, plus λ-returns, advantages and their median, all computed on its device.

    The targets are written in place, so that mini-batches drawn after a refresh see the new ones.
    """

    class Transition(RolloutStorage.Transition):
        """A transition that also carries the hidden state of a recurrent median critic."""

        def __init__(self) -> None:
            """Initialize an empty transition."""
            super().__init__()
            self.median_hidden_state: HiddenState = None
            """Hidden state of the median critic before the step; None unless it is recurrent."""
            self.time_outs: torch.Tensor | None = None
            """1 where the episode ended by time-out, shape (num_envs,); None if the environment does not tell."""
            self.valid: torch.Tensor | None = None
            """Whether the observations were finite, shape (num_envs,); None if they were not looked at."""

    advantage_median: torch.Tensor
    """Median of the advantages A of the rollout, if asked for, or the normaliser of asymmetric bounds: a scalar."""

    valid: torch.Tensor
    """Whether everything about a transition is finite, shape (T, num_envs, 1)."""

    time_outs: torch.Tensor | None = None
    """1 where the episode ended by time-out, shape (T, num_envs, 1); None if the environment does not tell."""

    saved_hidden_state_m: list[torch.Tensor] | None = None
    """Hidden states of a recurrent median critic, each (T, num_layers, num_envs, hidden_dim)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Allocate the buffers.

        Args:
            *args: Arguments of :class:`rsl_rl.storage.RolloutStorage`.
            **kwargs: Keyword arguments of it.
        """
        super().__init__(*args, **kwargs)
        self.advantage_median = torch.zeros((), device=self.device)
        self.valid = torch.ones_like(self.dones, dtype=torch.bool)
        self._vectors: torch.Tensor | None = None
        if self.training_type == "rl":  # not distillation
            # Fields of one shape are parts of one tensor, of which one operation gathers a mini-batch
            self._scalars = torch.stack([self.values, self.returns, self.advantages, self.actions_log_prob])
            self.values, self.returns, self.advantages, self.actions_log_prob = self._scalars

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign an attribute; a field that is a part of another tensor is written into, as mini-batches read that."""
        field = self.__dict__.get(name)
        if isinstance(field, torch.Tensor) and field._is_view():
            field.copy_(value)
        else:
            super().__setattr__(name, value)

    def add_transition(self, transition: RolloutStorage.Transition) -> None:
        """Add one transition at the current step.

        Args:
            transition: The transition; a :class:`Transition` of this class if the median critic is recurrent.
        """
        step = self.step
        super().add_transition(transition)  # raises an OverflowError where there is no room
        parameters = getattr(self, "distribution_params", None) or ()  # allocated by rsl_rl at the first step
        if self._vectors is None and parameters and all(each.shape == self.actions.shape for each in parameters):
            with torch.inference_mode(False):  # the update differentiates with respect to functions of them
                self._vectors = torch.stack([self.actions, *parameters])
            self.actions, *parameters = self._vectors
            self.distribution_params = tuple(parameters)
        hidden_state = getattr(transition, "median_hidden_state", None)
        if hidden_state is not None:
            states = hidden_state if isinstance(hidden_state, tuple) else (hidden_state,)
            if self.saved_hidden_state_m is None:
                steps = self.num_transitions_per_env
                self.saved_hidden_state_m = [torch.zeros(steps, *s.shape, device=self.device) for s in states]
            for saved, state in zip(self.saved_hidden_state_m, states, strict=True):
                saved[step].copy_(state)
        time_outs = getattr(transition, "time_outs", None)
        if time_outs is not None:
            if self.time_outs is None:
                self.time_outs = torch.zeros_like(self.dones)
            self.time_outs[step].copy_(time_outs.view(-1, 1))
        elif self.time_outs is not None:  # an earlier rollout's
            self.time_outs[step] = 0
        valid = getattr(transition, "valid", None)
        self.valid[step] = True if valid is None else valid.view(-1, 1)

    @torch.no_grad()
    def bootstrap_time_outs(self, gamma: float) -> None:
        """Add to the reward of a step that timed out what might have followed, as rsl_rl does: r += γ V(s).

        s is the state before the step.

        Args:
            gamma: Discount factor γ.
        """
        if self.time_outs is not None:
            self.rewards.add_(gamma * self.values * self.time_outs)

    @torch.no_grad()
    def compute_targets(
        self,
        last_values: torch.Tensor,
        gamma: float,
        lam: float,
        bounds: brrl.RatioBounds | None = None,
        temperature: float | None = None,
        normalize: bool = True,
        distributed: bool = False,
    ) -> None:
        """Compute λ-returns and advantages, and the median of the advantages, from the stored rewards and values.

        Q̂ = A + V with A from :func:`isaaclab_bpo.brrl.generalized_advantages`. The median of A over the batch, added
        to V(s), estimates the median μ of Q̂: this is BPO's ``median="batch"``.

        Args:
            last_values: V of the observation after the last step, shape (num_envs, 1).
            gamma: Discount factor γ.
            lam: λ of the generalized advantage estimate.
            bounds: Bounds of the ratio for which :attr:`advantage_median` is the normaliser; None if it is not needed.
            temperature: λ of the target ratio, in units of return; None for the hard one.
            normalize: Whether to store the advantages shifted and scaled to mean 0 and standard deviation 1.
            distributed: Whether median, mean and standard deviation of A are those over the rollouts of all ranks.
        """
        finite_values = is_finite(self.values)
        self.valid &= is_finite(self.rewards) & finite_values
        self.values.masked_fill_(~finite_values, 0.0)
        # A transition that is not valid teaches nothing: the one before it ends with V, and its own advantage is 0
        invalid = self.valid.logical_not()
        rewards = torch.where(self.valid, self.rewards, self.values)
        dones = self.dones.masked_fill(invalid, 1)
        self.actions_log_prob.masked_fill_(invalid, torch.inf)  # ρ is then held at its lowest, with no gradient
        advantages = brrl.generalized_advantages(rewards, self.values, last_values, dones, gamma, lam)
        self.returns.copy_(advantages + self.values)
        advantages = self.returns - self.values
        if bounds is not None:
            self.advantage_median.copy_(_normaliser(advantages, bounds, temperature, distributed))
        if normalize:
            advantages = standardize(advantages, distributed)
        self.advantages.copy_(advantages * self.valid)

    def mini_batch(self, indices: torch.Tensor) -> RolloutStorage.Batch:
        """Return a mini-batch of single transitions, as :meth:`mini_batch_generator` yields them.

        Args:
            indices: Indices into the flattened rollout, t * num_envs + environment, shape (B,).
        """
        assert self.distribution_params is not None
        values, returns, advantages, log_prob = self._scalars.flatten(1, 2)[:, indices]
        if self._vectors is None:
            actions, *parameters = (v.flatten(0, 1)[indices] for v in (self.actions, *self.distribution_params))
        else:
            actions, *parameters = self._vectors.flatten(1, 2)[:, indices]
        return RolloutStorage.Batch(
            observations=self.observations.flatten(0, 1)[indices],  # type: ignore[arg-type]
            actions=actions,
            values=values,
            advantages=advantages,
            returns=returns,
            old_actions_log_prob=log_prob,
            old_distribution_params=tuple(parameters),
        )

    def recurrent_mini_batch_generator(
        self, num_mini_batches: int, num_epochs: int = 8
    ) -> Generator[RolloutStorage.Batch, None, None]:
        """Yield rsl_rl's trajectory mini-batches, with the hidden states of (actor, critic, median critic).

        Args:
            num_mini_batches: Number of mini-batches per epoch.
            num_epochs: Number of epochs.

        Yields:
            Batches of padded trajectories, shape (T, B, ...).
        """
        mini_batch_size = self.num_envs // num_mini_batches
        for i, batch in enumerate(super().recurrent_mini_batch_generator(num_mini_batches, num_epochs)):
            start = (i % num_mini_batches) * mini_batch_size
            state = self._median_hidden_state(slice(start, start + mini_batch_size))
            batch.hidden_states = (*batch.hidden_states, state)  # type: ignore[assignment]
            yield batch

    def _median_hidden_state(self, envs: slice) -> HiddenState:
        """Return the median critic's hidden state at the start of each trajectory, (num_layers, trajectories, dim)."""
        if self.saved_hidden_state_m is None:
            return None
        # A trajectory starts at the first step and after each done; rsl_rl orders them by environment, then by time.
        starts = torch.ones(self.dones.shape[:2], dtype=torch.bool, device=self.dones.device)
        starts[1:] = self.dones[:-1, :, 0] > 0
        starts = starts[:, envs].T
        states = tuple(
            saved[:, :, envs].permute(2, 0, 1, 3)[starts].transpose(0, 1).contiguous()
            for saved in self.saved_hidden_state_m
        )
        return states[0] if len(states) == 1 else states  # type: ignore[return-value]
