# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Draw the figures of the documentation into docs/figures: ``./isaaclab.sh -p docs/make_figures.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch

from isaaclab_bpo import brrl

FIGURES = Path(__file__).parent / "figures"
EPSILON = 0.2
PPO, BPO, GRAY = "#d95f02", "#1b6ca8", "#888888"


def draw_losses() -> None:
    """Draw, per sample, the losses of PPO and BPO against the probability ratio, and the optimum that BPO fits."""
    bounds = brrl.RatioBounds.symmetric(EPSILON)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.0, 3.6), layout="constrained")

    advantages = torch.linspace(-1.0, 1.0, 1001)
    left.plot(advantages, brrl.target_ratio(advantages, bounds), color=GRAY, label="hard: 1 + ε sign(Ã)")
    for temperature, style in ((0.05, "-"), (0.25, "--")):
        target = brrl.target_ratio(advantages, bounds, temperature)
        left.plot(advantages, target, style, color=BPO, label=f"soft, λ = {temperature}")
    left.set(title="Optimal ratio ρ*", xlabel="median advantage Ã = Q - μ", ylabel="ρ*")
    left.legend(frameon=False, loc="lower right")

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


if __name__ == "__main__":
    mpl.use("agg")
    mpl.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "savefig.facecolor": "white"}
    FIGURES.mkdir(exist_ok=True)
    draw_losses()
