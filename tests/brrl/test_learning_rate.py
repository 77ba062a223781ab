# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO's rule of the learning rate, by hand, for Python's numbers and for tensors."""

from __future__ import annotations

import math

import pytest
import torch

from isaaclab_bpo import brrl

CASES = [
    (1e-3, 0.021, 1e-3 / 1.5),  # above twice the desired KL divergence of 0.01
    (1e-3, 0.02, 1e-3),
    (1e-3, 0.005, 1e-3),
    (1e-3, 0.0049, 1e-3 * 1.5),  # below half of it
    (1e-3, 0.0, 1e-3),  # nothing was measured
    (1e-3, -0.1, 1e-3),
    (1e-3, math.nan, 1e-3),
    (1e-3, math.inf, 1e-3 / 1.5),
    (1.2e-5, 1.0, 1e-5),  # the lowest
    (9e-3, 1e-4, 1e-2),  # the highest
    (0.0, 0.01, 0.0),
]


@pytest.mark.parametrize(("rate", "kl", "expected"), CASES)
def test_rule_by_hand(rate: float, kl: float, expected: float) -> None:
    assert brrl.adapted_learning_rate(rate, kl, 0.01) == expected
    rate_tensor, factor = torch.tensor(rate, dtype=torch.float64), torch.tensor(1.5, dtype=torch.float64)
    adapted = brrl.adapted_learning_rate(rate_tensor, torch.tensor(kl, dtype=torch.float64), 0.01, factor)
    assert adapted.dtype == torch.float64
    assert adapted.item() == expected


@pytest.mark.parametrize(("rate", "kl", "expected"), [(2e-5, 1.0, 1e-5), (5e-3, 1e-4, 1e-2)])
def test_a_step_may_end_exactly_at_the_limit(rate: float, kl: float, expected: float) -> None:
    assert brrl.adapted_learning_rate(rate, kl, 0.01, factor=2.0) == expected
