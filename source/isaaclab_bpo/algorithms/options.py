# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Every option of BPO, stated once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from isaaclab_bpo import brrl

Rule = tuple[Callable[[Any], bool], str]
"""The test of a value, and the valid values in words."""


def errors_of(values: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str = "") -> list[str]:
    """Return a sentence for each value that breaks its rule, with the field, the value and the valid choices.

    Args:
        values: Values by name. Names without a rule are not judged.
        rules: Rules by name.
        prefix: What the sentences put in front of a name.
    """
    return [
        f"{prefix}{name}={values[name]!r} is not valid: it must be {text}."
        for name, (valid, text) in rules.items()
        if name in values and not valid(values[name])
    ]


def number(low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False) -> Rule:
    """Return the rule of a finite number in an interval, which includes its ends unless they are ``open``."""

    def valid(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return (
            is_number and low <= value <= high and not (open_low and value == low) and not (open_high and value == high)
        )

    if math.isinf(high):
        return valid, f"a finite number {'>' if open_low else '>='} {low:g}"
    return valid, f"a number in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def integer(low: int, high: int | None = None) -> Rule:
    """Return the rule of an integer from ``low`` to ``high``."""

    def valid(value: Any) -> bool:
        return (
            isinstance(value, int) and not isinstance(value, bool) and low <= value and (high is None or value <= high)
        )

    return valid, f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"


def one_of(*choices: str) -> Rule:
    """Return the rule of a string that is one of ``choices``."""
    return lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}"


def optional(rule: Rule) -> Rule:
    """Return the rule that also allows None."""
    valid, text = rule
    return lambda value: value is None or valid(value), f"{text}, or null"


BOOLEAN: Rule = (lambda value: isinstance(value, bool), "true or false")

MEDIANS = ("critic", "batch", "value")
"""Estimators of the median μ: a second critic, V + the batch's median advantage, or V itself."""


RULES: dict[str, Rule] = {
    # BPO
    "median": one_of(*MEDIANS),
    "median_head": one_of("separate", "shared"),
    "loss": one_of(*brrl.POLICY_LOSSES),
    "temperature": number(0.0, open_low=True),
    "median_temperature": optional(number(0.0, open_low=True)),
    "median_loss_coef": number(0.0),
    "tv_coef": number(0.0),
    "joint_grad_clipping": BOOLEAN,
    "online_advantage": BOOLEAN,
    "online_median": BOOLEAN,
    "refresh_targets": BOOLEAN,
    "accelerate": optional(BOOLEAN),
    "max_consecutive_skips": integer(1),
    "ratio_lower": optional(number(0.0, 1.0, open_high=True)),
    "ratio_upper": optional(number(1.0, open_low=True)),
    # PPO
    "clip_param": optional(number(0.0, 1.0, open_low=True)),
    "num_learning_epochs": integer(1),
    "num_mini_batches": integer(1),
    "learning_rate": number(0.0, open_low=True),
    "schedule": one_of("adaptive", "fixed"),
    "desired_kl": optional(number(0.0, open_low=True)),
    "gamma": number(0.0, 1.0),
    "lam": number(0.0, 1.0),
    "entropy_coef": number(0.0),
    "value_loss_coef": number(0.0),
    "max_grad_norm": number(0.0, open_low=True),
    "optimizer": one_of("adam", "adamw", "sgd", "rmsprop"),
    "use_clipped_value_loss": BOOLEAN,
    "normalize_advantage_per_mini_batch": BOOLEAN,
    "use_mixed_precision": BOOLEAN,
    "share_cnn_encoders": BOOLEAN,
}
"""The rule of each hyperparameter."""


def option_errors(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with hyperparameters of BPO or PPO, all errors at once.

    Args:
        hyperparameters: Values by name. Names without a rule here are not judged.

    Returns:
        A sentence for each problem that names the field, the value and the valid choices; empty if all is well.
    """
    return errors_of(hyperparameters, RULES) + _bounds_errors(hyperparameters)


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


def _bounds_errors(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with values that set the ratio bounds together, if each of them is valid."""
    names = ("clip_param", "ratio_lower", "ratio_upper")
    if "clip_param" not in hyperparameters or errors_of(hyperparameters, {name: RULES[name] for name in names}):
        return []
    epsilon, lower, upper = (hyperparameters.get(name) for name in names)
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
    errors = []
    if hyperparameters.get("loss") == "log_tv" and ratio_bounds(epsilon, lower, upper).lower == 0.0:
        errors.append("loss='log_tv' needs a lower ratio bound above 0, because it takes its logarithm.")
    if hyperparameters.get("use_clipped_value_loss") and epsilon is None:
        errors.append("use_clipped_value_loss=True needs clip_param, which is also the range of the clipped value.")
    return errors


class ConfigurationError(ValueError):
    """A configuration is invalid; the message names all errors."""


class CheckedConfiguration(dict):
    """A runner configuration that has been checked, so that nobody checks it again."""


def check_options(settings: Mapping[str, Any]) -> None:
    """Refuse invalid settings of BPO.

    Args:
        settings: The algorithm's part of a runner configuration.

    Raises:
        ConfigurationError: If any value is invalid; names all errors.
    """
    if errors := option_errors(settings):
        raise ConfigurationError(" ".join(errors))
