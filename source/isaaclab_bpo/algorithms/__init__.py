# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded Policy Optimization for rsl_rl."""

from .bpo import BPO
from .health import RankLostError, TrainingDivergedError

__all__ = ["BPO", "RankLostError", "TrainingDivergedError"]
