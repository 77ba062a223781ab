# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded Policy Optimization for rsl_rl."""

from isaaclab_bpo.storage.collectives import RankLostError

from .accelerated import AcceleratedBPO
from .bpo import BPO
from .construct import construct_algorithm
from .health import TrainingDivergedError
from .ppo import PPO

# rsl_rl's runners ask the class for it; it is attached here, where all classes that it chooses from are known.
BPO.construct_algorithm = staticmethod(construct_algorithm)

__all__ = ["BPO", "PPO", "AcceleratedBPO", "RankLostError", "TrainingDivergedError"]
