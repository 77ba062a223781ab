# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Agents: the paper's settings as plain data, and the configurations of Isaac Lab's that are made from them.

The data need no Isaac Lab; it is imported when one of the names in ``__all__`` is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg, RslRlBpoRunnerCfg, bpo_from_ppo

__all__ = ["RslRlBpoAlgorithmCfg", "RslRlBpoRunnerCfg", "bpo_from_ppo"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import rsl_rl_bpo_cfg

    return getattr(rsl_rl_bpo_cfg, name)
