# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Write the numbers and figures of docs/results.md from the files in benchmarks/results/learning.

    ./isaaclab.sh -p benchmarks/learning/report.py
    ./isaaclab.sh -p benchmarks/learning/report.py --gather gymnasium    # first take over logs/learning/gymnasium

The page says where an experiment goes, with a pair of comments; what is between them is replaced. Everything else on it
is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from itertools import groupby
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # machine.py

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from experiments import Experiment, gather, label, read_experiments
from overview import overview

from isaaclab_bpo.agents import GYM_PREFIX
from isaaclab_bpo.command_line import ClosedParser
from isaaclab_bpo.compare.report import format_interval, format_steps, plot_curves
from isaaclab_bpo.compare.runs import Run, read_runs, write_runs
from isaaclab_bpo.compare.statistics import (
    Estimate,
    Group,
    group_runs,
    probability_of_improvement,
    relative_difference,
)
from machine import describe

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "learning"
PAGE = ROOT / "docs" / "results.md"


def take_over(name: str, experiment: Experiment, logs: Path) -> None:
    """Store the finished runs of an experiment, what was left out, and the machine, which must be this one.

    Stored runs that are not in the logs, since another machine or an earlier day made them, stay.

    Args:
        name: Name of the experiment.
        experiment: The experiment.
        logs: Its folder.

    Raises:
        SystemExit: If there is nothing to store, or runs of a variant differ in their settings.
    """
    found, left_out = gather(logs, experiment.tasks, experiment.variants)
    left_out += [f"{label(*_key(run))} ended early" for run in found if run.steps[-1] < experiment.steps]
    runs = {_key(run): run for run in found if run.steps[-1] >= experiment.steps}
    for run in runs.values():
        run.folders = [str(Path(folder).relative_to(logs)) for folder in run.folders]
    if not runs:
        raise SystemExit(f"report: {logs} holds no finished run of {name}")
    on_cpu = not torch.cuda.is_available() or all(task.startswith(GYM_PREFIX) for task in experiment.tasks)
    machines = [describe("cpu" if on_cpu else "cuda:0")]
    del machines[0]["torch_threads"]  # of this process
    file, about_file = RESULTS / f"{name}.json", RESULTS / f"{name}.machine.json"
    if file.exists():
        runs = {_key(run): run for run in read_runs([file])[0]} | runs
        stored = json.loads(about_file.read_text(encoding="utf-8"))
        machines += [machine for machine in stored["machines"] if machine not in machines]
        left_out += stored["left_out"]
    in_order = [runs[key] for key in sorted(runs)]
    other = [group.name for group in group_runs(in_order) if group.name not in experiment.variants]
    if other:
        raise SystemExit(f"report: runs of {name} differ in their settings, so they are not one experiment: {other}")
    labels = tuple(f"{label(*key)} " for key in runs)
    left_out = [sentence for sentence in dict.fromkeys(left_out) if not sentence.startswith(labels)]
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_runs(in_order, file)
    about_file.write_text(json.dumps({"machines": machines, "left_out": left_out}, indent=1) + "\n", encoding="utf-8")


def _key(run: Run) -> tuple[str, str, int]:
    return run.task, run.algorithm, run.seed


def section(name: str, experiment: Experiment, figures: Path) -> str:
    """Return what the page says of an experiment, and draw its figure.

    Args:
        name: Name of the experiment.
        experiment: The experiment.
        figures: Folder for the figure.
    """
    runs, _ = read_runs([RESULTS / f"{name}.json"])
    variants = list(experiment.variants)
    runs.sort(key=lambda run: (experiment.tasks.index(run.task), variants.index(run.algorithm), run.seed))
    about = json.loads((RESULTS / f"{name}.machine.json").read_text(encoding="utf-8"))
    groups = group_runs(runs)
    tasks = {task: list(members) for task, members in groupby(groups, key=lambda group: group.task)}
    figure = figures / f"learning_{name}.png"
    is_ablation = len(experiment.variants) > 4  # changes to BPO, too many for curves
    reference = "BPO" if is_ablation else "PPO" if "PPO" in variants else variants[0]
    if is_ablation:
        _plot_intervals(tasks, figure)
    else:
        plot_curves(tasks, figure)
    columns = ["task", "", "seeds", "steps", "final return", "best return", f"P(better than {reference})"]
    columns += ["difference from BPO"] if is_ablation else []
    lines = [f"| {' | '.join(columns)} |", f"| {' | '.join(['---'] * len(columns))} |"]
    for task, members in tasks.items():
        base = next((group for group in members if group.name == reference), None)
        for group in members:
            better = "" if base in (None, group) else format_interval(_probability(group, base), digits=2)
            seeds = " ".join(str(run.seed) for run in group.runs)
            steps = format_steps(group.steps)
            returns = format_interval(group.final), format_interval(group.best)
            cells = [task, group.name.replace("|", "\\|"), seeds, steps, *returns, better]
            if is_ablation:
                cells.append("" if base in (None, group) else _percent(group, base))
            lines.append(f"| {' | '.join(cells)} |")
    parts = [
        f"```bash\n./isaaclab.sh -p benchmarks/learning/run.py {name}\n```",
        f"![{'Final returns' if is_ablation else 'Learning curves'}](figures/{figure.name})",
        "\n".join(lines),
        *(
            f"Machine: {machine['device']}, {machine['cpu_cores']} CPU cores; Python {machine['python']}, "
            f"torch {machine['torch']}, rsl_rl {machine['rsl_rl']}, isaaclab_bpo {machine['isaaclab_bpo']}."
            for machine in about["machines"]
        ),
    ]
    if about["left_out"]:
        parts.append("\n".join(["Not in the table:\n", *(f"* {sentence}" for sentence in about["left_out"])]))
    return "\n\n".join(parts)


def _percent(group: Group, other: Group) -> str:
    estimate = relative_difference(group.final_returns, other.final_returns)
    parts = [part for part in (estimate.value, estimate.low, estimate.high) if part is not None]
    value, *interval = (f"{100.0 * part:+.0f} %" for part in parts)
    return f"{value} [{', '.join(interval)}]" if interval else value


def _probability(group: Group, other: Group) -> Estimate:
    return probability_of_improvement([(group.final_returns, other.final_returns)])


def _plot_intervals(tasks: dict[str, list[Group]], path: Path) -> None:
    """Plot the final returns of all variants, with their intervals and runs."""
    rows = max(map(len, tasks.values()))
    figure, axes = plt.subplots(1, len(tasks), figsize=(8.0, 1.0 + 0.3 * rows), layout="constrained", squeeze=False)
    for ax, (task, groups) in zip(axes[0], tasks.items(), strict=True):
        for i, group in enumerate(reversed(groups)):
            color = {"BPO": "C0", "PPO": "C1"}.get(group.name, "0.4")
            if group.final.low is not None and group.final.high is not None:
                ax.plot([group.final.low, group.final.high], [i, i], color=color, linewidth=2.0)
            ax.plot(group.final.value, i, "o", color=color)
            ax.plot(group.final_returns, [i] * len(group.runs), "|", color=color, markersize=9)
        ax.set_yticks(range(len(groups)), [group.name for group in reversed(groups)])
        ax.set(title=task, xlabel="final return")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def write_page(page: Path, experiments: dict[str, Experiment]) -> None:
    """Replace the sections of the page, and draw the figures beside it.

    Args:
        page: The page.
        experiments: All experiments; those without results are left alone.
    """
    text, figures = page.read_text(encoding="utf-8"), page.parent / "figures"
    figures.mkdir(exist_ok=True)
    stored = {name: each for name, each in experiments.items() if (RESULTS / f"{name}.json").exists()}
    sections = {"overview": overview(RESULTS, figures / "learning_overview.png")}
    sections |= {name: section(name, experiment, figures) for name, experiment in stored.items()}
    for name, content in sections.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text, count = pattern.subn(lambda _, new=f"{begin}\n\n{content}\n\n{end}": new, text)
        if count != 1:
            raise SystemExit(f"report: {page} needs {begin} and {end} once, not {count} times")
    page.write_text(text, encoding="utf-8")


def main() -> None:
    experiments = read_experiments()
    parser = ClosedParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gather", nargs="+", default=[], choices=experiments, help="Experiments to take over first.")
    parser.add_argument("--logs", type=Path, default=Path("logs/learning"), help="Folder of the experiments.")
    parser.add_argument("--page", type=Path, default=PAGE, help="The page to write.")
    args = parser.parse_args()
    mpl.use("agg")
    for name in args.gather:
        take_over(name, experiments[name], args.logs / name)
    write_page(args.page, experiments)


if __name__ == "__main__":
    main()
