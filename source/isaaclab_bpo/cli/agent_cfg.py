# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Errors in Isaac Lab's configuration of an rsl_rl agent."""

from __future__ import annotations

import contextlib
import copy
import difflib
import io
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from importlib.metadata import version
from typing import Any

from isaaclab_rl.rsl_rl import RslRlBaseRunnerCfg, handle_deprecated_rsl_rl_cfg

from isaaclab_bpo.checks import configuration_errors
from isaaclab_bpo.checks.configuration import RUNNER_RULES
from isaaclab_bpo.rules import errors_of, one_of

_MAY_BE_MISSING = ("obs_groups", "empirical_normalization", "policy", "stochastic", "init_noise_std")
"""Fields that need no value: rsl_rl derives the first, and the others are those of its older versions."""


def check_agent_cfg(
    agent_cfg: RslRlBaseRunnerCfg, num_envs: int | None = None, observations: Iterable[str] | None = None
) -> list[str]:
    """Return what is wrong with the configuration of an rsl_rl agent, all errors at once.

    Args:
        agent_cfg: Runner configuration of BPO or PPO, all overrides applied.
        num_envs: Number of environments, if it is to train with them.
        observations: Names of the environment's observation groups, if they are known.

    Returns:
        A sentence for each error that names the field, the value and the valid choices; empty if all is well.
    """
    agent_cfg = copy.deepcopy(agent_cfg)
    with contextlib.redirect_stdout(io.StringIO()):  # its warnings come again when the run starts
        agent_cfg = handle_deprecated_rsl_rl_cfg(agent_cfg, version("rsl-rl-lib"))
    values, errors = _values("agent", agent_cfg)
    runners = one_of("OnPolicyRunner", "DistillationRunner")
    errors += errors_of(values, {"class_name": runners}, "agent.")
    if values.get("class_name") == "DistillationRunner":  # rsl_rl checks students and teachers itself
        return errors + errors_of(values, RUNNER_RULES, "agent.")
    return errors + [f"agent.{error}" for error in configuration_errors(values, num_envs, observations)]


def _values(path: str, cfg: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the values of a configclass and of those in it, and name fields that are unknown or have no value."""
    known = [field.name for field in fields(cfg)]
    values, errors = {}, []
    for name, value in vars(cfg).items():
        if name not in known:  # Hydra's overrides create such attributes without a word
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {path}.{close[0]}?" if close else f"its fields are {', '.join(known)}."
            errors.append(f"{path}.{name} is not a field of {type(cfg).__name__}: {hint}")
        elif isinstance(value, type(MISSING)):
            if name not in _MAY_BE_MISSING:
                errors.append(f"{path}.{name} is not set, and it has no default.")
        elif is_dataclass(value):
            values[name], found = _values(f"{path}.{name}", value)
            errors += found
        else:
            values[name] = str(value) if isinstance(value, str) else value  # Isaac Lab's names of classes are callable
    return values, errors
