# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The rollout storage of BPO."""

from .rollout_storage import BpoRolloutStorage, is_sound, standardize

__all__ = ["BpoRolloutStorage", "is_sound", "standardize"]
