# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A network trained by BPO's median loss finds the median, and other quantiles, of Q given the state."""

from __future__ import annotations

import pytest
import torch
from rsl_rl.modules import MLP

from isaaclab_bpo import brrl

# Distributions of (Q - location)/scale with their quantile functions: symmetric, skewed, heavy-tailed (no mean)
DISTRIBUTIONS = {
    "normal": (torch.distributions.Normal(0.0, 1.0), lambda level: torch.distributions.Normal(0.0, 1.0).icdf(level)),
    "exponential": (torch.distributions.Exponential(1.0), lambda level: -torch.log1p(-level)),
    "cauchy": (torch.distributions.Cauchy(0.0, 1.0), lambda level: torch.tan(torch.pi * (level - 0.5))),
    "lognormal": (
        torch.distributions.LogNormal(0.0, 1.0),
        lambda level: torch.distributions.Normal(0.0, 1.0).icdf(level).exp(),
    ),
}
BOUNDS = {"symmetric": brrl.RatioBounds.symmetric(0.2), "asymmetric": brrl.RatioBounds(0.7, 1.9)}


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS.keys())
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_trained_median_critic_reaches_the_analytic_quantile(name: str, bounds: brrl.RatioBounds) -> None:
    """Within 3 % of the spread of Q on average over the states, on which location and scale depend.

    To first order, the offset b of asymmetric bounds shifts the minimiser from the quantile by T b.
    """
    torch.manual_seed(0)
    temperature = 0.05
    distribution, quantile = DISTRIBUTIONS[name]
    network = MLP(1, 1, [32, 32], "elu")
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    steps = 3000
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def location_and_scale(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 2.0 * torch.sin(2.0 * states), 1.0 + 0.5 * states

    for _ in range(steps):
        states = torch.rand(4096, 1) * 2.0 - 1.0
        location, scale = location_and_scale(states)
        returns = location + scale * distribution.sample(states.shape)
        loss = brrl.median_loss(returns, network(states), bounds.level, temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    states = torch.linspace(-0.95, 0.95, 100).unsqueeze(-1)
    location, scale = location_and_scale(states)
    expected = location + scale * quantile(torch.tensor(bounds.level)) + temperature * bounds.offset
    # The spread: between the quartiles
    spread = scale * (quantile(torch.tensor(0.75)) - quantile(torch.tensor(0.25)))
    error = ((network(states) - expected).abs() / spread).detach()
    assert error.mean().item() < 0.03
