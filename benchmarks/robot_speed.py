# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Steps per second of whole training iterations on robots of Isaac Lab: BPO and PPO, alternating in one simulation.

    ./isaaclab.sh -p benchmarks/robot_speed.py --preset cpu  # or gpu

Writes JSON and a plot to benchmarks/results. Each algorithm has its own settings: BPO those of the paper, PPO those
that Isaac Lab has tuned. Simulation is what the environment takes, rewards and observations included, inference what is
left of the collection. On a CPU both run with one thread of torch and with all of them.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import machine
from gym_speed import PHASES, Learner, iterations, measure, plot, timed
from isaaclab_bpo.cli.surroundings import prepare
from isaaclab_bpo.command_line import ClosedParser

ROBOTS = {
    "G1": "Isaac-Velocity-Rough-G1",
    "H1": "Isaac-Velocity-Rough-H1",
    "Go1": "IsaacContrib-Velocity-Rough-UnitreeGo1",
    "ANYmal-C": "IsaacContrib-Velocity-Rough-AnymalC",
}
PRESETS: dict[str, tuple[str, tuple[int, ...], str]] = {
    "cpu": ("cpu", (64, 256), "ovphysx"),
    "gpu": ("cuda:0", (4096,), "newton_mjwarp"),
}
"""Device, numbers of environments and physics engine of each preset."""


def measure_robot(robot: str, num_envs: int, device: str, physics: str, rounds: int) -> dict[str, Any]:
    """Measure all learners in one simulation, which a process can have only one of.

    Returns:
        Seconds of each phase of an iteration, by learner and phase, and the steps of all environments in an iteration.
    """
    from isaaclab_bpo.cli.command import translate
    from isaaclab_bpo.cli.run import launched

    given = f"--task {ROBOTS[robot]} --num_envs {num_envs} --device {device} --seed 1 --assets standin".split()
    counts = [torch.get_num_threads()] if device != "cpu" else sorted({1, torch.get_num_threads()})
    commands = {
        name: translate("train", [*given, f"physics={physics}", "--algo", name.lower()]) for name in ("BPO", "PPO")
    }
    num_steps = num_envs * commands["BPO"].agent_cfg.num_steps_per_env
    with launched(commands["BPO"]) as run, tempfile.TemporaryDirectory() as folder:
        env = run.make_env(Path(folder))
        learners: dict[str, Learner] = {}
        for name, command in commands.items():
            run.command = command
            runner = run.make_runner(env)
            seconds = {"simulation": timed(runner.env, "step", device), "update": timed(runner.alg, "update", device)}
            settings = command.agent_cfg.algorithm
            num_updates = settings.num_learning_epochs * settings.num_mini_batches
            for count in counts:
                iterate = functools.partial(_learn, runner, count)
                learners[learner_name(name, count, device)] = Learner(iterate, seconds, num_steps, num_updates)
        results = measure(learners, rounds, device)
    return {"robot": robot, "num_envs": num_envs, "steps_per_iteration": num_steps, "seconds_per_iteration": results}


def learner_name(algorithm: str, threads: int, device: str) -> str:
    """Return the name of an algorithm that runs with this many threads."""
    return algorithm if device != "cpu" else f"{algorithm}, {threads} thread{'s' * (threads > 1)}"


def _learn(runner: Any, threads: int) -> None:
    torch.set_num_threads(threads)
    runner.learn(1)


def report(measurements: list[dict[str, Any]]) -> None:
    """Print medians of steps per second, the share of the update, and how fast an iteration is against PPO's.

    The ratio is the median of the ratios within each round, to PPO with as many threads.
    """
    print(f"{'':36}{'steps/s':>9}{'simulation':>12}{'inference':>11}{'update':>8}{'against PPO':>13}")
    for of_robot in measurements:
        results = of_robot["seconds_per_iteration"]
        for name, phases in results.items():
            whole = iterations(phases)
            median = machine.quartiles(whole)[1]
            shares = [machine.quartiles(phases[phase])[1] / median for phase in PHASES]
            ratio = machine.paired_ratio(iterations(results[name.replace("BPO", "PPO")]), whole)
            print(
                f"{of_robot['robot']:10}{of_robot['num_envs']:6}  {name:18}"
                f"{of_robot['steps_per_iteration'] / median:9.0f}"
                f"{shares[0]:12.0%}{shares[1]:11.0%}{shares[2]:8.0%}{ratio:13.2f}"
            )


def main() -> None:
    prepare()  # how the threads of the processes that it starts wait
    parser = ClosedParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="gpu" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--robots", choices=ROBOTS, nargs="+", default=list(ROBOTS))
    parser.add_argument("--num_envs", type=int, nargs="+", help="Numbers of environments, in place of the preset's.")
    parser.add_argument("--rounds", type=machine.number_of_rounds, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--one", help="Measure this robot alone and write JSON to this file.", metavar="FILE")
    args = parser.parse_args()
    device, sizes, physics = PRESETS[args.preset]
    if device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--preset {args.preset} needs a CUDA device and this machine has none: use --preset cpu")
    sizes = args.num_envs or sizes
    if args.one:
        with contextlib.redirect_stdout(io.StringIO()):
            result = measure_robot(args.robots[0], sizes[0], device, physics, args.rounds)
        Path(args.one).write_text(json.dumps(result))
        return

    record = {"machine": machine.describe(device), "seed": 1, "load_average_before": os.getloadavg(), "robots": []}
    for robot in args.robots:
        for num_envs in sizes:
            with tempfile.NamedTemporaryFile(suffix=".json") as file:
                own = ("--preset", args.preset, "--robots", robot, "--num_envs", str(num_envs), "--one", file.name)
                subprocess.run([sys.executable, __file__, *own, "--rounds", str(args.rounds)], check=True)
                record["robots"].append(json.loads(Path(file.name).read_text()))
    report(record["robots"])
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"robot_speed_{args.preset}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    per_step = {
        f"{r['robot']}, {r['num_envs']}: {name}": {
            phase: [s / r["steps_per_iteration"] for s in seconds] for phase, seconds in phases.items()
        }
        for r in record["robots"]
        for name, phases in r["seconds_per_iteration"].items()
    }
    plot(per_step, path.with_suffix(".png"))
    print(f"{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
