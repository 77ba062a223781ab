# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Orthogonal initialization, as in Stable-Baselines3, with which the paper's runs on MuJoCo and Atari were made."""

from __future__ import annotations

import math
from typing import Any

from rsl_rl.models import MLPModel
from torch import nn


def init_orthogonal(model: MLPModel) -> None:
    """Initialize linear and convolutional layers with orthogonal weights and no bias.

    Their gain is √2; that of the last layer is 0.01 for a policy and 1 for a critic.

    Args:
        model: The network; encoders that it borrows are left to their owner.
    """
    last_gain = 1.0 if model.distribution is None else 0.01
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(module.weight, gain=last_gain if module is model.mlp[-1] else math.sqrt(2.0))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class OrthogonalMLPModel(MLPModel):
    """rsl_rl's MLP with :func:`init_orthogonal`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Initialize the model; arguments as for :class:`rsl_rl.models.MLPModel`."""
        super().__init__(*args, **kwargs)
        init_orthogonal(self)
