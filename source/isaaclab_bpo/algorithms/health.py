# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What keeps NaN, infinities and absurd numbers away from the networks, without making the host wait for the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from tensordict import TensorDict

from isaaclab_bpo.storage import is_sound

SKIPPED = "Health/skipped_mini_batches"
"""Name in the log of the number of mini-batches that could not be used."""

INVALID = "Health/invalid_transitions"
"""Name in the log of the number of transitions that were left out."""


class TrainingDivergedError(FloatingPointError):
    """Nothing could be learnt for too long. The networks are those of the last mini-batch that was used."""


class RankLostError(RuntimeError):
    """Another process of a multi-GPU run has ended, so this one cannot go on."""


class ObservationGuard:
    """Blanks the observations of environments that have unsound ones, and remembers which ones these were."""

    def __init__(self, terms: Mapping[str, list[tuple[str, int]]] | None = None) -> None:
        """Create a guard that has seen nothing.

        Args:
            terms: For each observation group, names and sizes of the terms that it is concatenated from; a group that
                is not listed counts as a whole.
        """
        self._terms = terms or {}
        self._sums: dict[str, torch.Tensor] = {}

    def __call__(self, obs: TensorDict) -> tuple[TensorDict, torch.Tensor]:
        """Return sound observations, and which environments had only such.

        Args:
            obs: Observations, batch size (num_envs,).

        Returns:
            The observations, with 0 in the place of every group that is not sound, and a mask of shape (num_envs,).
        """
        sound_obs = obs.copy()
        # A TensorDict need not name a device
        device = next(iter(obs.values())).device
        valid = torch.ones(obs.batch_size, dtype=torch.bool, device=device)
        for name in map(str, obs.keys()):
            group: torch.Tensor = obs[name]  # type: ignore[assignment]
            if not group.is_floating_point():
                continue
            # NaN and infinities survive in norms and sums, which are much cheaper than a look at every element
            rows = group.flatten(1)
            sound = is_sound(torch.linalg.vector_norm(rows, dim=1, keepdim=True))
            sound_obs.set(name, rows.nan_to_num(0.0, 0.0, 0.0).mul_(sound).view_as(group))
            valid &= sound.squeeze(1)
            sums = rows.sum(dim=0)
            self._sums[name] = self._sums[name] + sums if name in self._sums else sums
        return sound_obs, valid

    def clear(self) -> None:
        """Forget what was not sound."""
        self._sums = {}

    def sources(self) -> list[str]:
        """Return which observation groups and terms were not sound since :meth:`clear`; waits for the device."""
        found = []
        for group, sums in self._sums.items():
            unsound = ~is_sound(sums)
            if not unsound.any():
                continue
            terms, start = [], 0
            for term, size in self._terms.get(group, []):
                terms += [repr(term)] if unsound[start : start + size].any() else []
                start += size
            found.append(f"observation group {group!r}" + (f", term {' and '.join(terms)}" if terms else ""))
        return found


def observation_terms(env: Any) -> dict[str, list[tuple[str, int]]]:
    """Return names and sizes of the terms of each observation group that is concatenated from such.

    Args:
        env: An rsl_rl environment. If the environment that it wraps has an observation manager, as Isaac Lab's and
            mjlab's have, the terms are that one's; otherwise none are known.
    """
    manager = getattr(getattr(env, "unwrapped", None), "observation_manager", None)
    if manager is None:
        return {}
    terms = {}
    for group, names in manager.active_terms.items():
        shapes = manager.group_obs_term_dim[group]
        if all(len(shape) == 1 for shape in shapes):
            terms[group] = [(name, shape[0]) for name, shape in zip(names, shapes, strict=True)]
    return terms


def unsound_sources(
    guard: ObservationGuard, rewards: torch.Tensor, gradient_norms: Mapping[str, torch.Tensor]
) -> list[str]:
    """Return what was not finite in the last update, most original source first.

    Args:
        guard: What has seen the observations.
        rewards: Rewards of the rollout, any shape.
        gradient_norms: Norm of the gradient of each network in the last mini-batch, scalars.
    """
    sources = guard.sources()
    if not is_sound(rewards).all():
        sources.append("the reward")
    if not sources:
        sources = [f"the gradient of the {name}" for name, norm in gradient_norms.items() if not norm.isfinite()]
    return sources or ["the values"]
