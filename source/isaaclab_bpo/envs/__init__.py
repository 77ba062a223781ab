# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Environments of Gymnasium for rsl_rl; needs neither Isaac Lab nor a simulator of its."""

from .gym_vec_env import GymVecEnv, make_gym_vec_env

__all__ = ["GymVecEnv", "make_gym_vec_env"]
