# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What keeps values that are not finite away from the networks, without making the host wait for the device."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from isaaclab_bpo.storage import BpoRolloutStorage, is_finite
from isaaclab_bpo.storage.collectives import all_reduce

SKIPPED = "Health/skipped_mini_batches"
"""Name in the log of the number of mini-batches that could not be used."""

INVALID = "Health/invalid_transitions"
"""Name in the log of the number of transitions that were left out."""

_NO_LOSSES = ("ratio_deviation", "clip_fraction", "above_median", "median_deviation", "kl")
DIAGNOSTICS = {name: f"BPO/{name}" for name in _NO_LOSSES}
"""Names in the log of the statistics that are no losses: rsl_rl prints all that an update returns as "Mean … loss"."""


class TrainingDivergedError(FloatingPointError):
    """Nothing could be learnt for too long. The networks are those of the last mini-batch that was used."""

    columns: Mapping[str, list[int]] = {}
    """For each observation group that was not finite, the columns that were not."""


class Health:
    """Leaves out transitions and mini-batches that are not finite, and counts them."""

    def __init__(self, max_consecutive_skips: int, device: str) -> None:
        """Start with nothing seen; after ``max_consecutive_skips`` in a row :meth:`report` raises."""
        self.log = {name: torch.zeros((), device=device) for name in (SKIPPED, INVALID, *DIAGNOSTICS.values())}
        """What to log of the newest update; the tensors are overwritten in place."""
        self.groups: Collection[str] | None = None
        """The observation groups that a network reads, and no other is looked at; None for all."""
        self._max_consecutive_skips = max_consecutive_skips
        self._consecutive_skips = torch.zeros((), device=device)
        self._limit = torch.full((), math.inf, device=device)  # of the gradients' norms
        self._counts = torch.zeros(2, device=device)  # of transitions that are not valid, and that are
        self.log[INVALID] = self._counts[0]
        self._sums: dict[str, torch.Tensor] = {}
        self._gradient_norms: dict[str, torch.Tensor] = {}

    def blank(self, obs: TensorDict) -> tuple[TensorDict, torch.Tensor]:
        """Return observations with 0 in the place of every group that is not finite, and a mask of shape (num_envs,).

        The mask tells which environments had only finite ones.
        """
        finite_obs = obs.copy()
        names = list(self.groups or map(str, obs.keys()))
        valid = torch.ones(obs.batch_size, dtype=torch.bool, device=obs[names[0]].device)  # obs need not name one
        for name in names:
            group: torch.Tensor = obs[name]  # type: ignore[assignment]
            if not group.is_floating_point():
                continue
            # NaN and infinities survive in norms and sums, which are much cheaper than a look at every element
            rows = group.flatten(1)
            finite = is_finite(torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=torch.float32))
            finite_obs.set(name, rows.nan_to_num(0.0, 0.0, 0.0).mul_(finite).view_as(group))
            valid &= finite.squeeze(1)
            sums = rows.sum(dim=0)
            self._sums[name] = self._sums[name] + sums if name in self._sums else sums
        return finite_obs, valid

    def count_valid(self, storage: BpoRolloutStorage, distributed: bool) -> None:
        """Count the valid transitions of a rollout, of all ranks if there are several."""
        counts = torch.stack([(~storage.valid).sum(), storage.valid.sum()]).float()
        self._counts.copy_(all_reduce(counts) if distributed else counts)
        self._limit.copy_(math.inf * (2.0 * (self._counts[1] > 0.0) - 1.0))

    def is_usable(self, networks: list[str], gradient_norms: torch.Tensor) -> torch.Tensor:
        """Return whether to step, a scalar: the gradients' norms are finite, and the rollout has a valid transition."""
        self._gradient_norms = dict(zip(networks, gradient_norms, strict=False))
        return gradient_norms.sum() < self._limit  # false for NaN

    def report(
        self, names: list[str], history: torch.Tensor, storage: RolloutStorage, distributed: bool
    ) -> dict[str, float]:
        """Return the means of the losses over the mini-batches that were used; those of the others go to the log.

        Args:
            names: Names of the statistics; the last one is whether the mini-batch was used.
            history: The statistics, shape (mini-batches, len(names)).
            storage: The rollout.
            distributed: Whether the means are those over all ranks.

        Raises:
            TrainingDivergedError: If too many mini-batches in a row had to be skipped.
        """
        used = history[:, -1:] > 0.0
        last_used = (torch.arange(1, len(history) + 1, device=history.device) * used.squeeze(1)).max()
        self._consecutive_skips.mul_(last_used == 0).add_(len(history) - last_used)
        self.log[SKIPPED].copy_((~used).sum())
        means = torch.where(used, history, 0.0).sum(dim=0) / used.sum().clamp(min=1)
        if distributed:
            means = all_reduce(means) / torch.distributed.get_world_size()
        numbers = torch.cat([means, self._consecutive_skips.unsqueeze(0), self._counts]).tolist()
        *values, _, skips, self.num_invalid, self.num_valid = numbers
        if skips >= self._max_consecutive_skips:
            where = {name: (~is_finite(sums)).nonzero().flatten().tolist() for name, sums in self._sums.items()}
            columns = {name: found for name, found in where.items() if found}
            sources = [f"observation group {name!r}" for name in columns]
            sources += [] if is_finite(storage.rewards).all() else ["the reward"]
            networks = [name for name, norm in self._gradient_norms.items() if not norm.isfinite()]
            sources = sources or [f"the gradient of the {name}" for name in networks]
            error = TrainingDivergedError(
                f"Training stopped: {skips:.0f} mini-batches in a row could not be used, because of NaN, "
                f"infinite or absurdly large values of {' and '.join(sources or ['the values'])}. The networks are "
                "those of the last mini-batch that was used."
            )
            error.columns = columns
            raise error
        self._sums = {}
        statistics = dict(zip(names, values, strict=False))
        for name in DIAGNOSTICS.keys() & statistics.keys():
            self.log[DIAGNOSTICS[name]].fill_(statistics.pop(name))
        return statistics
