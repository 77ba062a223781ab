# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Agents: the paper's settings as plain data, and the configurations of Isaac Lab's that are made from them.

The data need no Isaac Lab; it is imported when one of its configurations is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg, RslRlBpoRunnerCfg, bpo_from_ppo

__all__ = ["AGENT_KEYS", "GYM_PREFIX", "RslRlBpoAlgorithmCfg", "RslRlBpoRunnerCfg", "bpo_from_ppo"]

AGENT_KEYS = {"bpo": "rsl_rl_bpo_cfg_entry_point", "ppo": "rsl_rl_cfg_entry_point"}
"""Keywords of a task's registration that name its agents; the values for Isaac Lab's ``--agent``."""

GYM_PREFIX = "Gym-"
"""What the ids of Gymnasium's tasks have in front of the environment's id."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import rsl_rl_bpo_cfg

    return getattr(rsl_rl_bpo_cfg, name)
