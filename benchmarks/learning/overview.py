# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""All comparisons of BPO with PPO in one figure and one table."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from isaaclab_bpo.compare.report import format_interval
from isaaclab_bpo.compare.runs import read_runs
from isaaclab_bpo.compare.statistics import (
    Estimate,
    Group,
    group_runs,
    interquartile_mean_over_tasks,
    probability_of_improvement,
)


@dataclass
class Comparison:
    """BPO against PPO in an experiment."""

    title: str
    experiment: str
    ppo: str = "PPO"
    """The variant that BPO is compared with."""


COMPARISONS = (
    Comparison("MuJoCo, PPO at its own rate", "gymnasium"),
    Comparison("MuJoCo, PPO at BPO's rate", "gymnasium", "PPO at 1e-3"),
    Comparison("MuJoCo, adaptive rate, KL of 0.02", "large_batches"),
    Comparison("MuJoCo, adaptive rate, BPO at ε²/8", "large_batches_rate"),
    Comparison("robots of Isaac Lab", "isaaclab_cpu"),
    Comparison("Go1's flat terrain", "controls"),
    Comparison("the same, PPO with BPO's settings", "controls", "PPO, BPO's settings"),
    Comparison("Atari, 130 000 steps", "atari_trials"),
)


@dataclass
class Outcome:
    """What came out of a comparison."""

    tasks: dict[str, Estimate]
    """P(BPO better) on each task."""
    better: Estimate
    """Its mean over the tasks."""
    bpo: Estimate
    """The interquartile mean of BPO's normalized final returns over all tasks."""
    ppo: Estimate
    """The same of PPO."""
    num_runs: int


def overview(results: Path, figure: Path) -> str:
    """Return the table of all comparisons, and draw their figure.

    A return is normalized on each task: 0 is the mean of the first logged returns, 1 the larger interquartile mean of
    the final returns of the two.

    Args:
        results: Folder of the stored runs.
        figure: File of the figure.
    """
    outcomes = {c.title: _compare(c, results / f"{c.experiment}.json") for c in COMPARISONS}
    _plot(outcomes, figure)
    lines = ["| | tasks | runs of each | P(BPO better) | BPO, normalized | PPO, normalized |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for title, outcome in outcomes.items():
        numbers = " | ".join(format_interval(e, digits=2) for e in (outcome.better, outcome.bpo, outcome.ppo))
        lines.append(f"| {title} | {len(outcome.tasks)} | {outcome.num_runs} | {numbers} |")
    return "\n".join([f"![BPO against PPO on all tasks](figures/{figure.name})", "", *lines])


def _compare(comparison: Comparison, file: Path) -> Outcome:
    runs = [run for run in read_runs([file])[0] if run.algorithm in ("BPO", comparison.ppo)]
    runs.sort(key=lambda run: (run.task, run.algorithm, run.seed))
    pairs = {task: tuple(groups) for task, groups in groupby(group_runs(runs), key=lambda group: group.task)}  # by name
    finals = {task: (bpo.final_returns, ppo.final_returns) for task, (bpo, ppo) in pairs.items()}
    normalized = [_normalize(*pair) for pair in pairs.values()]
    return Outcome(
        tasks={task: probability_of_improvement([pair]) for task, pair in finals.items()},
        better=probability_of_improvement(list(finals.values())),
        bpo=interquartile_mean_over_tasks([bpo for bpo, _ in normalized]),
        ppo=interquartile_mean_over_tasks([ppo for _, ppo in normalized]),
        num_runs=sum(len(bpo) for bpo, _ in finals.values()),
    )


def _normalize(bpo: Group, ppo: Group) -> tuple[np.ndarray, np.ndarray]:
    start = np.mean([run.returns[0] for run in (*bpo.runs, *ppo.runs)])
    span = max(bpo.final.value, ppo.final.value) - start
    return (bpo.final_returns - start) / span, (ppo.final_returns - start) / span


def _plot(outcomes: dict[str, Outcome], path: Path) -> None:
    """Plot P(BPO better) of each task, and of each comparison in bold."""
    rows: list[tuple[str, Estimate, bool]] = []
    for title, outcome in outcomes.items():
        rows.append((title, outcome.better, True))
        if len(outcome.tasks) > 1:
            rows += [(_short(task), estimate, False) for task, estimate in outcome.tasks.items()]
    figure, ax = plt.subplots(figsize=(8.0, 0.6 + 0.22 * len(rows)), layout="constrained")
    for row, (_, estimate, is_mean) in enumerate(reversed(rows)):
        color, size = ("C0", 7.0) if is_mean else ("0.5", 4.0)
        if estimate.low is not None and estimate.high is not None:
            ax.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=size / 2.5)
        ax.plot(estimate.value, row, "o", color=color, markersize=size)
    ax.axvline(0.5, color="0.7", linewidth=1.0)
    ax.set_yticks(range(len(rows)), [label for label, _, _ in reversed(rows)])
    for label, (_, _, is_mean) in zip(ax.get_yticklabels(), reversed(rows), strict=True):
        label.set(fontweight="bold" if is_mean else "normal", fontsize=9 if is_mean else 8)
    ax.set(xlim=(-0.03, 1.03), xlabel="probability that a run of BPO ends above one of PPO; 95 % intervals")
    ax.text(0.0, 1.01, "PPO ahead", transform=ax.transAxes, fontsize=9, color="0.4")
    ax.text(1.0, 1.01, "BPO ahead", transform=ax.transAxes, fontsize=9, color="0.4", ha="right")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _short(task: str) -> str:
    """Return what of a task's id tells it from the others."""
    return task.removeprefix("Gym-").removeprefix("IsaacContrib-").removeprefix("Isaac-")
