# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Networks that see images of uint8, with an encoder that several of them share and that is evaluated once for all.

Reference: Mnih et al. "Human-level control through deep reinforcement learning." Nature 518 (2015).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from rsl_rl.models import CNNModel, MLPModel
from rsl_rl.modules import CNN, HiddenState
from rsl_rl.utils import resolve_nn_activation
from tensordict import TensorDict
from torch import nn
from torch.utils.weak import TensorWeakRef

from .initialization import init_model

NUM_FEATURES = 512
"""Number of features of an image."""

NATURE = {"output_channels": [32, 64, 64], "kernel_size": [8, 4, 3], "stride": [4, 2, 1]}
"""The convolutions of the paper, for images of at least 36 x 36 pixels."""

SMALL = {"output_channels": [32, 64, 64], "kernel_size": 3, "stride": [2, 2, 1], "padding": "zeros"}
"""Those for smaller images, of at least 4 x 4 pixels."""


class NatureCNN(nn.Module):
    """Encoder of images: convolutions, then a layer of :data:`NUM_FEATURES`, each with an activation after it."""

    def __init__(self, input_dim: tuple[int, int], input_channels: int, activation: str, **cnn_cfg: Any) -> None:
        """Initialize the encoder.

        Args:
            input_dim: Height and width of the images.
            input_channels: Their number of channels.
            activation: Activation function.
            **cnn_cfg: Other arguments of rsl_rl's :class:`rsl_rl.modules.CNN`.
        """
        super().__init__()
        cnn = CNN(input_dim, input_channels, activation=activation, **cnn_cfg)
        features = nn.Linear(cnn.output_dim, NUM_FEATURES)  # type: ignore[arg-type]
        self.layers = nn.Sequential(cnn, features, resolve_nn_activation(activation))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features, shape (B, NUM_FEATURES), of images, shape (B, C, H, W): uint8, or floats in [0, 1]."""
        # Convolutions are faster in this layout; that of floats is changed faster than that of uint8
        pixels = images.float().contiguous(memory_format=torch.channels_last)
        return self.layers(pixels / 255.0 if images.dtype == torch.uint8 else pixels)


class Encoders(nn.ModuleDict):
    """The encoders of a network, by the observation group, which other networks may borrow.

    In an update, networks are evaluated one after the other on the same mini-batch. The owner evaluates the encoders;
    who borrows them gets the same features, and sends its gradient back through them.
    """

    def __init__(self, encoders: Mapping[str, nn.Module]) -> None:
        """Hold the encoders, which nobody has evaluated."""
        super().__init__(dict(encoders))
        self._newest: dict[str, tuple[TensorWeakRef, torch.Tensor]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_newest": {}}  # the features belong to a graph, which cannot be copied

    @torch.compiler.disable
    def encode(self, obs: TensorDict, is_owner: bool) -> torch.Tensor:
        """Return the features of all groups, shape (B, number of groups * NUM_FEATURES).

        Args:
            obs: The observations.
            is_owner: Whether the encoders are evaluated anew, because their parameters may have changed.
        """
        return torch.cat([self._features(group, obs[group], is_owner) for group in self], dim=-1)

    def _features(self, group: str, images: torch.Tensor, is_owner: bool) -> torch.Tensor:
        # Only with gradients: a mini-batch is never written to again, but an environment may reuse its memory
        reuses = torch.is_grad_enabled()
        if reuses and not is_owner and group in self._newest:
            newest_images, features = self._newest[group]
            if newest_images() is images:
                return features
        features = self[group](images)
        if reuses and is_owner:
            self._newest[group] = TensorWeakRef(images), features
        return features


class NatureCNNModel(CNNModel):
    """rsl_rl's model for images, with :class:`NatureCNN` as the encoder of each group of images.

    Groups of images, shape (B, C, H, W), are encoded. The features and the groups of vectors, if there are any, are the
    input of an MLP. With ``share_cnn_encoders`` of the algorithm's configuration, the critics borrow the encoders of
    the actor: they are parameters of the actor alone, so that optimizer, clipping and checkpoint have them once.
    """

    cnns: Encoders
    """The encoders, a module of this network unless it borrows them."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        hidden_dims: tuple[int, ...] | list[int] = (256,),
        activation: str = "relu",
        obs_normalization: bool = False,
        distribution_cfg: dict | None = None,
        cnn_cfg: dict[str, Any] | None = None,
        cnns: Encoders | None = None,
        orthogonal_init: bool = False,
    ) -> None:
        """Initialize the model.

        Args:
            obs: Observations.
            obs_groups: The observation groups of each network.
            obs_set: The network, "actor" or "critic".
            output_dim: Dimension of the output.
            hidden_dims: Hidden dimensions of the MLP.
            activation: Activation function of encoders and MLP.
            obs_normalization: Whether to normalize the vectors.
            distribution_cfg: Configuration of the output distribution.
            cnn_cfg: Arguments of rsl_rl's CNN in place of :data:`NATURE`, or :data:`SMALL`.
            cnns: Encoders of another network to borrow.
            orthogonal_init: Whether weights are orthogonal, see :func:`~isaaclab_bpo.models.init_orthogonal`.

        Raises:
            ValueError: If there are no images, images are too small, or other images are in the borrowed encoders.
        """
        vectors, _ = self._get_obs_dim(obs, obs_groups, obs_set)
        self.cnn_latent_dim = len(self.obs_groups_2d) * NUM_FEATURES
        # Not CNNModel's, which makes encoders without the layer of features
        MLPModel.__init__(
            self,
            obs,
            obs_groups,
            obs_set,
            output_dim,
            hidden_dims,
            activation,
            obs_normalization and len(vectors) > 0,
            distribution_cfg,
        )
        self.owns_encoders = cnns is None
        self.cnns = cnns or Encoders({group: self._encoder(group, activation, cnn_cfg) for group in self.obs_groups_2d})
        if not self.owns_encoders:
            borrow_encoders(self)
        if list(self.cnns) != self.obs_groups_2d:
            raise ValueError(
                f"share_cnn_encoders=True needs the same images for all networks, but those of the {obs_set} are "
                f"{self.obs_groups_2d} and those of the actor {list(self.cnns)}: set obs_groups."
            )
        self.orthogonal_init = orthogonal_init
        if orthogonal_init:
            init_model(self)

    def _encoder(self, group: str, activation: str, cnn_cfg: dict[str, Any] | None) -> NatureCNN:
        index = self.obs_groups_2d.index(group)
        height, width = self.obs_dims_2d[index]
        if cnn_cfg is None and min(height, width) < 4:
            raise ValueError(f"Images of {group!r} have {height} x {width} pixels: the encoder needs at least 4 x 4.")
        cnn_cfg = cnn_cfg or (NATURE if min(height, width) >= 36 else SMALL)
        return NatureCNN((height, width), self.obs_channels_2d[index], **({"activation": activation} | cnn_cfg))

    def get_latent(
        self, obs: TensorDict, masks: torch.Tensor | None = None, hidden_state: HiddenState = None
    ) -> torch.Tensor:
        """Return normalized vectors and features of images, shape (B, number of both)."""
        features = self.cnns.encode(obs, self.owns_encoders)  # type: ignore[call-arg]
        return torch.cat([MLPModel.get_latent(self, obs), features], dim=-1) if self.obs_groups else features

    def as_onnx(self, verbose: bool = False) -> nn.Module:
        """Return the model for export to ONNX; its inputs are the vectors "obs", if it has any, and images of uint8."""
        return _OnnxModel(self, verbose)


def borrow_encoders(model: CNNModel) -> None:
    """Take encoders of another model out of the modules of this one, and so its parameters; it still uses them."""
    if "cnns" in model._modules:
        model.__dict__["cnns"] = model._modules.pop("cnns")


class _OnnxModel(nn.Module):
    """Exportable model for ONNX."""

    is_recurrent = False

    def __init__(self, model: NatureCNNModel, verbose: bool) -> None:
        super().__init__()
        self.verbose = verbose
        self.policy = copy.deepcopy(model.as_jit())
        self.num_vectors, self.groups = model.obs_dim, model.obs_groups_2d
        self.shapes = [(c, *dims) for c, dims in zip(model.obs_channels_2d, model.obs_dims_2d, strict=True)]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        vectors = inputs[0] if self.num_vectors else inputs[0].new_zeros(len(inputs[0]), 0, dtype=torch.float)
        return self.policy(vectors, list(inputs[-len(self.groups) :]))

    def get_dummy_inputs(self) -> tuple[torch.Tensor, ...]:
        vectors = [torch.zeros(1, self.num_vectors)] if self.num_vectors else []
        return (*vectors, *(torch.zeros(1, *shape, dtype=torch.uint8) for shape in self.shapes))

    @property
    def input_names(self) -> list[str]:
        return [*(["obs"] if self.num_vectors else []), *self.groups]

    @property
    def output_names(self) -> list[str]:
        return ["actions"]
