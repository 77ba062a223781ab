# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A training that is killed, suspended, robbed of its disk, its folder and its clock, beside trainings left in peace.

    ./isaaclab.sh -p benchmarks/soak.py --hours 6 --output /tmp/soak

Go1 on rough terrain, stand-in robot, OvPhysX. A disk of its own needs the superuser, and the clock Debian's
libfaketime; what is not there is not disturbed, which the result says. Writes soak.json, soak.log and the trainings'
output; the exit code is 0 if all went well: the disturbed training is complete, its learning curve lies in the band of
the others, and neither memory nor open files grew. Interrupted by Ctrl-C or SIGTERM and started again with the same
arguments, it goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from isaaclab_bpo.command_line import ClosedParser

ROOT = Path(__file__).parents[1]
TASK = "IsaacContrib-Velocity-Rough-UnitreeGo1"
SECONDS_PER_ITERATION = 6.0
"""With three trainings on two cores; the number of iterations follows from it."""

POLL = 5.0
DISK = 256  # [MB]
CLOCKS = ("-30d", "+400d", "+0")
WARM_UP = 900.0
"""Seconds of a process's life in which it may grow: it imports, makes the scene, and learns for the first time."""

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@dataclass
class Training:
    """A training in a folder of its own, which is started again until it is complete."""

    folder: Path
    seed: int
    num_envs: int
    iterations: int
    codes: list[int] = field(default_factory=list)
    """Exit codes of its processes."""
    samples: list[list[tuple[float, int, int]]] = field(default_factory=list)
    """Of each process: seconds since its start, resident memory [bytes], open files."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    @property
    def logs(self) -> Path:
        """The folder that a disk can be mounted on."""
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return next(iter(self.logs.glob("rsl_rl/*/soak")), self.logs / "absent")

    @property
    def is_complete(self) -> bool:
        return bool(self.codes) and self.codes[-1] == 0

    def start(self) -> None:
        """Start it, or go on from its newest checkpoint."""
        resumption = ["--checkpoint", str(self.run)] if list(self.run.glob("model_*.pt")) else []
        command = [sys.executable, ROOT / "scripts" / "rsl_rl" / "train.py", "--task", TASK, "physics=ovphysx"]
        command += ["--num_envs", str(self.num_envs), "--max_iterations", str(self.iterations)]
        command += ["--seed", str(self.seed), "--run_timestamp", "soak", *resumption]
        command += ["agent.save_interval=10", "agent.keep_last=3"]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "ISAACLAB_BPO_ASSETS": "standin"}
        if FAKETIME is not None:
            self.set_clock("+0")
            variables |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock")}
            variables |= {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.started = time.monotonic()
        self.samples.append([])

    def watch(self) -> None:
        """Note what the process uses, or that it has ended, and start it again if there is something left to do."""
        if self.is_complete:
            return
        assert self.process is not None
        code = self.process.poll()
        if code is None:
            with contextlib.suppress(OSError):  # it has just ended
                process = Path("/proc", str(self.process.pid))
                resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                age = time.monotonic() - self.started
                self.samples[-1].append((age, resident, len(list((process / "fd").iterdir()))))
        else:
            self.codes.append(code)
            if code == 2:
                raise SystemExit(f"{self.folder.name} was refused: see {self.folder / 'output.txt'}")
            if code != 0:
                self.start()

    def stop(self) -> None:
        """Let it save and end; it can be started again."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait()

    def set_clock(self, shift: str) -> None:
        (self.folder / "clock").write_text(shift)

    def curve(self) -> np.ndarray:
        """Return the mean reward of each iteration; what was learned twice counts as it was the second time."""
        reward = np.full(self.iterations, np.nan)
        for file in sorted(self.run.glob("events.*"), key=lambda file: file.stat().st_mtime):
            events = EventAccumulator(str(file), size_guidance={"scalars": 0})
            events.Reload()
            for event in events.Scalars("Train/mean_reward") if "Train/mean_reward" in events.Tags()["scalars"] else ():
                reward[event.step] = event.value
        return reward

    def growth(self) -> dict[str, float]:
        """Return the largest growth of a process between the first and the last third of its life after warming up."""
        grown = {"memory": 0.0, "open_files": 0.0}
        for life in (np.array([use for use in samples if use[0] > WARM_UP]) for samples in self.samples):
            if len(life) >= 30:
                first, last = (np.median(part, axis=0) for part in (life[: len(life) // 3], life[-len(life) // 3 :]))
                grown["memory"] = max(grown["memory"], last[1] / first[1] - 1.0)
                grown["open_files"] = max(grown["open_files"], last[2] - first[2])
        return grown


# --- Disturbances -----------------------------------------------------------------------------------------------------


def kill(training: Training, pause: float) -> None:
    assert training.process is not None
    training.process.kill()


def terminate(training: Training, pause: float) -> None:
    assert training.process is not None
    training.process.terminate()


def suspend(training: Training, pause: float) -> None:
    assert training.process is not None
    training.process.send_signal(signal.SIGSTOP)
    time.sleep(pause)
    training.process.send_signal(signal.SIGCONT)


def fill_disk(training: Training, pause: float) -> None:
    filler = training.logs / "filler"
    try:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass
        time.sleep(pause)
    finally:
        filler.unlink()


def remove_folder(training: Training, pause: float) -> None:
    folder, moved = training.logs / "rsl_rl", training.logs / "moved"
    if folder.exists():  # else it is starting for the first time
        folder.rename(moved)
        try:
            time.sleep(pause)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what the training has written meanwhile
            moved.rename(folder)


def break_clock(training: Training, pause: float) -> None:
    for shift in CLOCKS:
        training.set_clock(shift)
        time.sleep(pause / len(CLOCKS))


def disturbances(disk: bool) -> dict[str, Callable[[Training, float], None]]:
    """Return what can be done on this machine."""
    possible = {"kill": kill, "terminate": terminate, "suspend": suspend, "remove the folder": remove_folder}
    return (
        possible
        | ({"fill the disk": fill_disk} if disk else {})
        | ({"break the clock": break_clock} if FAKETIME else {})
    )


# --- The test ---------------------------------------------------------------------------------------------------------


def mount_disk(folder: Path) -> bool:
    """Put a small disk where a training logs, if that is allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={DISK}m", "soak", folder)).returncode == 0


def judge(disturbed: Training, others: list[Training], done: dict[str, int]) -> dict[str, Any]:
    """Return the results, with a verdict for each thing that must hold."""
    everybody = (disturbed, *others)
    windows = {t.seed: [float(np.nanmean(part)) for part in np.array_split(t.curve(), 10)] for t in everybody}
    in_peace = np.array([windows[training.seed] for training in others])
    low, high = in_peace.min(axis=0), in_peace.max(axis=0)
    margin = np.maximum(high - low, 0.1 * np.abs(in_peace).max())
    curve = np.array(windows[disturbed.seed])
    growth = {str(training.folder.name): training.growth() for training in everybody}
    output = (disturbed.folder / "output.txt").read_text(errors="replace")
    return {
        "verdicts": {
            "complete": all(training.is_complete for training in everybody),
            "curve in the band": bool(((curve >= low - margin) & (curve <= high + margin)).all()),
            "memory": all(of["memory"] < 0.05 for of in growth.values()),
            "open files": all(of["open_files"] <= 5 for of in growth.values()),
            "only sentences": "Traceback" not in output,
        },
        "disturbances": done,
        "not disturbed": [] if FAKETIME else ["clock: libfaketime is not installed"],
        "exit codes": disturbed.codes,
        "growth": growth,
        "mean reward in tenths of the training": windows,
        "iterations": disturbed.iterations,
        "environments": disturbed.num_envs,
    }


def soak(
    trainings: list[Training],
    possible: dict[str, Callable[[Training, float], None]],
    done: dict[str, int],
    every: float,
    end: float,
    log: TextIO,
) -> None:
    """Let the trainings come to their ends and disturb the first one, which ``done`` counts.

    Args:
        trainings: The trainings.
        possible: The disturbances.
        done: How many of each there have been.
        every: Time between two of them [min].
        end: When to give up, on the monotonic clock [s].
        log: Gets a line for each disturbance and each end of a process.
    """

    def note(what: str) -> None:
        print(time.strftime("%H:%M:%S"), what, file=log, flush=True)

    disturbed, rng, due = trainings[0], random.Random(sum(done.values())), time.monotonic() + 60.0 * every
    note("start")
    for training in trainings:
        if not training.is_complete:
            training.start()
    while not all(training.is_complete for training in trainings) and time.monotonic() < end:
        time.sleep(POLL)
        for training in trainings:
            before = len(training.codes)
            training.watch()
            for code in training.codes[before:]:
                note(f"{training.folder.name} ended with exit code {code}")
        if time.monotonic() > due and not disturbed.is_complete:
            least = min(done.values())
            name = rng.choice([name for name, count in done.items() if count == least])
            note(name)
            done[name] += 1
            possible[name](disturbed, 10.0 * every)
            due = time.monotonic() + rng.uniform(0.5, 1.5) * 60.0 * every


def put_down(
    state: Path, arguments: dict[str, Any], trainings: list[Training], done: dict[str, int], seconds: float
) -> None:
    """Write what :func:`take_up` reads, the time [s] added to that of earlier."""
    if state.exists():
        seconds += json.loads(state.read_text())["seconds"]
    uses = [{"codes": training.codes, "samples": training.samples} for training in trainings]
    new = state.with_suffix(".new")
    new.write_text(json.dumps({"arguments": arguments, "seconds": seconds, "done": done, "trainings": uses}))
    new.replace(state)


def take_up(state: Path, trainings: list[Training], done: dict[str, int]) -> float:
    """Give the trainings and ``done`` what was seen of them before an interruption, and return the time until then."""
    saved = json.loads(state.read_text())
    done |= saved["done"]
    for training, use in zip(trainings, saved["trainings"], strict=True):
        training.codes, training.samples = use["codes"], use["samples"]
    return saved["seconds"]


def main() -> None:
    parser = ClosedParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, required=True, help="About how long it takes.")
    parser.add_argument("--output", type=Path, required=True, help="Folder; one with a soak test in it goes on.")
    parser.add_argument("--num_envs", type=int, default=64)
    parser.add_argument("--others", type=int, default=2, help="Trainings that are left in peace.")
    parser.add_argument("--every", type=float, default=4.0, help="Minutes between two disturbances.")
    args = parser.parse_args()
    state = args.output / "state.json"
    arguments = {name: value for name, value in vars(args).items() if name != "output"}
    if args.output.exists() and (not state.exists() or json.loads(state.read_text())["arguments"] != arguments):
        parser.error(f"{args.output} holds no interrupted soak test with these arguments: give another --output")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that trainings and disk do not stay behind
    iterations = max(20, round(3600 * args.hours / SECONDS_PER_ITERATION))
    folders = [args.output.resolve() / name for name in ("disturbed", *(f"left_{i}" for i in range(args.others)))]
    trainings = [Training(folder, seed, args.num_envs, iterations) for seed, folder in enumerate(folders)]
    disturbed, *others = trainings
    disk = mount_disk(disturbed.logs)
    for folder in folders:
        folder.mkdir(exist_ok=True)
    possible = disturbances(disk)
    done, budget = dict.fromkeys(possible, 0), 3.0 * 3600.0 * max(args.hours, 0.5)
    if state.exists():
        budget -= take_up(state, trainings, done)
        if disk:
            shutil.copytree(disturbed.folder / "kept", disturbed.logs, dirs_exist_ok=True)
    started = time.monotonic()
    try:
        with (args.output / "soak.log").open("a") as log:
            soak(trainings, possible, done, args.every, started + budget, log)
        result = judge(disturbed, others, done)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # one is enough
            signal.signal(number, signal.SIG_IGN)
        for training in trainings:
            training.stop()
        put_down(state, arguments, trainings, done, time.monotonic() - started)
        if disk:
            shutil.copytree(disturbed.logs, disturbed.folder / "kept", dirs_exist_ok=True)
            subprocess.run(("umount", disturbed.logs), check=True)
    (args.output / "soak.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result["verdicts"], indent=2))
    sys.exit(0 if all(result["verdicts"].values()) else 1)


if __name__ == "__main__":
    main()
