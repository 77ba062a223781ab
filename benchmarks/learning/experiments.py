# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The learning experiments, and the runs that there are of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from isaaclab_bpo.compare.runs import Run, read_runs


@dataclass
class Experiment:
    """What is compared."""

    tasks: list[str]
    seeds: list[int]
    steps: int
    """Budget of a run, in steps of all its environments."""
    variants: dict[str, list[str]]
    """Arguments of the program by the name of what they train."""
    arguments: list[str] = field(default_factory=list)
    """Arguments of all variants."""
    program: str = "scripts/rsl_rl/train.py"
    """What trains, relative to the repository."""


def read_experiments() -> dict[str, Experiment]:
    """Read ``experiments.toml``, whose header explains it."""
    experiments: dict[str, Experiment] = {}
    for name, entry in tomllib.loads((Path(__file__).parent / "experiments.toml").read_text(encoding="utf-8")).items():
        if "like" in entry:
            model = experiments[entry.pop("like")]
            own = {
                variant: more if more[0].startswith("--algo") else [*model.variants["BPO"], *more]
                for variant, more in entry["variants"].items()
            }
            entry |= {"arguments": model.arguments, "variants": model.variants | own}
        experiments[name] = Experiment(**entry)
    return experiments


def label(task: str, variant: str, seed: int | str) -> str:
    """Return what the sentence about a run that is left out begins with."""
    return f"{task}, {variant}, seed {seed}"


def gather(output: Path, tasks: Iterable[str], variants: Iterable[str]) -> tuple[list[Run], list[str]]:
    """Read the finished runs of an experiment.

    Args:
        output: Folder of the experiment; a run is in ``<output>/<task>/<variant>/<seed>``.
        tasks: Tasks to look for, in the order wanted.
        variants: Variants to look for, in the order wanted.

    Returns:
        The runs, with their variant as their algorithm, and a sentence for each that is left out.
    """
    runs, left_out = [], []
    for task in tasks:
        for variant in variants:
            for folder in sorted((output / task / variant).glob("*")):
                run_label = label(task, variant, folder.name)
                if not (folder / "done").exists():
                    if list(folder.rglob("events.out.tfevents.*")):
                        left_out.append(f"{run_label} is not finished")
                    continue
                found, unreadable = read_runs([folder])
                for run in found:
                    run.algorithm = variant
                runs += found
                if unreadable:
                    left_out.append(f"{run_label} {'lacks some of its folders' if found else 'cannot be read'}")
    return runs, left_out
