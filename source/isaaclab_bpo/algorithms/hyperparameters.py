# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What values the hyperparameters of BPO (and of the PPO that it extends) may take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isaaclab_bpo import brrl

from .rules import BOOLEAN, Rule, integer, number, one_of, optional, problems_of

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


def hyperparameter_problems(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with hyperparameters of BPO or PPO, all problems at once.

    Args:
        hyperparameters: Values by name. Names without a rule here are not judged.

    Returns:
        A sentence for each problem that names the field, the value and the valid choices; empty if all is well.
    """
    return problems_of(hyperparameters, RULES) + _bounds_problems(hyperparameters)


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
    """Return what is wrong with values that set the ratio bounds together, if each of them is valid."""
    names = ("clip_param", "ratio_lower", "ratio_upper")
    if "clip_param" not in hyperparameters or problems_of(hyperparameters, {name: RULES[name] for name in names}):
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
    problems = []
    if hyperparameters.get("loss") == "log_tv" and ratio_bounds(epsilon, lower, upper).lower == 0.0:
        problems.append("loss='log_tv' needs a lower ratio bound above 0, because it takes its logarithm.")
    if hyperparameters.get("use_clipped_value_loss") and epsilon is None:
        problems.append("use_clipped_value_loss=True needs clip_param, which is also the range of the clipped value.")
    return problems
