# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run a W&B sweep file with Ray Tune instead: no account, many runs at a time, on one machine or a Ray cluster.

    ./isaaclab.sh -p benchmarks/sweep/ray_tune.py benchmarks/sweep/robots.yaml --gpus 1 -- --max_iterations 1500

What follows ``--`` is added to every command. Every run has a folder of its own below ``--output``, which also gets the
comparison of :mod:`isaaclab_bpo.compare`. Started again with the same ``--output``, it runs what is not finished; the
folder must be your own then, because Ray unpickles what it finds there.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from ray import tune

from isaaclab_bpo.command_line import ClosedParser, unknown_to_training
from isaaclab_bpo.compare.report import write_report
from isaaclab_bpo.compare.runs import read_runs
from isaaclab_bpo.compare.statistics import comparable

ROOT = Path(__file__).parents[2]


def search_space(sweep: dict[str, Any]) -> dict[str, Any]:
    """Translate the parameters of a W&B sweep."""
    draw = tune.grid_search if sweep["method"] == "grid" else tune.choice
    distributions = {"uniform": tune.uniform, "log_uniform_values": tune.loguniform}
    return {
        name: draw(spec["values"])
        if "values" in spec
        else distributions[spec["distribution"]](spec["min"], spec["max"])
        for name, spec in sweep["parameters"].items()
    }


def command_line(sweep: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """Expand the command of a W&B sweep, as ``wandb agent`` does it, with this project's launcher."""
    tokens = [
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in parameters.items()
    ]
    macros = {
        "./isaaclab.sh": [str(ROOT / "isaaclab.sh")],
        "${program}": [sweep["program"]],
        "${args}": [f"--{token}" for token in tokens],
        "${args_no_hyphens}": tokens,
    }
    return [token for word in sweep["command"] for token in macros.get(word, [word])]


def train(parameters: dict[str, Any], sweep: dict[str, Any], extra: list[str]) -> None:
    """Train in the folder of the trial and report the run's last return."""
    folder = Path(tune.get_context().get_trial_dir())
    with (folder / "output.txt").open("w") as output:
        command = [*command_line(sweep, parameters), *extra]
        code = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode
    runs, left_out = read_runs([folder / "logs"])
    if code != 0 or not runs:
        raise RuntimeError(f"exit code {code}, see {folder / 'output.txt'} {'; '.join(left_out)}")
    run = runs[0]
    tune.report({sweep["metric"]["name"]: run.returns[-1], "steps": run.steps[-1], "seconds": run.seconds[-1]})


def main() -> None:
    parser = ClosedParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sweep", type=Path, help="W&B sweep file with the methods grid or random.")
    parser.add_argument("--output", type=Path, default=Path("logs/sweep"), help="Folder for all runs.")
    parser.add_argument("--cpus", type=float, default=1.0, help="CPU cores for a run.")
    parser.add_argument("--gpus", type=float, default=0.0, help="GPUs for a run; 0.5 lets two share one.")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, extra = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    if errors := unknown_to_training(extra):
        parser.error(f"train.py, after --: {'; '.join(errors)}")
    sweep = yaml.safe_load(args.sweep.read_text())
    storage = args.output.resolve()

    trainable = tune.with_resources(
        partial(train, sweep=sweep, extra=["--logger", "tensorboard", *extra]),
        {"cpu": args.cpus, "gpu": args.gpus},
    )
    folder = storage / args.sweep.stem
    if tune.Tuner.can_restore(str(folder)):
        tuner = tune.Tuner.restore(str(folder), trainable, resume_unfinished=True, restart_errored=True)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space=search_space(sweep),
            tune_config=tune.TuneConfig(
                metric=sweep["metric"]["name"], mode="max", num_samples=sweep.get("run_cap", 1)
            ),
            run_config=tune.RunConfig(storage_path=str(storage), name=args.sweep.stem),
        )
    results = tuner.fit()
    runs, left_out = read_runs(sorted(folder.glob("*/logs")))
    runs, too_short = comparable(runs)
    if runs:
        print(*write_report(runs, left_out + too_short, {}, folder / "comparison"), sep="\n")
    sys.exit(f"{results.num_errors} of {len(results)} runs failed." if results.num_errors else 0)


if __name__ == "__main__":
    main()
