# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The rollout storage of BPO."""

from .rollout_storage import BpoRolloutStorage, is_finite, standardize

__all__ = ["BpoRolloutStorage", "is_finite", "standardize"]
