# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Statistics over seeds, computed by SciPy.

The definitions are those of the library rliable, from Agarwal et al., "Deep Reinforcement Learning at the Edge of the
Statistical Precipice" (2021), arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
from scipy import stats

from .runs import Run

FEWEST_RUNS = 3
"""Fewest runs for which a confidence interval is given."""

SHORTEST = 0.1
"""Steps of the shortest run that is compared, as a part of the steps of its task's median run."""

RESAMPLES = 10_000
"""Bootstrap samples of a confidence interval."""


@dataclass
class Estimate:
    """A statistic of several runs, with its 95 % confidence interval unless the runs are too few for one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass
class Group:
    """The runs of one algorithm on one task, over seeds, and what they achieved."""

    task: str
    name: str
    """The algorithm, and the hyperparameters that tell it from its variants on the same task."""
    runs: list[Run]
    steps: float
    """Environment steps up to which all runs of the task, of whatever algorithm, are looked at."""

    def __post_init__(self) -> None:
        finals, bests = [], []
        for run in self.runs:
            steps = np.array(run.steps)
            returns = np.array(run.returns)[steps <= self.steps]
            tail = returns[steps[: len(returns)] > 0.9 * self.steps]
            finals.append(np.mean(tail if len(tail) else returns[-1]))
            bests.append(np.max(returns))
        self.final_returns, self.best_returns = np.array(finals), np.array(bests)
        self.final, self.best = interquartile_mean(self.final_returns), interquartile_mean(self.best_returns)

    def until(self, threshold: float) -> np.ndarray:
        """Return when each run first returns ``threshold`` or more.

        Returns:
            Shape (2, runs): steps and seconds, infinite for a run that never does.
        """
        moments = []
        for run in self.runs:
            points = zip(run.steps, run.seconds, run.returns, strict=True)
            reached = ((step, time) for step, time, value in points if value >= threshold and step <= self.steps)
            moments.append(next(reached, (np.inf, np.inf)))
        return np.array(moments).T

    def curve(self, axis: Literal["steps", "seconds"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the learning curve over seeds against steps or time.

        Returns:
            Positions on the axis, shape (points,); estimates, lower ends and upper ends, shape (3, points); the runs'
            own curves, shape (runs, points). The ends are NaN if there are too few runs for an interval.
        """
        positions = [getattr(run, axis) for run in self.runs]
        end = self.steps if axis == "steps" else min(position[-1] for position in positions)
        grid = np.linspace(max(position[0] for position in positions), end, 100)
        curves = np.array(
            [np.interp(grid, position, run.returns) for position, run in zip(positions, self.runs, strict=True)]
        )
        low, high = _interval([curves], _trimmed_mean) or (np.full(len(grid), np.nan),) * 2
        return grid, np.array([_trimmed_mean(curves), low, high]), curves


def comparable(runs: list[Run]) -> tuple[list[Run], list[str]]:
    """Leave out the runs that ended early, which would let the others of their task be compared up to there only.

    Args:
        runs: Runs, sorted by task.

    Returns:
        The runs that have a return at one number of steps, as many as can be, and are a tenth as long as the median
        run of their task at least; and a sentence for each of the others.
    """
    kept, left_out = [], []
    for task, runs_of_task in groupby(runs, key=lambda run: run.task):
        of_task = list(runs_of_task)
        usual = float(np.median([run.steps[-1] for run in of_task]))
        enough = [run for run in of_task if run.steps[-1] >= SHORTEST * usual]
        spans = [(run.steps[0], run.steps[-1]) for run in enough]
        common = max((first for first, _ in spans), key=lambda at: (sum(a <= at <= b for a, b in spans), at))
        for run in of_task:
            if run in enough and run.steps[0] <= common <= run.steps[-1]:
                kept.append(run)
            else:
                left_out.append(
                    f"{run.folders[-1]}: its returns, from {run.steps[0]:.0f} to {run.steps[-1]:.0f} steps, cannot be "
                    f"compared with those of the other runs of {task}, which are longer or begin later"
                )
    return kept, left_out


def group_runs(runs: list[Run]) -> list[Group]:
    """Put together the runs that differ in nothing but their seed.

    Args:
        runs: Comparable runs, sorted by task and algorithm.

    Returns:
        The groups, by task. Those of one algorithm are named by the settings in which they differ.
    """
    groups = []
    for task, runs_of_task in groupby(runs, key=lambda run: run.task):
        of_task = list(runs_of_task)
        steps = min(run.steps[-1] for run in of_task)
        for algorithm, runs_of_algorithm in groupby(of_task, key=lambda run: run.algorithm):
            of_algorithm = list(runs_of_algorithm)
            differing = _differing(of_algorithm)
            variants: dict[str, list[Run]] = {}
            for run in of_algorithm:
                traits = [f"{key.removeprefix('algorithm.')}={run.settings[key]}" for key in differing]
                variants.setdefault(" ".join([algorithm, *traits]), []).append(run)
            groups += [Group(task, name, members, steps) for name, members in variants.items()]
    return groups


def _differing(runs: list[Run]) -> list[str]:
    """Return the settings in which ``runs`` differ. One that a run lacks is younger than that run, and not judged."""
    shared = set.intersection(*(set(run.settings) for run in runs))
    return [key for key in runs[0].settings if key in shared and len({repr(run.settings[key]) for run in runs}) > 1]


def mean(scores: np.ndarray) -> Estimate:
    """Return the mean of ``scores``, shape (n,), with a 95 % percentile-bootstrap interval."""
    return _estimate([scores], np.mean)


def interquartile_mean(scores: np.ndarray) -> Estimate:
    """Return the mean of the middle half of ``scores``, with a 95 % percentile-bootstrap interval.

    Of fewer than four scores it is the mean.

    Args:
        scores: Scores of independent runs, shape (runs,).
    """
    return _estimate([scores], _trimmed_mean)


def interquartile_mean_over_tasks(scores: list[np.ndarray]) -> Estimate:
    """Return the mean of the middle half of the scores of all tasks together, with an interval.

    The bootstrap resamples the runs within each task.

    Args:
        scores: For each task the scores of its runs on a scale that all tasks share, shape (runs,) each.
    """

    def of_all(*scores: np.ndarray, axis: int = 0) -> Any:
        return _trimmed_mean(np.concatenate(scores, axis=axis), axis=axis)

    return _estimate(scores, of_all)


def relative_difference(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Return by how much the interquartile mean of x is larger than that of y, as a part of the latter's magnitude.

    Args:
        x: Scores of independent runs, shape (runs of x,).
        y: The scores that they are compared with, shape (runs of y,).
    """

    def difference(of_x: np.ndarray, of_y: np.ndarray, axis: int = 0) -> Any:
        base = _trimmed_mean(of_y, axis=axis)
        return (_trimmed_mean(of_x, axis=axis) - base) / np.abs(base)

    return _estimate([x, y], difference)


def probability_of_improvement(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Estimate:
    """Return the probability that a run of X scores more than one of Y: P(X > Y) + P(X = Y)/2, averaged over tasks.

    The bootstrap resamples the runs within each algorithm and task.

    Args:
        pairs: For each task the scores of X and of Y, shapes (runs of X,) and (runs of Y,).
    """

    def mean_over_tasks(*scores: np.ndarray, axis: int = 0) -> Any:
        return np.mean([_probability(x, y, axis) for x, y in zip(scores[::2], scores[1::2], strict=True)], axis=0)

    return _estimate([scores for pair in pairs for scores in pair], mean_over_tasks)


def _trimmed_mean(scores: np.ndarray, axis: int = 0) -> Any:
    return stats.trim_mean(scores, 0.25, axis=axis)


def _probability(x: np.ndarray, y: np.ndarray, axis: int) -> Any:
    """Mann and Whitney's U counts the pairs in which x is greater, and ties as half a pair."""
    pairs = x.shape[axis] * y.shape[axis]
    return stats.mannwhitneyu(x, y, axis=axis, method="asymptotic").statistic / pairs  # type: ignore


def _estimate(samples: list[np.ndarray], statistic: Callable[..., Any]) -> Estimate:
    return Estimate(float(statistic(*samples)), *map(float, _interval(samples, statistic) or ()))


def _interval(samples: list[np.ndarray], statistic: Callable[..., Any]) -> tuple[Any, Any] | None:
    """Return the ends of a 95 % percentile-bootstrap interval, or None if there are too few runs for one.

    The random numbers are seeded, so that the same runs give the same report.

    Args:
        samples: What is resampled along the first axis, each sample by itself.
        statistic: A function of the samples and of their ``axis``.
    """
    if min(map(len, samples)) < FEWEST_RUNS:
        return None
    interval = stats.bootstrap(
        samples, statistic, axis=0, n_resamples=RESAMPLES, batch=1000, method="percentile", vectorized=True, rng=0
    ).confidence_interval
    return interval.low, interval.high
