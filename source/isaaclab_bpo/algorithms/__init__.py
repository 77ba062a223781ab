# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded Policy Optimization for rsl_rl."""

from .bpo import BPO
from .checkpoint import CheckpointError
from .configuration import ConfigurationError, configuration_problems
from .health import RankLostError, TrainingDivergedError
from .hyperparameters import hyperparameter_problems

__all__ = [
    "BPO",
    "CheckpointError",
    "ConfigurationError",
    "RankLostError",
    "TrainingDivergedError",
    "configuration_problems",
    "hyperparameter_problems",
]
