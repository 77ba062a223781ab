# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What values the hyperparameters of BPO (and of the PPO that it extends) may take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from isaaclab_bpo import brrl

MEDIANS = ("critic", "batch", "value")
"""Estimators of the median μ: a second critic, V + the batch's median advantage, or V itself."""


def _number(
    low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False
) -> tuple[Callable[[Any], bool], str]:
    def valid(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return (
            is_number and low <= value <= high and not (open_low and value == low) and not (open_high and value == high)
        )

    if math.isinf(high):
        return valid, f"a finite number {'>' if open_low else '>='} {low:g}"
    return valid, f"a number in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def _integer(low: int) -> tuple[Callable[[Any], bool], str]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= low, f"an integer >= {low}"


def _one_of(*choices: str) -> tuple[Callable[[Any], bool], str]:
    return lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}"


def _optional(rule: tuple[Callable[[Any], bool], str]) -> tuple[Callable[[Any], bool], str]:
    valid, text = rule
    return lambda value: value is None or valid(value), f"{text}, or null"


_BOOLEAN = (lambda value: isinstance(value, bool), "true or false")

RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    # BPO
    "median": _one_of(*MEDIANS),
    "median_head": _one_of("separate", "shared"),
    "loss": _one_of(*brrl.POLICY_LOSSES),
    "temperature": _number(0.0, open_low=True),
    "median_temperature": _optional(_number(0.0, open_low=True)),
    "median_loss_coef": _number(0.0),
    "tv_coef": _number(0.0),
    "online_advantage": _BOOLEAN,
    "refresh_targets": _BOOLEAN,
    "accelerate": _optional(_BOOLEAN),
    "max_consecutive_skips": _integer(1),
    "ratio_lower": _optional(_number(0.0, 1.0, open_high=True)),
    "ratio_upper": _optional(_number(1.0, open_low=True)),
    # PPO
    "clip_param": _optional(_number(0.0, 1.0, open_low=True)),
    "num_learning_epochs": _integer(1),
    "num_mini_batches": _integer(1),
    "learning_rate": _number(0.0, open_low=True),
    "schedule": _one_of("adaptive", "fixed"),
    "desired_kl": _optional(_number(0.0, open_low=True)),
    "gamma": _number(0.0, 1.0),
    "lam": _number(0.0, 1.0),
    "entropy_coef": _number(0.0),
    "value_loss_coef": _number(0.0),
    "max_grad_norm": _number(0.0, open_low=True),
    "optimizer": _one_of("adam", "adamw", "sgd", "rmsprop"),
    "use_clipped_value_loss": _BOOLEAN,
    "normalize_advantage_per_mini_batch": _BOOLEAN,
    "use_mixed_precision": _BOOLEAN,
    "share_cnn_encoders": _BOOLEAN,
}
"""For each hyperparameter, the test of a value and the valid values in words."""


def hyperparameter_problems(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with hyperparameters of BPO or PPO, all problems at once.

    Args:
        hyperparameters: Values by name. Names without a rule here are not judged.

    Returns:
        A sentence for each problem that names the field, the value and the valid choices; empty if all is well.
    """
    problems = [
        f"{name}={hyperparameters[name]!r} is not valid: it must be {text}."
        for name, (valid, text) in RULES.items()
        if name in hyperparameters and not valid(hyperparameters[name])
    ]
    return problems or _bounds_problems(hyperparameters)


def ratio_bounds(clip_param: float | None, ratio_lower: float | None, ratio_upper: float | None) -> brrl.RatioBounds:
    """Return the bounds of the probability ratio from valid hyperparameters.

    Args:
        clip_param: ε of the symmetric bounds [1 - ε, 1 + ε], or None.
        ratio_lower: c_l, or None.
        ratio_upper: c_h, or None.
    """
    if clip_param is not None:
        return brrl.RatioBounds.symmetric(clip_param)
    assert ratio_lower is not None
    assert ratio_upper is not None
    return brrl.RatioBounds(ratio_lower, ratio_upper)


def _bounds_problems(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with valid values that set the ratio bounds together."""
    if "clip_param" not in hyperparameters:
        return []
    epsilon, lower, upper = (hyperparameters.get(name) for name in ("clip_param", "ratio_lower", "ratio_upper"))
    if epsilon is not None and (lower is not None or upper is not None):
        return [
            f"clip_param={epsilon} and ratio_lower={lower}, ratio_upper={upper} set the ratio bounds in two ways: set "
            "clip_param=null to use ratio_lower and ratio_upper, or leave these two out."
        ]
    if epsilon is None and (lower is None or upper is None):
        return [
            f"clip_param=None needs ratio_lower and ratio_upper, but they are {lower} and {upper}: set both, or "
            "set clip_param."
        ]
    problems = []
    if hyperparameters.get("loss") == "log_tv" and ratio_bounds(epsilon, lower, upper).lower == 0.0:
        problems.append("loss='log_tv' needs a lower ratio bound above 0, because it takes its logarithm.")
    if hyperparameters.get("use_clipped_value_loss") and epsilon is None:
        problems.append("use_clipped_value_loss=True needs clip_param, which is also the range of the clipped value.")
    return problems
