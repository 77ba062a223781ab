# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Draw the figures of the documentation into docs/figures: ``./isaaclab.sh -p docs/make_figures.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch

from isaaclab_bpo import brrl
from isaaclab_bpo.brrl.tabular import FiniteMdp, improve, iterate, performance_lower_bound

FIGURES = Path(__file__).parent / "figures"
EPSILON = 0.2
PPO, BPO, GRAY = "#d95f02", "#1b6ca8", "#888888"


def draw_losses() -> None:
    """Draw, per sample, the losses of PPO and BPO against the probability ratio, and the optimum that BPO fits."""
    bounds = brrl.RatioBounds.symmetric(EPSILON)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.0, 3.6), layout="constrained")

    advantages = torch.linspace(-1.0, 1.0, 1001)
    left.plot(advantages, brrl.target_ratio(advantages, bounds), color=GRAY, label="hard")
    for temperature, style in ((0.05, "-"), (0.25, "--")):
        target = brrl.target_ratio(advantages, bounds, temperature)
        left.plot(advantages, target, style, color=BPO, label=f"soft, λ = {temperature}")
    left.set(title="Optimal ratio ρ*", xlabel="median advantage Ã = Q - μ", ylabel="ρ*")
    left.legend(frameon=False, loc="upper left")

    ratio = torch.linspace(0.5, 1.5, 1001)
    for axes, advantage, sign in ((middle, 1.0, ">"), (right, -1.0, "<")):
        # PPO's loss, up to a constant that puts its minimum at 0 like BPO's
        clipped = ratio.clamp(bounds.lower, bounds.upper)
        ppo = torch.maximum(-advantage * ratio, -advantage * clipped)
        target = brrl.target_ratio(torch.full_like(ratio, advantage), bounds)
        bpo = [brrl.advantage_weighted_tv(r, t, r.new_tensor(1.0)) for r, t in zip(ratio, target, strict=True)]
        axes.plot(ratio, ppo - ppo.min(), color=PPO, linewidth=2.5, label="PPO, clipped")
        axes.plot(ratio, bpo, "--", color=BPO, linewidth=2.0, label="BPO, |A| |ρ - ρ*|")
        axes.axvline(1.0, color=GRAY, linewidth=0.8, linestyle=":")
        axes.set(title=f"Loss of a sample with A, Ã {sign} 0", xlabel="ratio ρ = π/π₀", ylabel="loss")
        axes.set_xticks([0.5, bounds.lower, 1.0, bounds.upper, 1.5], ["0.5", "1-ε", "1", "1+ε", "1.5"])
        axes.legend(frameon=False, loc="upper center")
    figure.savefig(FIGURES / "losses.png", dpi=130)


def draw_soft_optimum() -> None:
    """Draw the ratios of the exact optimum over many actions, from hard to soft, for symmetric and other bounds."""
    generator = torch.manual_seed(0)
    q_values = torch.randn(400, dtype=torch.float64, generator=generator).sort().values
    prior = torch.full_like(q_values, 1.0 / len(q_values))
    for name, bounds in (
        ("optimum", brrl.RatioBounds.symmetric(EPSILON)),
        ("optimum_asymmetric", brrl.RatioBounds(0.5, 3.0)),
    ):
        figure, axes = plt.subplots(figsize=(6.0, 3.6), layout="constrained")
        hard = brrl.optimal_policy(q_values, prior, bounds) / prior
        axes.plot(q_values, hard, color=GRAY, linewidth=3.0, label="hard")
        for temperature, style in ((0.05, "-"), (0.3, "--"), (1.5, ":")):
            policy, mu = brrl.soft_optimal_policy(q_values, prior, bounds, temperature)
            axes.plot(q_values, policy / prior, style, color=BPO, label=f"λ = {temperature}")
            axes.plot(mu, 1.0, "o", color=PPO, label="its μ, where ρ* = 1" if temperature == 1.5 else None)
        level = "the median" if bounds.level == 0.5 else f"the {100.0 * bounds.level:.0f} % quantile"
        quantile = brrl.quantile(q_values, prior, bounds.level).item()
        axes.axvline(quantile, color=PPO, linewidth=0.8, linestyle="--", label=level)
        axes.set(title=f"Bounds ({bounds.lower:g}, {bounds.upper:g})", xlabel="Q", ylabel="ρ*")
        axes.legend(frameon=False, loc="upper left")
        figure.savefig(FIGURES / f"{name}.png", dpi=130)


def draw_median_loss() -> None:
    """Draw the loss of the median critic against its error, and its minimiser against the temperature T."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
    error, zero = torch.linspace(-3.0, 3.0, 601), torch.zeros(601)
    q_values = -torch.log1p(-torch.linspace(0.0, 1.0, 20003, dtype=torch.float64)[1:-1])
    prior = torch.full_like(q_values, 1.0 / len(q_values))
    temperatures = torch.logspace(-2.0, 2.0, 40, dtype=torch.float64).tolist()
    for bounds, color, name in (
        (brrl.RatioBounds.symmetric(EPSILON), BPO, "τ = ½"),
        (brrl.RatioBounds(0.5, 3.0), PPO, "τ = 0.8, bounds (0.5, 3)"),
    ):
        for temperature, style in ((0.05, "--"), (1.0, "-")):
            loss = brrl.median_loss(error, zero, bounds.level, temperature, reduction="none")
            left.plot(error, loss - loss.amin(), style, color=color, label=f"{name}, T = {temperature:g}")
        minimisers = [brrl.soft_optimal_policy(q_values, prior, bounds, each)[1] for each in temperatures]
        right.plot(temperatures, minimisers, color=color, label=name)
        right.axhline(brrl.quantile(q_values, prior, bounds.level).item(), color=color, linewidth=0.8, linestyle=":")
    right.axhline(q_values.mean().item(), color=GRAY, linewidth=0.8, linestyle="--", label="mean of Q")
    left.set(title="Loss of a sample, less its minimum", xlabel="Q - μ")
    right.set(title="Its minimiser, exponential Q (dotted: quantiles)", xlabel="T", ylabel="μ", xscale="log")
    for axes in (left, right):
        axes.legend(frameon=False)
    figure.savefig(FIGURES / "median_loss.png", dpi=130)


def draw_gradients() -> None:
    """Draw the gradients of the losses of PPO, of the page's form of it, and of BPO with respect to the ratio."""
    bounds = brrl.RatioBounds.symmetric(EPSILON)
    figure, all_axes = plt.subplots(1, 2, figsize=(10.0, 3.8), layout="constrained", sharey=True)
    for axes, advantage, sign in zip(all_axes, (1.0, -1.0), "><", strict=True):
        ratio = torch.linspace(0.5, 1.5, 1000, requires_grad=True)
        advantages = torch.full_like(ratio, advantage).detach()
        losses = {
            "PPO = max(0, A (ρ_A - ρ))": (brrl.ppo_ratio_fit_loss(ratio, advantages, bounds), "-", PPO, 4.0),
            "page's l', 0 outside the bounds": (
                brrl.ppo_ratio_fit_loss_inside_bounds(ratio, advantages, bounds),
                ":",
                "black",
                1.5,
            ),
            "BPO where A and Ã agree": (brrl.bpo_loss(ratio, advantages, advantages, bounds), "--", BPO, 2.0),
            "BPO where they do not": (brrl.bpo_loss(ratio, -advantages, advantages, bounds), "-.", GRAY, 1.5),
        }
        for label, (loss, style, color, width) in losses.items():
            (gradient,) = torch.autograd.grad(loss, ratio)
            axes.plot(ratio.detach(), gradient * len(ratio), style, color=color, linewidth=width, label=label)
        axes.set(title=f"A {sign} 0", xlabel="ratio ρ = π/π₀", ylabel="gradient / |A|")
        axes.set_xticks([0.5, bounds.lower, 1.0, bounds.upper, 1.5], ["0.5", "1-ε", "1", "1+ε", "1.5"])
    figure.legend(*all_axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=4)
    figure.savefig(FIGURES / "gradients.png", dpi=130)


def draw_normalisers() -> None:
    """Draw how far the target ratio is from averaging 1, by temperature, for the three estimators of μ."""
    bounds = brrl.RatioBounds(0.5, 3.0)
    levels = torch.linspace(0.0, 1.0, 20003, dtype=torch.float64)[1:-1]
    all_q_values = {
        "normal Q": torch.special.ndtri(levels),
        "exponential Q": -torch.log1p(-levels) - 1.0,
    }
    temperatures = torch.logspace(-2.0, 1.0, 40, dtype=torch.float64).tolist()
    figure, all_axes = plt.subplots(1, 2, figsize=(10.0, 3.8), layout="constrained", sharey=True)
    for axes, (title, q) in zip(all_axes, all_q_values.items(), strict=True):
        prior = torch.full_like(q, 1.0 / len(q))
        quantile = brrl.quantile(q, prior, bounds.level)
        errors = {"critic, batch: normaliser": [], "value: mean": [], "quantile": [], "quantile, without b": []}
        for temperature in temperatures:
            _, normaliser = brrl.soft_optimal_policy(q, prior, bounds, temperature)
            normalisers = (normaliser, q.mean(), quantile, quantile + temperature * bounds.offset)
            for error, mu in zip(errors.values(), normalisers, strict=True):
                error.append(brrl.target_ratio(q - mu, bounds, temperature).mean() - 1.0)
        for (label, error), style in zip(errors.items(), ("-", "--", "-.", ":"), strict=True):
            axes.plot(temperatures, error, style, color=PPO if "without" in label else BPO, label=label)
        axes.axhline(0.0, color=GRAY, linewidth=0.8)
        axes.set(title=f"{title}, bounds (0.5, 3)", xlabel="λ / standard deviation of Q", xscale="log")
        axes.set_ylabel("E[ρ*] - 1")
    figure.legend(*all_axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=4)
    figure.savefig(FIGURES / "normalisers.png", dpi=130)


def draw_improvement() -> None:
    """Draw the monotone improvement of bounded-ratio policy iteration on random Markov decision processes."""
    generator = torch.manual_seed(0)
    transitions = (3.0 * torch.randn(100, 8, 4, 8, dtype=torch.float64, generator=generator)).softmax(dim=-1)
    rewards = torch.randn(100, 8, 4, dtype=torch.float64, generator=generator)
    mdp = FiniteMdp(transitions, rewards, torch.full((100, 8), 1.0 / 8.0, dtype=torch.float64), gamma=0.95)
    uniform = torch.full((100, 8, 4), 0.25, dtype=torch.float64)
    _, best = iterate(mdp, uniform, brrl.RatioBounds.symmetric(0.3), steps=1000)
    figure, axes = plt.subplots(figsize=(6.0, 3.8), layout="constrained")
    for bounds, color, label in (
        (brrl.RatioBounds.symmetric(0.1), GRAY, "ε = 0.1"),
        (brrl.RatioBounds.symmetric(0.3), BPO, "ε = 0.3"),
        (brrl.RatioBounds(0.0, 5.0), PPO, "bounds (0, 5), the cross-entropy method's"),
    ):
        _, returns = iterate(mdp, uniform, bounds, steps=60)
        share = (returns - returns[0]) / (best[-1] - returns[0])
        axes.plot(share.quantile(0.5, dim=1), color=color, label=label)
        axes.fill_between(range(61), share.amin(dim=1), share.amax(dim=1), color=color, alpha=0.15, linewidth=0.0)
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    axes.set(
        title="Policy iteration on 100 random MDPs (median, range)",
        xlabel="step",
        ylabel="gain in return, optimal policy = 1",
    )
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(FIGURES / "improvement.png", dpi=130)


def draw_lower_bound() -> None:
    """Draw the lower bound on the return, its parts and the return itself on the line from π₀ over π* beyond it."""
    generator = torch.manual_seed(0)
    transitions = (3.0 * torch.randn(8, 4, 8, dtype=torch.float64, generator=generator)).softmax(dim=-1)
    rewards = torch.randn(8, 4, dtype=torch.float64, generator=generator)
    mdp = FiniteMdp(transitions, rewards, torch.full((8,), 1.0 / 8.0, dtype=torch.float64), gamma=0.9)
    prior = torch.full((8, 4), 0.25, dtype=torch.float64)
    bounds = brrl.RatioBounds.symmetric(EPSILON)
    optimum = improve(mdp, prior, bounds)
    steps = torch.linspace(0.0, 2.0, 201)
    policies = [prior + step * (optimum - prior) for step in steps]
    results = [performance_lower_bound(mdp, policy, prior, bounds) for policy in policies]
    gain, loss, error, bound = (torch.stack(part) for part in zip(*results, strict=True))
    before = mdp.expected_return(prior)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
    left.plot(steps, torch.stack([mdp.expected_return(policy) for policy in policies]), color=BPO, label="return η(π)")
    left.plot(steps, bound, color=PPO, label="bound η(π₀) + gain - L - δ")
    left.plot(steps, bound + error, "--", color=GRAY, label="without δ")
    left.axhline(before, color="black", linewidth=0.8, linestyle=":", label="η(π₀)")
    left.set(title="The bound touches the return at π*", ylabel="expected return")
    for part, style, color, label in (
        (gain, "-", BPO, "gain"),
        (loss, "--", PPO, "L, BPO's loss"),
        (error, ":", GRAY, "δ"),
    ):
        right.plot(steps, part, style, color=color, linewidth=2.0, label=label)
    right.set(title="Its parts", ylabel="in units of return")
    for axes in (left, right):
        axes.set(xlabel="policy π₀ + w (π* - π₀)")
        axes.set_xticks([0.0, 0.5, 1.0, 1.5, 2.0], ["π₀", "0.5", "π*", "1.5", "2"])
        axes.legend(frameon=False)
    figure.savefig(FIGURES / "lower_bound.png", dpi=130)


def draw_cross_entropy_method() -> None:
    """Draw the cross-entropy method as bounded-ratio optimisation: the weights of samples, and its iteration."""
    generator = torch.manual_seed(3)
    mean, std = torch.tensor(-2.0), torch.tensor(1.5)
    grid = torch.linspace(-6.0, 6.0, 400)

    def score(x: torch.Tensor) -> torch.Tensor:
        return -((x - 2.5) ** 2) / 8.0 + torch.cos(2.0 * x)

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
    right.plot(grid, score(grid), color=GRAY, label="score")
    for iteration in range(6):
        samples = mean + std * torch.randn(200, generator=generator)
        weights = brrl.elite_weights(score(samples), elite_fraction=0.2)
        if iteration == 0:
            left.scatter(score(samples), 200.0 * weights, s=8.0, color=BPO)
            left.axvline(brrl.quantile(score(samples), torch.full((200,), 1.0 / 200.0), 0.8), color=PPO, linestyle="--")
            left.set(title="ρ* with bounds (0, 1/0.2)", xlabel="score of a sample, Q", ylabel="ratio ρ*")
        bell = torch.exp(-0.5 * ((grid - mean) / std) ** 2)
        right.plot(grid, 3.0 * bell - 12.0, color=BPO, alpha=0.2 + 0.16 * iteration)
        mean = (weights * samples).sum()
        std = (weights * (samples - mean) ** 2).sum().sqrt().clamp_min(0.1)
    right.set(title="Score, and sampling distributions", xlabel="x", yticks=[])
    right.legend(frameon=False)
    figure.savefig(FIGURES / "cross_entropy_method.png", dpi=130)


def draw_group_losses() -> None:
    """Draw the losses of GRPO and GBPO for a group of which 5 of 8 are right: a right and a wrong completion."""
    bounds, ratio = brrl.RatioBounds.symmetric(0.3), torch.linspace(0.5, 1.5, 1001)
    rewards = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    advantages = brrl.group_advantages(rewards)
    sign = brrl.group_sign_target(brrl.group_median_advantages(rewards), bounds, 1e-4)
    exact = brrl.group_target_ratio(rewards, bounds)
    figure, all_axes = plt.subplots(1, 2, figsize=(9.0, 3.6), sharey=True, layout="constrained")
    for axes, row, title in zip(all_axes, (0, -1), ("right (5 of 8)", "wrong (3 of 8)"), strict=True):
        weight = advantages[row]
        grpo = torch.maximum(-weight * ratio, -weight * ratio.clamp(bounds.lower, bounds.upper))
        axes.plot(ratio, grpo - grpo.min(), color=PPO, linewidth=2.5, label="GRPO, clipped")
        for target, style, name in ((sign, "--", "sign"), (exact, ":", "exact")):
            axes.plot(
                ratio,
                weight.abs() * (ratio - target[row]).abs(),
                style,
                color=BPO,
                label=f"GBPO, {name}: ρ* = {target[row]:.2f}",
            )
        axes.set(title=f"A token of a completion that is {title}", xlabel="ratio ρ = π/π₀")
        axes.legend(frameon=False)
    all_axes[0].set_ylabel("loss")
    figure.savefig(FIGURES / "group_losses.png", dpi=130)


if __name__ == "__main__":
    mpl.use("agg")
    mpl.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "savefig.facecolor": "white"}
    FIGURES.mkdir(exist_ok=True)
    for draw in (
        draw_losses,
        draw_soft_optimum,
        draw_gradients,
        draw_median_loss,
        draw_normalisers,
        draw_improvement,
        draw_lower_bound,
        draw_cross_entropy_method,
        draw_group_losses,
    ):
        draw()
