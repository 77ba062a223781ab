# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded Policy Optimization (BPO) for Isaac Lab and rsl_rl."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("isaaclab_bpo")
