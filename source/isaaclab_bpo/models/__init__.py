# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What rsl_rl's models lack: discrete actions, images of uint8, orthogonal initialization."""

from .categorical import CategoricalDistribution
from .initialization import OrthogonalMLPModel, init_orthogonal
from .nature_cnn import NatureCNNModel, borrow_encoders

__all__ = ["CategoricalDistribution", "NatureCNNModel", "OrthogonalMLPModel", "borrow_encoders", "init_orthogonal"]
