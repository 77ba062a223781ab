# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's PPO with what the paper's runs have and it lacks, for BPO and for the runs that BPO is compared with."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import rsl_rl.algorithms
from rsl_rl.models import CNNModel, MLPModel
from rsl_rl.storage import RolloutStorage
from torch import nn

from isaaclab_bpo.compatibility.training_state import fit_optimizer_state, without_shared_encoders
from isaaclab_bpo.models import borrow_encoders


class PPO(rsl_rl.algorithms.PPO):
    """rsl_rl's PPO, which it stays as long as the options of :class:`PpoOptions` have their defaults.

    One thing is mended: with ``share_cnn_encoders``, rsl_rl 5.5's optimizer steps a CNNModel's encoders twice.
    """

    def __init__(
        self,
        actor: MLPModel,
        critic: MLPModel,
        storage: RolloutStorage,
        adam_eps: float | None = None,
        reshuffle: bool = False,
        joint_grad_clipping: bool = False,
        **ppo_settings: Any,
    ) -> None:
        """Initialize the algorithm.

        Args:
            actor: Model of the policy.
            critic: Model of the value.
            storage: Rollout storage.
            adam_eps: See :class:`~isaaclab_bpo.algorithms.options.PpoOptions`, as for the next two.
            reshuffle: As there.
            joint_grad_clipping: As there.
            **ppo_settings: Every other argument of rsl_rl's PPO.
        """
        if isinstance(actor, CNNModel) and isinstance(critic, CNNModel) and critic.cnns is actor.cnns:
            borrow_encoders(critic)
        super().__init__(actor, critic, storage, **ppo_settings)
        if adam_eps is not None:
            for group in (self.optimizer.defaults, *self.optimizer.param_groups):  # defaults are those of later groups
                group["eps"] = adam_eps
        if reshuffle:
            self._shuffle_once, storage.mini_batch_generator = storage.mini_batch_generator, self._shuffle_each_epoch
        if joint_grad_clipping:
            parameters, max_norm = [*actor.parameters(), *critic.parameters()], self.max_grad_norm

            def clip(*_: Any) -> None:
                nn.utils.clip_grad_norm_(parameters, max_norm)

            self.max_grad_norm = math.inf  # of each network
            self.optimizer.register_step_pre_hook(clip)

    def load(self, loaded_dict: dict, load_cfg: dict | None, strict: bool) -> bool:
        """Load a checkpoint of BPO or PPO, also rsl_rl's, see :meth:`rsl_rl.algorithms.PPO.load`."""
        if load_cfg is None or load_cfg.get("critic"):
            loaded_dict = without_shared_encoders(loaded_dict, self._raw_critic)
        if load_cfg is None or load_cfg.get("optimizer"):
            optimizer_state = fit_optimizer_state(self.optimizer, loaded_dict["optimizer_state_dict"])
            loaded_dict = {**loaded_dict, "optimizer_state_dict": optimizer_state}
        return super().load(loaded_dict, load_cfg, strict)

    def _shuffle_each_epoch(self, num_mini_batches: int, num_epochs: int = 8) -> Generator[RolloutStorage.Batch]:
        """Yield mini-batches as rsl_rl's storage does, but with another permutation in every epoch."""
        for _ in range(num_epochs):
            yield from self._shuffle_once(num_mini_batches, 1)
