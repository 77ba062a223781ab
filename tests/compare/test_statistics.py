# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Statistics over seeds, against numbers that are counted or enumerated."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from compare.logs import BPO, PPO, write_run, write_seeds
from isaaclab_bpo.compare.runs import read_runs
from isaaclab_bpo.compare.statistics import (
    Group,
    group_runs,
    interquartile_mean,
    interquartile_mean_over_tasks,
    probability_of_improvement,
    relative_difference,
)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([2.0], 2.0),
        ([1.0, 2.0, 6.0], 3.0),  # a quarter of three runs is none: the mean
        ([1.0, 2.0, 4.0, 90.0], 3.0),  # (2 + 4)/2
        ([-50.0, 1.0, 2.0, 6.0, 90.0], 3.0),  # (1 + 2 + 6)/3
    ],
)
def test_interquartile_mean_drops_the_outer_quarters(scores: list[float], expected: float) -> None:
    estimate = interquartile_mean(np.array(scores))
    assert estimate.value == pytest.approx(expected)
    assert (estimate.low is None) == (len(scores) < 3)


def test_interval_is_that_of_all_resamples() -> None:
    scores = np.array([1.0, 2.0, 6.0])
    means = [np.mean(resample) for resample in itertools.product(scores, repeat=3)]  # all 27, equally likely
    estimate = interquartile_mean(scores)
    assert (estimate.low, estimate.high) == pytest.approx(
        tuple(np.percentile(means, [2.5, 97.5], method="inverted_cdf"))
    )


def test_interquartile_mean_over_tasks_is_that_of_all_runs() -> None:
    tasks = [np.array([-50.0, 1.0, 2.0]), np.array([3.0, 4.0, 90.0])]
    estimate = interquartile_mean_over_tasks(tasks)
    assert estimate.value == pytest.approx(2.5)  # of 1, 2, 3 and 4
    # Resampled within the tasks: the worst is three times -50 and three times 3
    assert estimate.low == pytest.approx(-23.5, abs=24.0)
    same = interquartile_mean_over_tasks([np.full(3, 7.0)] * 2)
    assert (same.value, same.low, same.high) == (7.0, 7.0, 7.0)


def test_relative_difference_by_hand() -> None:
    estimate = relative_difference(np.full(3, 90.0), np.full(3, 100.0))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((-0.1, -0.1, -0.1))
    assert relative_difference(np.array([-3.0]), np.array([-4.0])).value == pytest.approx(0.25)
    x, y = np.array([90.0, 90.0, 120.0]), np.array([100.0, 100.0, 100.0])
    estimate = relative_difference(x, y)
    assert estimate.value == pytest.approx(0.0)
    assert (estimate.low, estimate.high) == pytest.approx((-0.1, 0.2))


def test_probability_of_improvement_counts_pairs() -> None:
    # x > y in 2 of 2·3 pairs (3 > 1, 3 > 2), 3 = 3 and 1 = 1 are ties: (2 + 2/2)/6
    x, y = np.array([1.0, 3.0]), np.array([1.0, 2.0, 3.0])
    assert probability_of_improvement([(x, y)]).value == pytest.approx(0.5)
    assert probability_of_improvement([(x, y)]).low is None
    # two tasks, one won by all seeds and one lost by all
    three = np.arange(3.0)
    estimate = probability_of_improvement([(three + 10.0, three), (three, three + 10.0)])
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.5, 0.5, 0.5))
    # n tasks alike are resampled independently: the interval shrinks with √n
    alike = (np.array([1.0, 3.0, 5.0, 7.0]), np.array([0.0, 2.0, 6.0, 8.0]))
    one, four = (probability_of_improvement([alike] * n) for n in (1, 4))
    width, width_of_four = (estimate.high - estimate.low for estimate in (one, four))  # type: ignore[operator]
    assert width_of_four == pytest.approx(width / 2, rel=0.15)


def groups_of(path: Path) -> list[Group]:
    runs, left_out = read_runs([path])
    assert left_out == []
    return group_runs(runs)


def test_runs_are_grouped_by_task_and_algorithm(tmp_path: Path) -> None:
    write_seeds(tmp_path, [1.0, 2.0], algorithm=BPO)
    write_seeds(tmp_path, [1.0], algorithm=PPO)
    write_seeds(tmp_path, [1.0], algorithm=PPO, task="Run")
    found = [(group.task, group.name, [run.seed for run in group.runs]) for group in groups_of(tmp_path)]
    assert found == [("Run", "PPO", [0]), ("Walk", "BPO", [0, 1]), ("Walk", "PPO", [0])]


def test_variants_are_named_by_what_differs(tmp_path: Path) -> None:
    for clip_param in (0.2, 0.3):
        write_seeds(tmp_path, [1.0, 2.0], algorithm=BPO, clip_param=clip_param)
    write_seeds(tmp_path, [1.0], algorithm=PPO)
    assert [group.name for group in groups_of(tmp_path)] == ["BPO clip_param=0.2", "BPO clip_param=0.3", "PPO"]


def test_all_runs_are_compared_up_to_the_shortest(tmp_path: Path) -> None:
    write_run(tmp_path / "1", [1.0] * 10 + [50.0] * 10, algorithm=BPO)
    write_run(tmp_path / "2", [2.0] * 10, algorithm=PPO)
    bpo, ppo = groups_of(tmp_path)
    assert (bpo.steps, ppo.steps) == (400.0, 400.0)
    assert (bpo.final.value, bpo.best.value) == (1.0, 1.0)
    assert np.isinf(bpo.until(50.0)).all()


def test_final_is_the_last_tenth_and_best_the_maximum(tmp_path: Path) -> None:
    write_run(tmp_path / "1", [0.0, 9.0] + [1.0] * 16 + [2.0, 4.0])
    (group,) = groups_of(tmp_path)
    assert group.final.value == pytest.approx(3.0)  # the last 2 of 20 iterations
    assert group.best.value == pytest.approx(9.0)


def test_curve_is_interpolated_and_banded(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / str(seed), [0.0, 10.0 * (seed + 1)], seed=seed)
    (group,) = groups_of(tmp_path)
    grid, (middle, low, high), curves = group.curve("steps")
    assert (grid[0], grid[-1]) == (40.0, 80.0)
    np.testing.assert_allclose(middle, 20.0 * (grid - 40.0) / 40.0, atol=1e-9)  # from 0 to the mean of 10, 20 and 30
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert curves.shape == (3, 100)
