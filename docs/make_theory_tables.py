# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Write the measured tables of docs/theory.md: ``./isaaclab.sh -p docs/make_theory_tables.py``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from isaaclab_bpo import brrl
from isaaclab_bpo.brrl.tabular import FiniteMdp, improve, iterate, performance_lower_bound, uniform_error

PAGE = Path(__file__).parent / "theory.md"
SYMMETRIC, ASYMMETRIC = brrl.RatioBounds.symmetric(0.2), brrl.RatioBounds(0.5, 3.0)
LEVELS = np.linspace(0.0, 1.0, 20003)[1:-1]
STUDENT = stats.t(3.0)  # heavy-tailed: the least degrees of freedom with a standard deviation
Q_VALUES = {  # all quantiles, of mean 0 and standard deviation 1
    "normal": torch.from_numpy(stats.norm.ppf(LEVELS)),
    "exponential": torch.from_numpy(stats.expon.ppf(LEVELS) - 1.0),
    "heavy-tailed": torch.from_numpy(STUDENT.ppf(LEVELS) / STUDENT.std()),
}
SPREADS = (0.5, 2.0)  # of the two states of a rollout

Rows = Iterator[tuple[object, ...]]


def normaliser(q_values: torch.Tensor, bounds: brrl.RatioBounds, temperature: float) -> torch.Tensor:
    """Return the μ of the optimum, which is also the minimiser of the median critic's loss with T = λ."""
    return brrl.soft_optimal_policy(q_values, torch.full_like(q_values, 1.0 / len(q_values)), bounds, temperature)[1]


def bias(q_values: torch.Tensor, mu: torch.Tensor, bounds: brrl.RatioBounds, temperature: float) -> float:
    """Return E[ρ*] - 1."""
    return brrl.target_ratio(q_values - mu, bounds, temperature).mean().item() - 1.0


def normalisation() -> Rows:
    """Yield what the estimators of μ leave of E[ρ*] - 1 with asymmetric bounds, by the temperature."""
    yield "Q", "λ / std of Q", "critic, T = λ", "batch, spread ½", "batch, spread 2", "value", "value without b"
    for name, q in Q_VALUES.items():
        states = [spread * q for spread in SPREADS]
        for temperature in (0.01, 0.1, 1.0, 10.0):
            of_rollout = normaliser(torch.cat(states), ASYMMETRIC, temperature)
            mean = q.mean()
            yield (
                name,
                f"{temperature:g}",
                bias(q, normaliser(q, ASYMMETRIC, temperature), ASYMMETRIC, temperature),
                *(bias(state, of_rollout, ASYMMETRIC, temperature) for state in states),
                bias(q, mean, ASYMMETRIC, temperature),
                bias(q, mean + temperature * ASYMMETRIC.offset, ASYMMETRIC, temperature),
            )


def default_critic() -> Rows:
    """Yield what BPO's default leaves of E[ρ*] - 1: ε = 0.2, λ = 0.01, and a median critic of T = 1."""
    yield ("std of Q", *(f"{name} Q" for name in Q_VALUES))
    for std in (0.1, 1.0, 10.0):
        scaled = [std * q for q in Q_VALUES.values()]
        yield f"{std:g}", *(bias(q, normaliser(q, SYMMETRIC, 1.0), SYMMETRIC, 0.01) for q in scaled)


def random_processes(num: int, gamma: float) -> tuple[FiniteMdp, torch.Tensor, torch.Tensor]:
    """Return processes of 6 states and 4 actions, and two policies for each."""
    generator = torch.manual_seed(0)

    def simplex(*shape: int) -> torch.Tensor:
        return (3.0 * torch.randn(*shape, dtype=torch.float64, generator=generator)).softmax(dim=-1)

    rewards = torch.randn(num, 6, 4, dtype=torch.float64, generator=generator)
    mdp = FiniteMdp(simplex(num, 6, 4, 6), rewards, simplex(num, 6), gamma)
    return mdp, simplex(num, 6, 4), simplex(num, 6, 4)


def iteration() -> Rows:
    """Yield by how much the worst of 100 processes misses the optimal return, 200 steps after the uniform policy."""
    temperatures = (None, 0.01, 0.1, 1.0)
    yield ("bounds", *("λ → 0" if each is None else f"λ = {each:g}" for each in temperatures))
    mdp, prior, _ = random_processes(100, 0.9)
    prior = torch.full_like(prior, 1.0 / prior.shape[-1])
    best = iterate(mdp, prior, ASYMMETRIC, steps=200)[1][-1]
    for bounds in (SYMMETRIC, ASYMMETRIC):
        ends = (iterate(mdp, prior, bounds, steps=200, temperature=each)[1][-1] for each in temperatures)
        yield f"({bounds.lower:g}, {bounds.upper:g})", *((best - end).max().item() for end in ends)


def looseness() -> Rows:
    """Yield how loose the closed form of the error δ is, and what share of the gain the two are."""
    yield "γ", "policy", "closed form / δ", "δ / gain", "closed form / gain", "bound above η(π₀)"
    for gamma in (0.5, 0.9, 0.99):
        mdp, prior, other = random_processes(500, gamma)
        optimum = improve(mdp, prior, SYMMETRIC)
        policies = {f"{w:g} π\\* + {1.0 - w:g} π₀": w * optimum + (1.0 - w) * prior for w in (0.5, 0.9)}
        for name, policy in (policies | {"random": other}).items():
            result = performance_lower_bound(mdp, policy, prior, SYMMETRIC)
            closed = uniform_error(mdp, policy, prior, SYMMETRIC)
            looseness = closed / result.error
            low, middle, high = looseness.quantile(looseness.new_tensor([0.05, 0.5, 0.95])).tolist()
            shares = ((error / result.gain).median().item() for error in (result.error, closed))
            promised = (result.bound > mdp.expected_return(prior)).double().mean().item()
            yield f"{gamma:g}", name, f"{middle:.0f} ({low:.0f} to {high:.0f})", *shares, f"{100.0 * promised:.0f} %"


def cell(value: object) -> str:
    """Return a cell of a table: a number with two digits, and 0 for what is rounding."""
    if not isinstance(value, float):
        return str(value)
    return "0" if abs(value) < 5e-8 else f"{value:.2g}"


def render(page: str) -> str:
    """Return a page with each table between its two comments."""
    for function in (normalisation, default_critic, iteration, looseness):
        header, *rows = function()
        lines = [header, ["---"] * len(header), *rows]
        table = "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)
        begin, end = f"<!-- {function.__name__} -->", f"<!-- end of {function.__name__} -->"
        pattern = re.compile(f"{begin}.*?{end}", re.DOTALL)
        assert len(pattern.findall(page)) == 1, f"theory.md needs {begin} and {end} once"
        page = pattern.sub(lambda _, text=f"{begin}\n\n{table}\n\n{end}": text, page)
    return page


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
