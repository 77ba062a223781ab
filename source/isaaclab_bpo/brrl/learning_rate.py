# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The learning rate of PPO, and of BPO."""

from __future__ import annotations

from typing import TypeVar

import torch

Number = TypeVar("Number", float, torch.Tensor)


def adapted_learning_rate(rate: Number, kl: Number, desired_kl: float, factor: Number = 1.5) -> Number:
    """Return the learning rate by PPO's rule: lower where the KL divergence is too high, higher where it is too low.

    It is arithmetic only, so it holds for Python's numbers and for scalars on a device alike.

    Args:
        rate: The learning rate.
        kl: The KL divergence.
        desired_kl: What it should be; from half to twice of that the rate stays.
        factor: By how much the rate changes, within [1e-5, 1e-2].
    """
    lowest, highest = 0.0 * rate + 1e-5, 0.0 * rate + 1e-2  # of the precision of the rate
    lower, higher = rate / factor, rate * factor
    lower = lower * (lower > lowest) + lowest * (lower <= lowest)
    higher = higher * (higher < highest) + highest * (higher >= highest)
    is_high, is_low = kl > desired_kl * 2.0, (kl > 0.0) & (kl < desired_kl / 2.0)
    return is_high * lower + is_low * higher + (is_high == is_low) * rate
