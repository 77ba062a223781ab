# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Time of an update on a CPU by threads, by how they wait for each other, and by what else runs on the machine.

    ./isaaclab.sh -p benchmarks/threads.py

Writes JSON and a plot to benchmarks/results. By default, a thread of GNU's OpenMP that waits for others spins for some
milliseconds. This package lets it spin a thousand times (``GOMP_SPINCOUNT``), which takes microseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

import machine
from isaaclab_bpo.command_line import ClosedParser
from update_time import collect, make_algorithm, make_rollout, timer

NUM_ENVS = 64
WAITING: dict[str, dict[str, str]] = {"spinning, the default": {}, "as here": {"GOMP_SPINCOUNT": "1000"}}
OWN = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def measure(threads: int, rounds: int) -> list[float]:
    """Return the seconds of updates of BPO with G1's sizes, after one that warms up."""
    torch.set_num_threads(threads)
    alg, rollout = make_algorithm("BPO, median critic, accelerated", NUM_ENVS, "cpu"), make_rollout(NUM_ENVS, "cpu")
    seconds: list[float] = []
    for _ in range(rounds + 1):
        collect(alg, rollout)
        with timer("cpu", seconds):
            alg.update()
    return seconds[1:]


@contextlib.contextmanager
def busy(number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep cores busy with programs that do nothing useful, and yield these."""
    command = (sys.executable, "-c", "while True: pass")
    # In sessions of their own, as those of other terminals and users: Linux shares cores out among sessions
    programs = [subprocess.Popen(command, start_new_session=True) for _ in range(number)]
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()
            program.wait()


def plot(results: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Plot the median times as bars, on a logarithmic scale."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 2.6), layout="constrained")
    for i, (name, of_load) in enumerate(results.items()):
        positions = [load + 0.25 * (i - 1) for load in range(len(of_load))]
        axes.barh(positions, [statistics.median(seconds) for seconds in of_load.values()], height=0.22, label=name)
    axes.set_yticks(range(len(next(iter(results.values())))), list(next(iter(results.values()))))
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="seconds of an update (median)")
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = ClosedParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=machine.number_of_rounds, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--one", type=int, help="Measure here, with so many threads, and print JSON.", metavar="N")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.rounds)))
        return
    most = torch.get_num_threads()
    if most < 2:
        parser.error("this machine has one core, or OMP_NUM_THREADS says so: there is nothing to compare")
    plain = {name: value for name, value in os.environ.items() if name not in OWN}
    cases = {"1 thread": (1, plain)}
    cases |= {f"{most} threads, {name}": (most, plain | given) for name, given in WAITING.items()}
    results: dict[str, dict[str, list[float]]] = {name: {} for name in cases}
    record = {"machine": machine.describe("cpu"), "num_envs": NUM_ENVS, "load_average_before": os.getloadavg()}
    for number in (0, 1, most):
        load = "nothing else" if number == 0 else f"{number} busy program{'s' * (number > 1)}"
        with busy(number):
            for name, (threads, variables) in cases.items():
                own = (sys.executable, __file__, "--one", str(threads), "--rounds", str(args.rounds))
                done = subprocess.run(own, env=variables, stdout=subprocess.PIPE, text=True, check=True)
                results[name][load] = json.loads(done.stdout)
                print(f"{load:18}{name:36}{statistics.median(results[name][load]):9.3f} s", flush=True)
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / "threads_cpu.json"
    path.write_text(json.dumps(record | {"seconds_per_update": results}, indent=1) + "\n")
    plot(results, path.with_suffix(".png"))
    print(f"{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
