# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What rsl_rl's models lack: discrete actions, images of uint8, orthogonal initialization."""

from .categorical import CategoricalDistribution

__all__ = ["CategoricalDistribution"]
