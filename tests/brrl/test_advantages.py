# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Generalized advantages against numbers computed by hand."""

from __future__ import annotations

import torch

from isaaclab_bpo import brrl


def test_generalized_advantages_by_hand() -> None:
    # One environment, γ = 1/2, λ = 1/2. The episode ends at step 1.
    rewards, values = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[4.0], [5.0], [6.0]])
    dones, last_values = torch.tensor([[0], [1], [0]]), torch.tensor([8.0])
    # δ_2 = 3 + 8/2 - 6 = 1;  δ_1 = 2 - 5 = -3;  δ_0 = 1 + 5/2 - 4 = -1/2
    # A_2 = 1;  A_1 = -3;  A_0 = -1/2 + 1/4 · (-3) = -5/4
    advantages = brrl.generalized_advantages(rewards, values, last_values, dones, gamma=0.5, lam=0.5)
    assert advantages.squeeze(-1).tolist() == [-1.25, -3.0, 1.0]
    # A rollout of the last step alone
    last = brrl.generalized_advantages(rewards[2:], values[2:], last_values, dones[2:], gamma=0.5, lam=0.5)
    assert last.tolist() == [[1.0]]


def test_with_lambda_one_advantages_are_discounted_returns_minus_values() -> None:
    generator = torch.manual_seed(3)
    rewards, values = torch.rand(7, 5, generator=generator).double(), torch.rand(7, 5, generator=generator).double()
    last_values, dones = torch.rand(5, generator=generator).double(), torch.rand(7, 5, generator=generator) < 0.2
    advantages = brrl.generalized_advantages(rewards, values, last_values, dones, gamma=0.9, lam=1.0)
    expected = last_values
    for step in reversed(range(7)):
        expected = rewards[step] + 0.9 * expected * ~dones[step]
        torch.testing.assert_close(advantages[step] + values[step], expected)
