# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl 5.4, beside 5.5.

What differs: 5.4 updates the observation normalizers at every environment step, 5.5 once per update; and the logger of
5.4 reads ``rnd_cfg`` of every algorithm's configuration.

When to delete it: once no neighbour needs 5.4 any more; mjlab 1.6 pins 5.4.2.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

NORMALIZES_IN_UPDATE = tuple(map(int, version("rsl-rl-lib").split(".")[:2])) >= (5, 5)
"""Whether observation normalizers are updated once per update, and not at every environment step."""


def complete(cfg: dict[str, Any]) -> None:
    """Add to a runner's configuration what rsl_rl 5.4 reads of it."""
    cfg["algorithm"].setdefault("rnd_cfg", None)
