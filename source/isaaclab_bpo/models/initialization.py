# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Orthogonal initialization, as in Stable-Baselines3, with which the paper's runs on MuJoCo and Atari were made."""

from __future__ import annotations

import math
from typing import Any

from rsl_rl.models import MLPModel
from torch import nn


def init_orthogonal(module: nn.Module, last_layer: nn.Module, last_gain: float = 1.0) -> None:
    """Initialize linear and convolutional layers with orthogonal weights of gain √2, and no bias.

    Args:
        module: The module that holds the layers.
        last_layer: The layer with a gain of its own.
        last_gain: That gain, 1 for values and medians.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(layer.weight, gain=last_gain if layer is last_layer else math.sqrt(2.0))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_model(model: MLPModel) -> None:
    """Initialize a network with :func:`init_orthogonal`; the gain of a policy's last layer is 0.01."""
    init_orthogonal(model, model.mlp[-1], 1.0 if model.distribution is None else 0.01)


class OrthogonalMLPModel(MLPModel):
    """rsl_rl's MLP with orthogonal initialization."""

    orthogonal_init = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Initialize the model; arguments as for :class:`rsl_rl.models.MLPModel`."""
        super().__init__(*args, **kwargs)
        init_model(self)
