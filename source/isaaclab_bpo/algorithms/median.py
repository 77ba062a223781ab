# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The estimators of μ, the median (or another quantile) of Q under the old policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules import HiddenState
from rsl_rl.storage import RolloutStorage
from rsl_rl.utils import compile_model, unpad_trajectories
from tensordict import TensorDict
from torch import nn

from isaaclab_bpo.compatibility.training_state import is_like
from isaaclab_bpo.models import PairedMLPModel, init_orthogonal
from isaaclab_bpo.storage import BpoRolloutStorage

from .options import BpoOptions, ConfigurationError


class MedianEstimator:
    """μ = V, as in the paper's ablation; the other estimators derive from it."""

    clipped_with = "critic"
    """Name of the network together with which the gradients are clipped."""

    of_rollout = False
    """Whether μ needs the median advantage of the rollout."""

    def __init__(self, network: nn.Module | None = None) -> None:
        """Estimate with a network, which the optimizer trains and a checkpoint holds beside actor and critic."""
        self.network = self.model = network
        """The network; ``model`` is the one that may be compiled."""

    @property
    def models(self) -> list[MLPModel]:
        """The network if it observes the environment itself: it may have a state and a normalizer."""
        return []

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters that are trained beside those of actor and critic."""
        return [] if self.network is None else list(self.network.parameters())

    def compile(self, mode: str | None) -> None:
        """Compile the network with ``torch.compile``."""
        if self.network is not None:
            self.model = compile_model(self.network, mode)  # type: ignore[arg-type]

    def observe(self, obs: TensorDict) -> HiddenState:
        """Let a recurrent network see a step, and return its hidden state before that; None if there is none."""
        return None

    def evaluate(self, critic: MLPModel, batch: RolloutStorage.Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return V and μ of a mini-batch, each of shape (B, 1), or (T, B, 1) for recurrent networks.

        V is that of the critic, compiled or not. μ carries a gradient only if a network estimates it.
        """
        values = critic(batch.observations, masks=batch.masks, hidden_state=batch.hidden_states[1])
        return values, values.detach()

    def load(self, saved: Any, critic: MLPModel, strict: bool) -> None:
        """Load a saved network. If it is None or of another kind, start from the critic's weights where they fit."""
        if self.network is None:
            return
        if not is_like(self.network, saved):
            layers = {nn.Linear: critic.mlp[-1], nn.Sequential: self.network}.get(type(self.network), critic)
            start = "anew" if layers is self.network else "from the critic's weights"
            print(f"[INFO] The checkpoint holds no median critic of this kind: it starts {start}.")
            saved = layers.state_dict()
        self.network.load_state_dict(saved, strict=strict)


class RolloutMedian(MedianEstimator):
    """μ = V plus the median advantage of the rollout."""

    of_rollout = True

    def __init__(self, storage: BpoRolloutStorage) -> None:
        """Take the median advantage from ``storage``."""
        super().__init__()
        self._storage = storage

    def evaluate(self, critic: MLPModel, batch: RolloutStorage.Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return V and μ of a mini-batch."""
        values, medians = super().evaluate(critic, batch)
        return values, medians + self._storage.advantage_median


class MedianCritic(MedianEstimator):
    """A network like the critic, the paper's estimator."""

    clipped_with = "median critic"
    model: MLPModel
    pair: PairedMLPModel | None = None
    """The critic and the network, to evaluate them together by half as many operations."""

    @property
    def models(self) -> list[MLPModel]:
        """The network."""
        return [self.model]

    def observe(self, obs: TensorDict) -> HiddenState:
        """Let a recurrent network see a step, and return its hidden state before that."""
        hidden_state = self.model.get_hidden_state()
        if self.model.is_recurrent:  # μ itself is not needed before the update
            self.model(obs)
        return hidden_state

    def evaluate(self, critic: MLPModel, batch: RolloutStorage.Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return V and μ of a mini-batch."""
        if self.pair is not None:
            return self.pair(batch.observations)  # type: ignore[arg-type]
        values, _ = super().evaluate(critic, batch)
        hidden_state = batch.hidden_states[2] if self.model.is_recurrent else None  # type: ignore[misc]
        return values, self.model(batch.observations, masks=batch.masks, hidden_state=hidden_state)


class MedianHead(MedianEstimator):
    """A second output layer of the critic, or as many layers as it has, after its hidden ones."""

    model: nn.Module

    def evaluate(self, critic: MLPModel, batch: RolloutStorage.Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return V and μ of a mini-batch."""
        obs, masks = batch.observations, batch.masks
        if masks is not None and not critic.is_recurrent:
            obs = unpad_trajectories(obs, masks)  # type: ignore[arg-type]
        features = critic.get_latent(obs, masks, batch.hidden_states[1])  # type: ignore[arg-type]
        *hidden_layers, last_layer = critic.mlp
        for layer in hidden_layers:
            features = layer(features)
        return last_layer(features), self.model(features)


def make_median(
    options: BpoOptions, critic: MLPModel, make_critic: Callable[[], MLPModel], storage: BpoRolloutStorage
) -> MedianEstimator:
    """Return the estimator of μ that the options ask for; ``make_critic`` makes one more network like the critic."""
    if options.median == "value":
        return MedianEstimator()
    if options.median == "batch":
        return RolloutMedian(storage)
    if options.median_head == "separate":
        return MedianCritic(make_critic())
    if type(critic).forward is not MLPModel.forward:  # V would not be what it returns
        raise ConfigurationError(f"median_head must be separate: {type(critic).__name__} has a forward of its own.")
    width: Any = critic.mlp[-1].in_features
    head = output = nn.Linear(width, 1)
    if options.median_head == "mlp":
        first, *others, output = make_critic().mlp
        head = nn.Sequential(nn.Linear(width, first.out_features), *others, output)  # type: ignore
    if getattr(critic, "orthogonal_init", False):
        init_orthogonal(head, output)
    return MedianHead(head.to(storage.device))
