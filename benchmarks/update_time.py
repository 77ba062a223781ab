# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Time of an update of BPO against rsl_rl's PPO: same networks, batch and epochs, alternating in one process.

    ./isaaclab.sh -p benchmarks/update_time.py --preset cpu
    ./isaaclab.sh -p benchmarks/update_time.py --preset gpu --num_envs 256 1024 4096 16384

Writes JSON and a plot to benchmarks/results. No simulator runs: observations and rewards are random, with G1's sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import machine
import torch
from rsl_rl.algorithms import PPO
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO

NUM_OBS, NUM_ACTIONS, HIDDEN_DIMS, NUM_STEPS = 310, 37, [512, 256, 128], 24  # Isaac-Velocity-Rough-G1
PRESETS = {"cpu": ("cpu", [256]), "gpu": ("cuda:0", [4096])}
VARIANTS: dict[str, dict[str, Any]] = {
    "PPO": {"class_name": "PPO"},
    "BPO, median critic": {"median": "critic"},
    "BPO, batch median": {"median": "batch"},
    "BPO, value as median": {"median": "value"},
}


@dataclass
class Measurement:
    """Seconds of one update, and of collecting its rollout, over the rounds of the benchmark."""

    variant: str
    num_envs: int
    num_learning_epochs: int
    update_s: list[float]
    collect_s: list[float]
    bytes_per_transition: float
    peak_memory_mib: float | None

    @property
    def epoch_s(self) -> list[float]:
        return [seconds / self.num_learning_epochs for seconds in self.update_s]


def make_algorithm(variant: str, num_envs: int, num_learning_epochs: int, device: str) -> PPO:
    """Build an algorithm through the road that rsl_rl's runner takes."""
    network = {"class_name": "MLPModel", "hidden_dims": HIDDEN_DIMS, "activation": "elu"}
    gaussian = {"class_name": "GaussianDistribution", "init_std": 1.0}
    algorithm = {"class_name": "isaaclab_bpo.algorithms:BPO", "entropy_coef": 0.0} | VARIANTS[variant]
    cfg = {
        "algorithm": algorithm | {"num_learning_epochs": num_learning_epochs, "num_mini_batches": 4},
        "actor": network | {"distribution_cfg": gaussian},
        "critic": network,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "num_steps_per_env": NUM_STEPS,
        "multi_gpu": None,
    }
    env: Any = SimpleNamespace(num_envs=num_envs, num_actions=NUM_ACTIONS)
    obs = TensorDict({"policy": torch.zeros(num_envs, NUM_OBS)}, batch_size=[num_envs], device=device)
    with contextlib.redirect_stdout(io.StringIO()):
        return (PPO if variant == "PPO" else BPO).construct_algorithm(obs, env, cfg, device)


def collect(alg: PPO, num_envs: int, device: str) -> None:
    """Fill the storage with a random rollout, through the calls that the runner makes."""

    def observe() -> TensorDict:
        return TensorDict({"policy": torch.randn(num_envs, NUM_OBS, device=device)}, batch_size=[num_envs])

    with torch.inference_mode():
        obs = observe()
        for _ in range(NUM_STEPS):
            alg.act(obs)
            obs = observe()
            dones = (torch.rand(num_envs, device=device) < 0.02).long()
            extras = {"time_outs": (dones * (torch.rand(num_envs, device=device) < 0.5)).float()}
            alg.process_env_step(obs, torch.randn(num_envs, device=device), dones, extras)
        alg.compute_returns(obs)


@contextlib.contextmanager
def timer(device: str, seconds: list[float]) -> Iterator[None]:
    """Append the time of a block, with all work that it gives to the device."""
    machine.synchronize(device)
    start = time.perf_counter()
    yield
    machine.synchronize(device)
    seconds.append(time.perf_counter() - start)


def bytes_per_transition(alg: PPO, num_envs: int) -> float:
    """Return the size of the rollout storage divided by its number of transitions."""
    st = alg.storage
    tensors = [*st.observations.values(), *(st.distribution_params or ())]
    tensors += [value for value in vars(st).values() if isinstance(value, torch.Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) / (num_envs * NUM_STEPS)


def measure(num_envs: int, num_learning_epochs: int, rounds: int, device: str) -> list[Measurement]:
    """Measure all variants, one after the other in each round, so that a slower minute meets all of them."""
    algorithms = {name: make_algorithm(name, num_envs, num_learning_epochs, device) for name in VARIANTS}
    measurements = {name: Measurement(name, num_envs, num_learning_epochs, [], [], 0.0, None) for name in algorithms}
    for round_ in range(rounds + 1):
        for name, alg in algorithms.items():
            result = measurements[name]
            if device != "cpu":
                torch.cuda.reset_peak_memory_stats(device)
            # The first round warms up
            with timer(device, result.collect_s if round_ else []):
                collect(alg, num_envs, device)
            with timer(device, result.update_s if round_ else []):
                alg.update()
            result.bytes_per_transition = bytes_per_transition(alg, num_envs)
            if device != "cpu":
                result.peak_memory_mib = torch.cuda.max_memory_allocated(device) / 2**20
    return list(measurements.values())


def report(measurements: list[Measurement]) -> None:
    """Print a table; the ratio is the median of the paired ratios to PPO in the same round."""
    print(f"{'':24}{'envs':>7}{'update':>12}{'quartiles':>19}{'/ PPO':>8}{'collect / PPO':>15}{'B/transition':>14}")
    ppo = {m.num_envs: m for m in measurements if m.variant == "PPO"}
    for m in measurements:
        base = ppo[m.num_envs]
        low, mid, high = machine.quartiles(m.update_s)
        print(
            f"{m.variant:24}{m.num_envs:7}{1e3 * mid:10.1f} ms{1e3 * low:9.1f} -{1e3 * high:8.1f}"
            f"{machine.paired_ratio(m.update_s, base.update_s):8.2f}"
            f"{machine.paired_ratio(m.collect_s, base.collect_s):15.2f}{m.bytes_per_transition:14.1f}"
        )


def plot(measurements: list[Measurement], path: Path) -> None:
    """Plot medians with quartiles against the number of environments, or as bars if there is one number."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 4.0), layout="constrained")
    sizes = sorted({m.num_envs for m in measurements})
    for i, name in enumerate(VARIANTS):
        quartiles = [machine.quartiles(m.epoch_s) for m in measurements if m.variant == name]
        low, mid, high = (1e3 * torch.tensor(column) for column in zip(*quartiles, strict=True))
        errors = torch.stack([mid - low, high - mid])
        if len(sizes) == 1:
            axes.barh(i, mid, xerr=errors, color="#d95f02" if name == "PPO" else "#1b6ca8")
        else:
            axes.errorbar(sizes, mid, errors, marker="o", label=name)
    if len(sizes) == 1:
        axes.set_yticks(range(len(VARIANTS)), list(VARIANTS))
        axes.invert_yaxis()
        axes.set(xlabel="ms per epoch (median, quartiles)", title=f"{sizes[0]} environments x {NUM_STEPS} steps")
    else:
        axes.set(xscale="log", yscale="log", xlabel="environments", ylabel="ms per epoch (median, quartiles)")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="gpu" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--num_envs", type=int, nargs="+", help="Environments; several for a sweep.")
    parser.add_argument("--num_learning_epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="Threads of torch on the CPU.")
    args = parser.parse_args()
    device, num_envs = PRESETS[args.preset]
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    measurements = []
    for n in args.num_envs or num_envs:
        measurements += measure(n, args.num_learning_epochs, args.rounds, device)
    report(measurements)

    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    path = results / f"update_time_{args.preset}.json"
    record = {"machine": machine.describe(device), "arguments": vars(args), "seed": 0}
    record["measurements"] = [asdict(m) for m in measurements]
    path.write_text(json.dumps(record, indent=1) + "\n")
    plot(measurements, path.with_suffix(".png"))
    print(f"{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
