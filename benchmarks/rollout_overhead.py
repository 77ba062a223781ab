# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Cost of an environment step outside the simulator: act + process_env_step + compute_returns, BPO against PPO.

    ./isaaclab.sh -p benchmarks/rollout_overhead.py --preset cpu
    ./isaaclab.sh -p benchmarks/rollout_overhead.py --preset gpu

Writes JSON and a plot to benchmarks/results. Observations and rewards are random, with G1's sizes.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

import machine
from isaaclab_bpo.command_line import ClosedParser
from update_time import NUM_STEPS, collect, make_algorithm, make_rollout, timer, weights_per_layer

PRESETS = {"cpu": ("cpu", [16, 64, 256]), "gpu": ("cuda:0", [1024, 4096, 16384])}
VARIANTS = ("PPO", "BPO, median critic", "BPO, median critic, accelerated", "BPO, shared trunk, accelerated")


def measure(num_envs: int, rounds: int, device: str) -> dict[str, list[float]]:
    """Return the seconds per environment step of each variant, in alternating rounds."""
    algorithms = {name: make_algorithm(name, num_envs, device) for name in VARIANTS}
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    rollout = make_rollout(num_envs, device)
    for round_ in range(-3, rounds):
        for name, alg in algorithms.items():
            with timer(device, seconds[name] if round_ >= 0 else []):
                collect(alg, rollout)
            alg.storage.clear()
    return {name: [total / NUM_STEPS for total in totals] for name, totals in seconds.items()}


def operations(num_envs: int) -> float:
    """Return the floating-point operations of the matrix products of a step: one pass of actor and critic."""
    actor, critic = weights_per_layer(make_algorithm("PPO", 1, "cpu"))
    return 2.0 * sum(actor + critic) * num_envs


def plot(results: dict[int, dict[str, list[float]]], path: Path) -> None:
    """Plot medians with quartiles against the number of environments."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.0, 3.6), layout="constrained")
    for name in VARIANTS:
        quartiles = [machine.quartiles(of_variant[name]) for of_variant in results.values()]
        low, mid, high = (1e3 * torch.tensor(column) for column in zip(*quartiles, strict=True))
        axes.errorbar(list(results), mid, torch.stack([mid - low, high - mid]), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="environments", ylabel="ms per step (median, quartiles)")
    axes.set_xticks(list(results), list(map(str, results)))
    axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = ClosedParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="gpu" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=machine.number_of_rounds, default=40)
    parser.add_argument("--threads", type=int, default=1, help="Threads of torch on the CPU.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    device, sizes = PRESETS[args.preset]
    if device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--preset {args.preset} needs a CUDA device and this machine has none: use --preset cpu")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = True  # as Isaac Lab trains

    record = {"machine": machine.describe(device), "arguments": vars(args) | {"output": None}, "seed": 0}
    results = {num_envs: measure(num_envs, args.rounds, device) for num_envs in sizes}
    at_ceiling = {
        num_envs: operations(num_envs) / machine.ceilings(device, num_envs * NUM_STEPS)["flop_per_s"]
        for num_envs in sizes
    }
    print(f"{'':34}{'envs':>6}{'per step':>12}{'quartiles':>18}{'/ PPO':>7}")
    for num_envs, of_variant in results.items():
        share = at_ceiling[num_envs] / machine.quartiles(of_variant["PPO"])[1]
        print(f"{'matrix products at ceiling':34}{num_envs:6}{1e3 * at_ceiling[num_envs]:9.3f} ms{share:25.2f}")
        for name, seconds in of_variant.items():
            low, mid, high = machine.quartiles(seconds)
            ratio = machine.paired_ratio(seconds, of_variant["PPO"])
            print(f"{name:34}{num_envs:6}{1e3 * mid:9.3f} ms{1e3 * low:9.3f} -{1e3 * high:7.3f}{ratio:7.2f}")

    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"rollout_overhead_{args.preset}.json"
    record |= {"seconds_per_step": results, "seconds_of_matrix_products_at_ceiling": at_ceiling}
    path.write_text(json.dumps(record, indent=1) + "\n")
    plot(results, path.with_suffix(".png"))
    print(f"{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
