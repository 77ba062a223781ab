# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What rsl_rl's models lack: discrete actions, images of uint8, orthogonal initialization, fewer kernels."""

from .categorical import CategoricalDistribution
from .gaussian import kl_divergence, log_prob
from .gradients import clip_gradients
from .initialization import OrthogonalMLPModel, init_orthogonal
from .nature_cnn import NatureCNNModel, borrow_encoders
from .paired import PairedMLPModel, get_latent

__all__ = [
    "CategoricalDistribution",
    "NatureCNNModel",
    "OrthogonalMLPModel",
    "PairedMLPModel",
    "borrow_encoders",
    "clip_gradients",
    "get_latent",
    "init_orthogonal",
    "kl_divergence",
    "log_prob",
]
