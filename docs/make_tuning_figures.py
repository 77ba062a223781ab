# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Train short runs of Hopper with one option changed at a time, and draw what they log into docs/figures.

./isaaclab.sh -p docs/make_tuning_figures.py [FOLDER] takes half an hour of a core. Runs that FOLDER (logs/tuning) has
already are drawn and not trained again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
BASE = [
    "--task=Gym-Hopper-v5",
    "--algo=bpo",
    "--seed=1",
    "--max_steps=102400",
    "--num_envs=16",
    "agent.num_steps_per_env=128",
    "agent.actor.class_name=MLPModel",
    "agent.critic.class_name=MLPModel",
    "agent.actor.hidden_dims=[64,64]",
    "agent.critic.hidden_dims=[64,64]",
    "agent.actor.obs_normalization=true",
    "agent.critic.obs_normalization=true",
    "agent.algorithm.num_mini_batches=8",
    "agent.algorithm.num_learning_epochs=10",
    "agent.algorithm.clip_param=0.2",
    "agent.algorithm.gamma=0.99",
    "agent.algorithm.temperature=0.01",
    "agent.algorithm.learning_rate=1e-3",
    "agent.algorithm.schedule=fixed",
    "agent.algorithm.median_loss_coef=1.0",
    "agent.algorithm.value_loss_coef=1.0",
    "agent.algorithm.median_head=separate",
    "agent.algorithm.joint_grad_clipping=false",
    "agent.algorithm.adam_eps=null",
    "agent.algorithm.reshuffle=false",
]
"""The settings of the Gymnasium section of docs/results.md, but BPO's defaults for advantage and targets."""

BASE_NAME = "base"
COLORS = ("#1b6ca8", "#d95f02", "#3a923a")

OPTIONS: dict[str, tuple[dict[str, list[str]], tuple[str, ...]]] = {
    "clip_param": (
        {"ε = 0.1": ["clip_param=0.1"], "ε = 0.2": [], "ε = 0.4": ["clip_param=0.4"]},
        ("mean_reward", "ratio_deviation", "clip_fraction", "kl"),
    ),
    "epochs": (
        {"2 epochs": ["num_learning_epochs=2"], "10 epochs": [], "20 epochs": ["num_learning_epochs=20"]},
        ("mean_reward", "ratio_deviation", "clip_fraction", "value"),
    ),
    "learning_rate": (
        {
            "1e-4, fixed": ["learning_rate=1e-4"],
            "1e-3, fixed": [],
            "adaptive, desired_kl=0.02": ["schedule=adaptive", "desired_kl=0.02"],
        },
        ("mean_reward", "learning_rate", "clip_fraction", "mean_std"),
    ),
    "temperature": (
        {"λ = 0.01": [], "λ = 1": ["temperature=1.0"], "λ = 100": ["temperature=100.0"]},
        ("mean_reward", "ratio_deviation", "clip_fraction", "kl"),
    ),
    "median": (
        {"critic": [], "batch": ["median=batch"], "value": ["median=value"]},
        ("mean_reward", "above_median", "median_deviation", "ratio_deviation"),
    ),
    "entropy_coef": (
        {"0": [], "0.01": ["entropy_coef=0.01"], "0.1": ["entropy_coef=0.1"]},
        ("mean_reward", "mean_std", "entropy", "clip_fraction"),
    ),
}
"""For each figure the variants, as changes to the algorithm, and the last parts of the names of the curves."""


def train(folder: Path, changes: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the curves of a run by the last parts of their names; train it if it is not there."""
    run = folder / ("_".join(changes).replace("=", "_") or BASE_NAME)
    if not list(run.rglob("model_49.pt")):
        run.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(ROOT / "scripts" / "rsl_rl" / "train.py"), *BASE]
        command += [f"agent.algorithm.{change}" for change in changes]
        with (run / "output.txt").open("w", encoding="utf-8") as output:
            subprocess.run(command, cwd=run, stdout=output, stderr=subprocess.STDOUT, check=True)
    (events,) = run.rglob("events.out.tfevents.*")
    log = EventAccumulator(str(events)).Reload()
    scalars = {tag.rpartition("/")[2]: log.Scalars(tag) for tag in log.Tags()["scalars"]}
    return {
        name: (np.array([point.step for point in points]), np.array([point.value for point in points]))
        for name, points in scalars.items()
    }


def draw(option: str, runs: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]], curves: tuple[str, ...]) -> None:
    """Draw the curves of the variants of an option."""
    figure, all_axes = plt.subplots(1, len(curves), figsize=(3.1 * len(curves), 2.9), layout="constrained")
    for axes, curve in zip(all_axes, curves, strict=True):
        for (label, run), color in zip(runs.items(), COLORS, strict=True):
            axes.plot(*run[curve], color=color, label=label)
        axes.set(title=curve, xlabel="iteration")
        if curve == "learning_rate":
            axes.set_yscale("log")
    figure.legend(*all_axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(runs))
    figure.savefig(FIGURES / f"tuning_{option}.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "logs" / "tuning").resolve()
    for option, (variants, curves) in OPTIONS.items():
        draw(option, {label: train(target, changes) for label, changes in variants.items()}, curves)
