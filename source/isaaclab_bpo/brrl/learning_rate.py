# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The learning rate of PPO, and of BPO."""

from __future__ import annotations

from typing import Any, TypeVar

import torch

Number = TypeVar("Number", float, torch.Tensor)


def adapted_learning_rate(rate: Number, kl: Number, desired_kl: float, factor: Number = 1.5) -> Number:
    """Return the learning rate by PPO's rule: lower where the KL divergence is too high, higher where it is too low.

    Args:
        rate: The learning rate, a number of Python or a scalar on a device.
        kl: The KL divergence, of the same type.
        desired_kl: What it should be; from half to twice of that the rate stays.
        factor: By how much the rate changes, within [1e-5, 1e-2].
    """
    lower, higher = rate / factor, rate * factor
    lower, higher = _where(lower > 1e-5, lower, 1e-5), _where(higher < 1e-2, higher, 1e-2)
    rate = _where((kl > 0.0) & (kl < desired_kl / 2.0), higher, rate)
    return _where(kl > desired_kl * 2.0, lower, rate)


def _where(condition: Any, value: Any, other: Any) -> Any:
    if isinstance(condition, torch.Tensor):
        return torch.where(condition, value, other)
    return value if condition else other
