# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes a comparison: Markdown, CSV, a plot of the learning curves, and the curves themselves."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from .runs import Run, write_runs
from .statistics import FEWEST_RUNS, Estimate, Group, group_runs, probability_of_improvement

CAPTION = f"""\
*Return* is what rsl_rl logs as `Train/mean_reward`: the mean over the last 100 episodes. A run's *final* return is
its mean over the last 10 % of the steps, its *best* the maximum of its curve, averaged over 1/200 of the run; both
count up to the *steps* given (of all environments together), which the shortest run of the task has made. The table
shows the interquartile mean over runs (with fewer than four it is the mean) and, in brackets, its 95 %
percentile-bootstrap interval; with fewer than {FEWEST_RUNS} runs no interval is claimed. A run has *reached* the
threshold when its return is first that high or higher; *after* is the median over runs, in steps and in time of
collection and learning, without start-up. The threshold is the lowest interquartile mean of the final returns of the
task's algorithms, unless another one was asked for. The *probability of improvement* of X over Y is P(X > Y) + P(X =
Y)/2 over pairs of runs, of their final returns. Definitions: [Agarwal et al.,
2021](https://arxiv.org/abs/2108.13264)."""


def format_steps(steps: float) -> str:
    """Return a number of steps as text."""
    return EngFormatter(places=0 if steps < 1000 else 2, sep="").format_eng(steps)


def write_report(runs: list[Run], left_out: list[str], thresholds: Mapping[str, float], folder: Path) -> list[Path]:
    """Write the comparison of ``runs``.

    Args:
        runs: Comparable runs, sorted by task and algorithm.
        left_out: What was left out, a sentence each.
        thresholds: The return whose first time is reported, by task; see :data:`CAPTION` for the default.
        folder: Where to, made if it does not exist.

    Returns:
        The files.
    """
    groups = group_runs(runs)
    tasks = {task: list(members) for task, members in groupby(groups, key=lambda group: group.task)}
    weakest = {task: min(group.final.value for group in members) for task, members in tasks.items()}
    thresholds = weakest | dict(thresholds)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in ("compare.md", "compare.csv", "runs.csv", "curves.png", "runs.json")]
    report, table_csv, runs_csv, plot, gathered = files
    table = [_row(group, thresholds[group.task]) for group in groups]
    _write_csv(table_csv, table)
    _write_csv(runs_csv, [row for group in groups for row in _rows_of_runs(group, thresholds[group.task])])
    plot_curves(tasks, plot)
    write_runs(runs, gathered)
    report.write_text(_markdown(groups, table, _improvements(tasks), left_out), encoding="utf-8")
    return files


def _row(group: Group, threshold: float) -> dict[str, Any]:
    steps, seconds = np.median(group.until(threshold), axis=1)
    return {
        "task": group.task,
        "algorithm": group.name,
        "runs": len(group.runs),
        "seeds": " ".join(str(run.seed) for run in group.runs),
        "steps": group.steps,
        "final": group.final.value,
        "final_low": group.final.low,
        "final_high": group.final.high,
        "best": group.best.value,
        "best_low": group.best.low,
        "best_high": group.best.high,
        "threshold": threshold,
        "reached": int(np.isfinite(group.until(threshold)[0]).sum()),
        "steps_to_threshold": steps,
        "seconds_to_threshold": seconds,
    }


def _rows_of_runs(group: Group, threshold: float) -> Iterator[dict[str, Any]]:
    for index, (run, (steps, seconds)) in enumerate(zip(group.runs, group.until(threshold).T, strict=True)):
        yield {
            "task": group.task,
            "algorithm": group.name,
            "seed": run.seed,
            "steps": run.steps[-1],
            "seconds": run.seconds[-1],
            "final": group.final_returns[index],
            "best": group.best_returns[index],
            "threshold": threshold,
            "steps_to_threshold": steps,
            "seconds_to_threshold": seconds,
            "folders": " ".join(run.folders),
        }


def _improvements(tasks: Mapping[str, list[Group]]) -> list[tuple[str, ...]]:
    """Return task, "X over Y" and the probability of it, for each task and over all tasks that have both."""
    pairs = {
        (task, f"{x.name} over {y.name}"): (x.final_returns, y.final_returns)
        for task, groups in tasks.items()
        for x, y in combinations(groups, 2)
    }
    cases = [(*case, [pair]) for case, pair in pairs.items()]
    for names in dict.fromkeys(names for _, names in pairs):
        shared = [pairs[task, names] for task in tasks if (task, names) in pairs]
        if len(shared) > 1:
            cases.append((f"{len(shared)} tasks", names, shared))
    return [(task, names, format_interval(probability_of_improvement(pairs))) for task, names, pairs in cases]


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _markdown(
    groups: list[Group],
    table: list[dict[str, Any]],
    improvements: list[tuple[str, ...]],
    left_out: list[str],
) -> str:
    header = ("task", "algorithm", "runs", "steps", "final return", "best return", "threshold", "reached by", "after")
    body = [
        (
            group.task,
            group.name,
            f"{row['runs']} (seed{'s' * (row['runs'] > 1)} {row['seeds']})",
            format_steps(group.steps),
            format_interval(group.final),
            format_interval(group.best),
            f"{row['threshold']:.4g}",
            f"{row['reached']} of {row['runs']}",
            _moment(row["steps_to_threshold"], row["seconds_to_threshold"]),
        )
        for group, row in zip(groups, table, strict=True)
    ]
    parts = ["# Comparison", "![Learning curves](curves.png)", _table(header, body), CAPTION]
    if improvements:
        parts += ["## Probability of improvement", _table(("task", "X over Y", "P(X > Y)"), improvements)]
    notes = [
        f"{group.task}, {group.name}: no interval is claimed from {len(group.runs)} run{'s' * (len(group.runs) > 1)}."
        for group in groups
        if len(group.runs) < FEWEST_RUNS
    ]
    notes += [
        f"{group.task}, {group.name}: seed {run.seed} went on to {format_steps(run.steps[-1])} steps, of which "
        f"{format_steps(group.steps)} are compared."
        for group in groups
        for run in group.runs
        if run.steps[-1] > group.steps
    ]
    notes += [f"Left out: {sentence}." for sentence in left_out]
    if notes:
        parts += ["## Notes", "\n".join(f"* {note}" for note in notes)]
    return "\n\n".join(parts) + "\n"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def format_interval(estimate: Estimate, digits: int = 4) -> str:
    """Return an estimate as text of ``digits`` significant digits, with its interval if it has one."""
    if estimate.low is None:
        return f"{estimate.value:.{digits}g}"
    return f"{estimate.value:.{digits}g} [{estimate.low:.{digits}g}, {estimate.high:.{digits}g}]"


def _moment(steps: float, seconds: float) -> str:
    """Return steps and time in words."""
    if math.isinf(steps):
        return "not by more than half of the runs"
    unit, size = ("h", 3600) if seconds >= 3600 else ("min", 60) if seconds >= 60 else ("s", 1)
    return f"{format_steps(steps)} steps, {seconds / size:.3g} {unit}"


def plot_curves(tasks: Mapping[str, list[Group]], path: Path) -> None:
    """Plot the learning curves, a row for each task: against steps on the left, against time on the right."""
    figure, axes = plt.subplots(len(tasks), 2, figsize=(11.0, 3.4 * len(tasks)), layout="constrained", squeeze=False)
    names = dict.fromkeys(group.name for groups in tasks.values() for group in groups)
    colors = {name: f"C{i}" for i, name in enumerate(names)}
    for (left, right), (task, groups) in zip(axes, tasks.items(), strict=True):
        for group in groups:
            _draw(left, group, "steps", 1.0, colors[group.name])
            _draw(right, group, "seconds", 60.0, colors[group.name])
        left.xaxis.set_major_formatter(EngFormatter(sep=""))
        left.set(title=task, xlabel="steps", ylabel="return")
        left.legend(frameon=False)
        right.set(title=task, xlabel="time [min]")
    figure.supxlabel(
        f"interquartile mean over runs and its 95 % interval (from {FEWEST_RUNS} runs on; with fewer, their mean)",
        fontsize=9,
    )
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw(axes: Axes, group: Group, axis: Literal["steps", "seconds"], unit: float, color: str) -> None:
    """Draw the curve of a group, with its band, or with the curves of its runs if they are too few for one."""
    grid, (middle, low, high), curves = group.curve(axis)
    axes.plot(grid / unit, middle, color=color, label=f"{group.name}, {len(curves)} run{'s' * (len(curves) > 1)}")
    if len(curves) >= FEWEST_RUNS:
        axes.fill_between(grid / unit, low, high, color=color, alpha=0.2, linewidth=0.0)
    elif len(curves) > 1:
        axes.plot(grid / unit, curves.T, color=color, alpha=0.4, linewidth=0.7)
