# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Stand-in robots for machines that cannot reach NVIDIA's asset server."""

from __future__ import annotations

from isaaclab_bpo.robots.assets import ASSET_MODES, build_asset_root, missing_asset, select_assets, uses_standins

__all__ = ["ASSET_MODES", "build_asset_root", "missing_asset", "select_assets", "uses_standins"]
