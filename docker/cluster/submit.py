#!/usr/bin/env python3
# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Submit training runs to Slurm: one job array over algorithms and seeds, each task of which is one run.

Needs nothing but Python 3.9, so that it runs on a login node. The job itself is ``job.sh`` beside this file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

COMMAND_LINE = runpy.run_path(str(PROJECT / "source" / "isaaclab_bpo" / "command_line.py"))
"""A part of the package, which itself need not be installed here."""

WARNING = 120
"""How long before the end of its time a job is warned [s]: an iteration, a checkpoint, and some."""

GIGABYTES_PER_RUN = 1
"""Room for the checkpoints of a run: G1's 3000 iterations leave 61 files of 12 MB."""

LONGEST = 240
"""Bytes that the name of a run's folder may have, as train.py says."""

OURS = (
    "--task",
    "--algo",
    "--agent",
    "--seed",
    "--checkpoint",
    "--run_timestamp",
    "--run_name",
    "agent.run_name",
    "--distributed",
)
"""Arguments of train.py that job.sh gives, or that would rename a run's folder."""


class SubmitError(Exception):
    """A mistake of the user's, said in one sentence."""


def main() -> int:
    """Check the command line, and submit the job or print its script."""
    args = _parse()
    try:
        _check(args)
        script = batch_script(args)
        if args.dry_run:
            print(script, end="")
        else:
            _submit(args, script)
    except SubmitError as error:
        print(f"submit.py: error: {error}", file=sys.stderr)
        return 2
    return 0


def _parse() -> argparse.Namespace:
    parser = COMMAND_LINE["ClosedParser"](
        description="Train on a Slurm cluster, one run for every algorithm and seed.",
        usage="%(prog)s --task TASK [option ...] [-- argument of train.py ...]",
    )
    runs = parser.add_argument_group("runs")
    runs.add_argument("--task", required=True, help="Isaac Lab task.")
    runs.add_argument("--algo", nargs="+", choices=("bpo", "ppo"), default=["bpo"], help="Algorithms. Default: bpo.")
    runs.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="SEED", help="Default: 0.")
    runs.add_argument(
        "--name",
        default=time.strftime("%Y-%m-%d_%H-%M-%S"),
        help="First part of the runs' names; the same command with that of an earlier job continues its runs. "
        "Default: the time.",
    )
    runs.add_argument(
        "--workdir", type=Path, default=Path(), help="Shared folder that gets logs/ and slurm/. Default: this one."
    )
    runs.add_argument("--image", type=Path, help="Apptainer image (.sif). Default: this checkout and its environment.")
    runs.add_argument("arguments", nargs="*", help="Further arguments of train.py, after --.")

    job = parser.add_argument_group("every run's resources")
    job.add_argument("--nodes", type=int, default=1, help="Default: 1.")
    job.add_argument("--gpus", type=int, default=1, help="GPUs of a node; 0 trains on the CPU. Default: 1.")
    job.add_argument("--cpus", type=int, default=8, help="CPU cores of a node. Default: 8.")
    job.add_argument("--time", help="Time limit, as sbatch reads it; a run that needs more is requeued.")
    job.add_argument("--partition", help="Default: the cluster's.")
    job.add_argument("--account", help="Default: yours.")
    job.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="A further option of sbatch, such as --sbatch=--mem=32G; may be given several times.",
    )
    parser.add_argument("--dry-run", action="store_true", help="Check, and print the batch script only.")
    args = parser.parse_args()
    args.workdir = args.workdir.absolute()
    args.image = args.image and args.image.absolute()
    return args


##
# What can go wrong.
##


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work, before anything is written or submitted."""
    for name, least in {"nodes": 1, "gpus": 0, "cpus": 1}.items():
        if getattr(args, name) < least:
            raise SubmitError(f"--{name} {getattr(args, name)} is out of range: it must be at least {least}")
    if args.nodes > 1 and args.gpus == 0:
        raise SubmitError(f"--nodes {args.nodes} needs GPUs, but --gpus is 0: a run on CPUs takes one node")
    for name in ("algo", "seeds"):
        values = getattr(args, name)
        if len(set(values)) < len(values):
            raise SubmitError(f"--{name} {' '.join(map(str, values))} names a run twice")
    if not re.fullmatch(r"[\w.-]+", args.name):
        raise SubmitError(f"--name {args.name!r} must be of letters, digits, '.', '_' and '-': it names folders")
    too_long = max(len(os.fsencode(run)) for run in _runs(args)) - LONGEST
    if too_long > 0:
        raise SubmitError(f"--name {args.name!r} makes too long a folder's name: shorten it by {too_long} characters")
    unknown = COMMAND_LINE["unknown_to_training"](args.arguments)
    if unknown:
        raise SubmitError(f"train.py, after --: {'; '.join(unknown)}")
    for argument in args.arguments:
        if argument.split("=")[0] in OURS:
            raise SubmitError(f"{argument} after -- would be set twice: submit.py chooses it for every run")
    if shutil.which("sbatch") is not None:
        if args.partition is not None:
            _check_partition(args.partition)
    elif not args.dry_run:
        raise SubmitError("Slurm's sbatch is not on this machine: log in to the cluster, or add --dry-run")
    if args.image is not None and not args.image.exists():
        raise SubmitError(f"--image '{args.image}' does not exist: build it as docs/cluster.md says")
    _check_workdir(args.workdir, runs=len(args.algo) * len(args.seeds))
    _check_commands(args)


def _check_partition(names: str) -> None:
    """Refuse partitions that the cluster does not have."""
    partitions = _slurm("sinfo", "--noheader", "--format=%R").split()
    for name in names.split(","):
        if name not in partitions:
            raise SubmitError(f"--partition {name!r} does not exist: this cluster has {', '.join(partitions)}")


def _check_workdir(workdir: Path, runs: int) -> None:
    """Refuse a folder that cannot be written, or has no room for the runs."""
    folder = next(path for path in (workdir, *workdir.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"room?")
    except OSError as error:
        raise SubmitError(f"--workdir '{workdir}' cannot be written ({error.strerror}): choose another") from error
    free = shutil.disk_usage(folder).free / 1e9
    if free < runs * GIGABYTES_PER_RUN:
        raise SubmitError(
            f"--workdir '{workdir}' has {free:.1f} GB left and {runs} runs may write {runs * GIGABYTES_PER_RUN} GB: "
            "free some, or choose another"
        )


def _check_commands(args: argparse.Namespace) -> None:
    """Refuse to continue a run with another command, which would make one run of two trainings."""
    for run, file in _command_files(args):
        if file.exists() and file.read_text(encoding="utf-8") != _command(args):
            raise SubmitError(
                f"--name {args.name!r} has the run {run!r}, which was submitted with another command: choose another "
                f"name, or remove '{file}' to continue the run with this one"
            )


##
# The job.
##


def _prefix(args: argparse.Namespace) -> str:
    """Return what the names of a job's runs begin with; they name folders, so without the / of Gym-ALE/Pong-v5."""
    task = re.sub(r"[^\w.-]", "-", args.task)
    return f"{args.name}_{task}"


def _runs(args: argparse.Namespace) -> list[str]:
    """Return the names of the runs, in the order of the job array."""
    return [f"{_prefix(args)}_{algo}_seed{seed}" for algo, seed in itertools.product(args.algo, args.seeds)]


def _command_files(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Yield each run with the file that keeps its command."""
    for run in _runs(args):
        yield run, args.workdir / "slurm" / f"{run}.json"


def _command(args: argparse.Namespace) -> str:
    """Return what the runs are trained by, beside algorithm and seed, which are in their names."""
    processes = max(1, args.nodes * args.gpus)  # each has --num_envs environments
    return json.dumps({"task": args.task, "arguments": args.arguments, "processes": processes}) + "\n"


def batch_script(args: argparse.Namespace) -> str:
    """Return the script for sbatch: its options, the variables of ``job.sh``, and ``job.sh`` itself."""
    options: dict[str, object | None] = {
        "job-name": args.name,
        "array": f"0-{len(args.algo) * len(args.seeds) - 1}",
        "output": args.workdir / "slurm" / f"{_prefix(args)}_%a.log",
        "open-mode": "append",
        "requeue": None,
        "signal": f"B:USR1@{WARNING}",
        "nodes": args.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": args.cpus,
    }
    if args.gpus:
        options["gpus-per-node"] = args.gpus
    options.update({name: getattr(args, name) for name in ("time", "partition", "account") if getattr(args, name)})
    lines = [f"--{name}" if value is None else f"--{name}={shlex.quote(str(value))}" for name, value in options.items()]

    variables = {
        "project": PROJECT,
        "workdir": args.workdir,
        "image": args.image or "",
        "task": args.task,
        "algorithms": args.algo,
        "seeds": args.seeds,
        "runs": _runs(args),
        "nodes": args.nodes,
        "gpus": args.gpus,
        "cpus": args.cpus,
        "arguments": args.arguments,
    }
    job = (PROJECT / "docker" / "cluster" / "job.sh").read_text(encoding="utf-8")
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            *(f"#SBATCH {line}" for line in [*lines, *args.sbatch]),
            "",
            *(f"{name}={_bash(value)}" for name, value in variables.items()),
            "",
            job.removeprefix("#!/usr/bin/env bash\n"),
        ]
    )


def _bash(value: object) -> str:
    """Write a value, or a list of them, as bash reads it."""
    if isinstance(value, list):
        return f"({shlex.join(map(str, value))})"
    return shlex.quote(str(value))


def _submit(args: argparse.Namespace, script: str) -> None:
    """Give the script to sbatch and say how to go on."""
    (args.workdir / "slurm").mkdir(parents=True, exist_ok=True)
    job = _slurm("sbatch", "--parsable", script=script).strip().split(";")[0]
    for _, file in _command_files(args):
        file.write_text(_command(args), encoding="utf-8")
    runs = len(args.algo) * len(args.seeds)
    log = shlex.quote(str(args.workdir / "slurm" / f"{_prefix(args)}_0.log"))
    print(f"Submitted job {job} '{args.name}' with {runs} run{'s' * (runs > 1)}.")
    print(f"State: squeue --jobs={job}. What the first run prints: tail -f {log}. End: scancel {job}.")


def _slurm(*command: str, script: str | None = None) -> str:
    """Run a command of Slurm's and return what it prints."""
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SubmitError(" ".join(done.stderr.split()))
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
