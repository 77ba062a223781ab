# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Train the algorithms of an experiment on tasks and seeds with the same budget, and compare them.

    ./isaaclab.sh -p benchmarks/learning/run.py gymnasium
    ./isaaclab.sh -p benchmarks/learning/run.py paper --tasks Gym-Hopper-v5 --seeds 1 --minutes 10

``experiments.toml`` says what an experiment is; options replace parts of it, and what follows ``--`` is added to every
command. Runs go side by side, one on each core. Interrupted (Ctrl-C, SIGTERM, a closed terminal, a lost machine) and
started again with the same arguments, the benchmark goes on: finished runs stay, unfinished ones resume from their last
checkpoint. A run has the folder ``<output>/<task>/<variant>/<seed>`` for its logs and its ``output.txt``;
``<output>/comparison`` gets the table, the curves and ``runs.json``, all of them in compact form, from which
:mod:`isaaclab_bpo.compare` writes the same comparison again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from experiments import Experiment, gather, read_experiments
from tqdm import tqdm

from isaaclab_bpo.command_line import ClosedParser, unknown_to_training
from isaaclab_bpo.compare.report import write_report
from isaaclab_bpo.compare.runs import read_runs
from isaaclab_bpo.compare.statistics import comparable

ROOT = Path(__file__).parents[2]
PREEMPTED = os.EX_TEMPFAIL
"""Exit code of a run that saved because it was told to end, and of this program then."""

POLL = 2.0
"""Time between two looks at the runs [s]."""


@dataclass(eq=False)
class Job:
    """A training that is to be done."""

    folder: Path
    program: str
    """What trains, relative to the repository."""
    arguments: list[str]
    """Its arguments."""
    seconds: float | None
    """Budget in time of collection and learning [s], None if it is one of steps, which is among the arguments."""
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False
    """Whether its time is up, so that it was told to save and end."""
    earlier: float = 0.0
    """Time that it had before this process [s]."""
    printed: int = 0
    """Size of ``output.txt`` before this process."""

    def __str__(self) -> str:
        return " ".join(self.folder.parts[-3:])

    @property
    def is_done(self) -> bool:
        """Whether it was finished, now or before."""
        return (self.folder / "done").exists()

    def prepare(self) -> None:
        """Make the folder; a run that is there must have been started with the same arguments and budget."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "command.json"
        command = {"arguments": self.arguments, "seconds": self.seconds}
        if not file.exists():
            part = file.with_suffix(".part")  # a lost machine leaves no half of the file
            part.write_text(json.dumps(command))
            part.replace(file)
        elif json.loads(file.read_text()) != command:
            raise SystemExit(f"{self.folder} holds a run with other arguments: give another --output, or remove it.")

    def start(self) -> None:
        """Start the training, or resume it from its last checkpoint."""
        resumption = ["--checkpoint", "latest"] if list(self.folder.glob("logs/**/model_*.pt")) else []
        if resumption and self.seconds is not None:
            self.earlier = max((run.seconds[-1] for run in read_runs([self.folder])[0]), default=0.0)
        python_path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])  # of controls.py
        with (self.folder / "output.txt").open("ab") as output:
            self.printed = output.tell()
            self.process = subprocess.Popen(
                [sys.executable, ROOT / self.program, *self.arguments, *resumption],
                cwd=self.folder,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": python_path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this program, which then lets the runs save
            )

    def progress(self) -> float:
        """Return the fraction of the budget that is used up; at the end of a time budget, let the run save and end."""
        if self.is_done:
            return 1.0
        if self.process is None:
            return 0.0
        with (self.folder / "output.txt").open("rb") as file:
            file.seek(max(self.printed, file.seek(0, os.SEEK_END) - 8192))
            tail = file.read().decode(errors="replace")
        iterations = re.findall(r"Learning iteration (\d+)/(\d+)", tail)
        times = re.findall(r"Time elapsed: (?:(\d+) days?, )?(\d+):(\d+):(\d+)", tail)
        if not iterations or not times:
            return 0.0
        if self.seconds is None:
            return (int(iterations[-1][0]) + 1) / int(iterations[-1][1])
        days, hours, minutes, seconds = (int(number or 0) for number in times[-1])
        used = self.earlier + ((24 * days + hours) * 60 + minutes) * 60 + seconds
        if used >= self.seconds and not self.stopped:
            self.stopped = True
            self.process.send_signal(signal.SIGTERM)
        return min(1.0, used / self.seconds)

    def end(self) -> str | None:
        """Note that it is done, or return what went wrong.

        Its process must have ended.
        """
        assert self.process is not None
        code = self.process.returncode
        if code == 0 or (code == PREEMPTED and self.stopped):
            (self.folder / "done").touch()
            return None
        lines = (self.folder / "output.txt").read_text(errors="replace").strip().splitlines()
        return f"{self} ended with exit code {code}: {lines[-1] if lines else ''} (see {self.folder / 'output.txt'})"


def do(jobs: list[Job], side_by_side: int) -> list[str]:
    """Do the jobs and return what went wrong."""
    waiting = [job for job in jobs if not job.is_done]
    running: list[Job] = []
    failures = []
    finished = len(jobs) - len(waiting)
    form = "{percentage:3.0f} % of {total} runs, {elapsed} gone, {remaining} left{postfix}"
    pause = POLL if sys.stderr.isatty() else 60.0
    with tqdm(total=len(jobs), initial=finished, bar_format=form, mininterval=pause, miniters=0) as bar:
        try:
            while waiting or running:
                while waiting and len(running) < side_by_side:
                    running.append(waiting.pop(0))
                    running[-1].start()
                time.sleep(POLL)
                parts = {job: job.progress() for job in running}
                for job in [job for job in running if job.process is not None and job.process.poll() is not None]:
                    running.remove(job)
                    failure = job.end()
                    if failure is not None:
                        failures.append(failure)
                        bar.write(failure, file=sys.stderr)
                bar.set_postfix_str(", ".join(f"{job} {100 * parts[job]:.0f} %" for job in running), refresh=False)
                done = len(jobs) - len(waiting) - len(running)
                bar.update(done + sum(parts[job] for job in running) - bar.n)
        finally:
            for job in running:  # interrupted: they save
                if job.process is not None:
                    job.process.send_signal(signal.SIGTERM)
            for job in running:
                if job.process is not None:
                    job.process.wait()
                    job.end()  # it may just have finished
    return failures


def positive_number(text: str) -> int:
    """Return a whole number, which may be written as 1e6."""
    number = float(text)
    if number < 1 or number % 1:
        raise ValueError(text)
    return int(number)


def main() -> None:
    parser = ClosedParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    experiments = read_experiments()
    parser.add_argument("experiment", choices=experiments)
    parser.add_argument("--tasks", nargs="+", help="Tasks, if not the experiment's.")
    parser.add_argument("--variants", nargs="+", help="Which of the experiment's variants.")
    parser.add_argument("--seeds", nargs="+", type=int, help="Seeds, if not the experiment's.")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--steps",
        type=positive_number,
        help="Budget of a run in steps of all its environments, if not the experiment's.",
    )
    budget.add_argument("--minutes", type=float, help="Budget of a run in time of collection and learning instead.")
    parser.add_argument("--jobs", type=positive_number, default=len(os.sched_getaffinity(0)), help="Runs side by side.")
    parser.add_argument("--output", type=Path, help="Folder; the default is logs/learning/<experiment>.")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, extra = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    experiment = experiments[args.experiment]
    if experiment.program == Experiment.program and (errors := unknown_to_training(extra)):
        parser.error(f"train.py, after --: {'; '.join(errors)}")
    unknown = sorted(set(args.variants or ()) - experiment.variants.keys())
    if unknown:
        parser.error(f"--variants has {unknown[0]!r}, but {args.experiment} has {', '.join(experiment.variants)}")
    # A run given twice would be two processes in one folder
    tasks = list(dict.fromkeys(args.tasks or experiment.tasks))
    variants = list(dict.fromkeys(args.variants or experiment.variants))
    seeds = list(dict.fromkeys(args.seeds or experiment.seeds))
    output: Path = args.output or Path("logs/learning") / args.experiment

    limit = ["--max_steps", str(args.steps or experiment.steps)]
    if args.minutes is not None:
        limit = ["--max_iterations", "1000000"]
    jobs = [
        Job(
            folder=output / task / variant / str(seed),
            program=experiment.program,
            arguments=[
                *("--task", task, "--seed", str(seed)),
                *(*limit, *experiment.arguments, *experiment.variants[variant], *extra),
            ],
            seconds=None if args.minutes is None else 60.0 * args.minutes,
        )
        for seed, task, variant in itertools.product(seeds, tasks, variants)
    ]
    for job in jobs:
        job.prepare()
    for number in (signal.SIGTERM, signal.SIGHUP):  # a cluster takes the machine back; the terminal is closed
        signal.signal(number, signal.default_int_handler)
    try:
        failures = do(jobs, args.jobs)
    except KeyboardInterrupt:
        print("Interrupted. The runs have saved: the same command goes on.", file=sys.stderr)
        raise SystemExit(PREEMPTED) from None
    runs, left_out = gather(output, tasks, variants)
    runs, too_short = comparable(runs)
    if runs:
        try:
            print(*write_report(runs, left_out + too_short, {}, output / "comparison"), sep="\n")
        except ValueError as error:
            raise SystemExit(f"run.py: no comparison: {error}") from None
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
