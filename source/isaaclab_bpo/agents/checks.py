# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checks of a resolved agent configuration, before anything expensive starts."""

from __future__ import annotations

import difflib
from dataclasses import MISSING, fields
from typing import Any

from isaaclab_rl.rsl_rl import RslRlBaseRunnerCfg

from isaaclab_bpo.algorithms import hyperparameter_problems


def check_agent_cfg(agent_cfg: RslRlBaseRunnerCfg) -> list[str]:
    """Return what is wrong with the configuration of an rsl_rl agent, all problems at once.

    Args:
        agent_cfg: Runner configuration of BPO or PPO, all overrides applied.

    Returns:
        A sentence for each problem that names the field, the value and the valid choices; empty if all is well.
    """
    problems = _unknown_fields("agent", agent_cfg)
    for name, smallest in (("num_steps_per_env", 1), ("max_iterations", 0), ("save_interval", 1)):
        value = getattr(agent_cfg, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            problems.append(f"agent.{name}={value!r} is not valid: it must be an integer >= {smallest}.")
    algorithm = getattr(agent_cfg, "algorithm", None)
    if algorithm is not None:
        problems += _unknown_fields("agent.algorithm", algorithm)
        given = {name: value for name, value in vars(algorithm).items() if not isinstance(value, type(MISSING))}
        problems += [f"agent.algorithm.{problem}" for problem in hyperparameter_problems(given)]
    return problems


def _unknown_fields(path: str, cfg: Any) -> list[str]:
    """Name attributes that are no fields of a configclass: Hydra's overrides create them without a word."""
    known = [field.name for field in fields(cfg)]
    problems = []
    for name in vars(cfg):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {path}.{close[0]}?" if close else f"its fields are {', '.join(known)}."
            problems.append(f"{path}.{name} is not a field of {type(cfg).__name__}: {hint}")
    return problems
