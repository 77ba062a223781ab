# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tables and the curves of what ``run.py`` has done so far.

./isaaclab.sh -p benchmarks/gbpo/report.py [RUNS] prints the tables and draws docs/figures/gbpo_<reward>.png.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "benchmarks" / "results" / "gbpo" / "runs.jsonl"
PASS = 4
"""Rounds in a pass over the questions."""
START = 0.739
"""Accuracy of the pretrained model, measured as the final accuracy is: the mean of three measurements."""
COLORS = {"grpo": "#d95f02", "gbpo": "#1b6ca8", "gbpo-exact": "#66a61e"}

Cells = dict[tuple[str, int, float, str], list[dict[str, Any]]]


def read(file: Path) -> Cells:
    """Return the runs by reward, epochs, ε and variant."""
    cells: Cells = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        cells[run["reward"], run["epochs"], run["epsilon"], run["variant"]].append(run)
    return cells


def collapsed(run: dict[str, Any]) -> bool:
    """Whether the last pass over the questions was less accurate than the first round, before which nothing changed."""
    return np.mean(run["accuracy"][-PASS:]) < run["accuracy"][0]


def table(cells: Cells, reward: str) -> str:
    """Return a table in Markdown: mean, lowest and highest final accuracy, and KL, of each variant."""
    lines = [f"| epochs | ε | {' | '.join(COLORS)} |", "| --- | --- |" + " --- |" * len(COLORS)]
    for epochs, epsilon in sorted({key[1:3] for key in cells if key[0] == reward}):
        row = []
        for variant in COLORS:
            runs = cells[reward, epochs, epsilon, variant]
            final, kl = [run["final_accuracy"] for run in runs], np.mean([run["kl"][-1] for run in runs])
            row.append(f"{np.mean(final):.3f} ({min(final):.3f} to {max(final):.3f}), {kl:.2f}")
        lines.append(f"| {epochs} | {epsilon} | {' | '.join(row)} |")
    return "\n".join(lines)


def below_start(cells: Cells) -> str:
    """Say how many runs of each variant collapsed, and how many ended below the pretrained model's accuracy."""
    lines = []
    for variant in COLORS:
        runs = [run for key, runs in cells.items() if key[3] == variant for run in runs]
        ended = sum(run["final_accuracy"] < START for run in runs)
        lines.append(f"{variant}: {len(runs)} runs, {sum(map(collapsed, runs))} collapsed, {ended} ended below {START}")
    return "\n".join(lines)


def draw(cells: Cells, reward: str, file: Path) -> None:
    """Draw the accuracy over rounds, with bands from the lowest to the highest seed."""
    epochs = sorted({key[1] for key in cells if key[0] == reward})
    epsilons = sorted({key[2] for key in cells if key[0] == reward})
    size = (2.6 * len(epsilons) + 0.8, 2.2 * len(epochs) + 0.6)
    figure, grid = plt.subplots(
        len(epochs), len(epsilons), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for (name, epoch, epsilon, variant), runs in cells.items():
        if name == reward:
            axes = grid[epochs.index(epoch)][epsilons.index(epsilon)]
            curves = np.array([run["accuracy"] for run in runs])
            rounds = np.arange(1, curves.shape[1] + 1)
            axes.plot(rounds, curves.mean(axis=0), color=COLORS[variant], label=variant)
            axes.fill_between(rounds, curves.min(axis=0), curves.max(axis=0), color=COLORS[variant], alpha=0.15)
            axes.set_title(f"{epoch} epochs, ε = {epsilon}", fontsize=9)
    figure.supxlabel("round of 16 questions")
    figure.supylabel("accuracy of the sampled answers")
    next(axes for axes in grid.flat if axes.lines).legend(frameon=False, fontsize=8)
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    done = read(Path(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
    for reward in sorted({key[0] for key in done}):
        draw(done, reward, ROOT / "docs" / "figures" / f"gbpo_{reward}.png")
        print(f"\n{reward}\n\n{table(done, reward)}")
    print(f"\n{below_start(done)}")
