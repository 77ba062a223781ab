# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Time of an update of BPO against rsl_rl's PPO: same networks, batch and epochs, alternating in one process.

    ./isaaclab.sh -p benchmarks/update_time.py --preset cpu                   # or gpu
    ./isaaclab.sh -p benchmarks/update_time.py --preset cpu_sweep --rounds 2  # or gpu_sweep: 256 to 16384 environments
    ./isaaclab.sh -p benchmarks/update_time.py --preset cpu_compiled          # or gpu_compiled: with torch.compile

Writes JSON and a plot to benchmarks/results. No simulator runs: observations and rewards are random, with G1's sizes.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import io
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from rsl_rl.algorithms import PPO
from tensordict import TensorDict

import isaaclab_bpo.algorithms.bpo
import machine
from isaaclab_bpo.algorithms import BPO, AcceleratedBPO
from isaaclab_bpo.command_line import ClosedParser

NUM_OBS, NUM_ACTIONS, HIDDEN_DIMS, NUM_STEPS = 310, 37, [512, 256, 128], 24  # Isaac-Velocity-Rough-G1
NUM_MINI_BATCHES, NUM_EPOCHS = 4, 5
MEDIANS: dict[str, dict[str, Any]] = {
    "median critic": {"median": "critic"},
    "shared trunk": {"median": "critic", "median_head": "shared"},
    "batch median": {"median": "batch"},
    "value as median": {"median": "value"},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "PPO": {"class_name": "PPO"},
    **{f"BPO, {name}": median | {"accelerate": False} for name, median in MEDIANS.items()},
    **{f"BPO, {name}, accelerated": median | {"accelerate": True} for name, median in MEDIANS.items()},
    "BPO, median critic, accelerated, 10 epochs": {"accelerate": True, "num_learning_epochs": 10},
}
COMPILED = {
    "PPO, compiled": {"class_name": "PPO", "torch_compile_mode": "default"},
    "BPO, median critic, compiled": {"accelerate": True, "torch_compile_mode": "default"},
}
WITH_COMPILED = ("PPO", "BPO, median critic, accelerated", *COMPILED)
FEW_VARIANTS = ("PPO", "BPO, median critic, accelerated", "BPO, shared trunk, accelerated")
"""What a sweep on the CPU is limited to: an update with 16384 environments takes minutes there."""
SWEEP = (256, 1024, 4096, 16384)
PRESETS: dict[str, tuple[str, Iterable[int], Iterable[str]]] = {
    "cpu": ("cpu", (256,), VARIANTS),
    "cpu_sweep": ("cpu", SWEEP, FEW_VARIANTS),
    "cpu_compiled": ("cpu", (256,), WITH_COMPILED),
    "gpu": ("cuda:0", (4096,), VARIANTS),
    "gpu_sweep": ("cuda:0", SWEEP, VARIANTS),
    "gpu_compiled": ("cuda:0", (4096,), WITH_COMPILED),
}
"""Device, numbers of environments and variants of each preset."""


@dataclass
class Measurement:
    """Seconds of one update, and of collecting its rollout, over the rounds of the benchmark."""

    variant: str
    num_envs: int
    num_learning_epochs: int
    update_s: list[float] = field(default_factory=list)
    collect_s: list[float] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)
    host_reads_per_mini_batch: float = 0.0
    launches_per_mini_batch: dict[str, float] = field(default_factory=dict)
    flop_per_update: float = 0.0
    bytes_per_transition: float = 0.0
    peak_memory_mib: float | None = None

    @property
    def epoch_s(self) -> list[float]:
        return [seconds / self.num_learning_epochs for seconds in self.update_s]


def make_algorithm(variant: str, num_envs: int, device: str) -> PPO:
    """Build an algorithm through the road that rsl_rl's runner takes."""
    network = {"class_name": "MLPModel", "hidden_dims": HIDDEN_DIMS, "activation": "elu"}
    gaussian = {"class_name": "GaussianDistribution", "init_std": 1.0}
    settings = {"num_learning_epochs": NUM_EPOCHS, "num_mini_batches": NUM_MINI_BATCHES, "entropy_coef": 0.0}
    algorithm = {"class_name": "isaaclab_bpo.algorithms:BPO"} | settings | (VARIANTS | COMPILED)[variant]
    cfg = {
        "torch_compile_mode": algorithm.pop("torch_compile_mode", None),
        "algorithm": algorithm,
        "actor": network | {"distribution_cfg": gaussian},
        "critic": network,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "num_steps_per_env": NUM_STEPS,
        "multi_gpu": None,
    }
    env: Any = SimpleNamespace(num_envs=num_envs, num_actions=NUM_ACTIONS)
    obs = TensorDict({"policy": torch.zeros(num_envs, NUM_OBS)}, batch_size=[num_envs], device=device)
    with contextlib.redirect_stdout(io.StringIO()):
        return (PPO if algorithm["class_name"] == "PPO" else BPO).construct_algorithm(obs, env, cfg, device)


def make_rollout(num_envs: int, device: str) -> list[tuple[TensorDict, torch.Tensor, torch.Tensor, dict]]:
    """Return random observations, rewards, dones and extras of each step."""
    steps = []
    for _ in range(NUM_STEPS):
        policy = torch.randn(num_envs, NUM_OBS, device=device)
        obs = TensorDict({"policy": policy}, batch_size=[num_envs], device=device)
        dones = (torch.rand(num_envs, device=device) < 0.02).long()
        extras = {"time_outs": (dones * (torch.rand(num_envs, device=device) < 0.5)).float()}
        steps.append((obs, torch.randn(num_envs, device=device), dones, extras))
    return steps


def collect(alg: PPO, rollout: list[tuple[TensorDict, torch.Tensor, torch.Tensor, dict]]) -> None:
    """Fill the storage, through the calls that the runner makes."""
    with torch.inference_mode():
        for obs, rewards, dones, extras in rollout:
            alg.act(obs)
            alg.process_env_step(obs, rewards, dones, extras)
        alg.compute_returns(rollout[0][0])


@contextlib.contextmanager
def timer(device: str, seconds: list[float]) -> Iterator[None]:
    """Append the time of a block, with all work that it gives to the device."""
    machine.synchronize(device)
    start = time.perf_counter()
    yield
    machine.synchronize(device)
    seconds.append(time.perf_counter() - start)


class Phases:
    """Follows an update from phase to phase."""

    REST = "rest"

    def __init__(self, switched: Callable[[str, str], None]) -> None:
        """Call ``switched`` with the phases that end and begin whenever that happens."""
        self._switched, self._phase = switched, self.REST

    def switch(self, phase: str) -> None:
        outer, self._phase = self._phase, phase
        self._switched(outer, phase)

    def follow(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            outer = self._phase
            self.switch("targets" if outer == "targets" else phase)  # their forward passes count as targets
            result = function(*args, **kwargs)
            self.switch(outer)
            return result

        return run

    def update(self, alg: PPO) -> None:
        """Run an update; with CUDA graphs, a mini-batch is one phase."""
        with contextlib.ExitStack() as stack:

            def follow(phase: str, owner: Any, *names: str) -> None:
                for name in names:
                    stack.enter_context(patch.object(owner, name, self.follow(phase, getattr(owner, name))))

            if isinstance(alg, BPO):
                follow("targets", alg, "refresh_targets")
            if isinstance(alg, AcceleratedBPO) and alg.uses_graphs:
                follow("mini-batches", alg, "update_mini_batch")
            else:
                if not (whole := not inspect.ismethod(getattr(alg, "losses", alg.update))):  # compiled as a whole
                    follow("forward", alg.actor, "forward")
                    follow("forward", alg.critic, "forward")
                follow("backward", torch.Tensor, "backward")
                follow("optimizer", alg.optimizer, "step")
                follow("clipping", torch.nn.utils, "clip_grad_norm_")
                if isinstance(alg, BPO):
                    if not whole:
                        follow("forward", alg, "evaluate_actor")
                        follow("forward", alg.median, "evaluate")
                    follow("forward and loss" if whole else "loss", alg, "losses")
                    follow("clipping", isaaclab_bpo.algorithms.bpo, "clip_gradients")
                    follow("guards", alg.health, "is_usable")
                    follow("statistics", isaaclab_bpo.algorithms.bpo, "statistics_of")
                    follow("statistics", alg.health, "report")
            self.switch(self.REST)
            alg.update()
            self.switch(self.REST)


def shares_of_time(alg: PPO, device: str) -> dict[str, float]:
    """Return which part of an update each phase takes, waiting for the device whenever one ends."""
    seconds: dict[str, float] = {}
    start = time.perf_counter()

    def switched(ended: str, _: str) -> None:
        nonlocal start
        machine.synchronize(device)
        now = time.perf_counter()
        seconds[ended] = seconds.get(ended, 0.0) + now - start
        start = now

    Phases(switched).update(alg)
    total = sum(seconds.values())
    return {phase: share / total for phase, share in sorted(seconds.items())}


def launches_per_mini_batch(variant: str) -> dict[str, float]:
    """Return how many kernels an update launches in each phase, by mini-batch, if all tensors are on a GPU.

    It is counted on the CPU, of eager updates, of few environments: the number of kernels does not depend on theirs.
    """
    num_envs = 8
    alg = make_algorithm(variant, num_envs, "cpu")
    for group in alg.optimizer.param_groups:
        group["foreach"] = not group["fused"]  # as torch chooses on a GPU
    rollout = make_rollout(num_envs, "cpu")
    collect(alg, rollout)
    alg.update()  # in the first one, the optimizer makes its state
    collect(alg, rollout)
    launches = machine.KernelLaunches()
    with launches:
        Phases(lambda _, begins: setattr(launches, "phase", begins)).update(alg)
    num_mini_batches = alg.num_learning_epochs * alg.num_mini_batches
    return {phase: count / num_mini_batches for phase, count in sorted(launches.counts.items())}


def weights_per_layer(alg: PPO) -> list[list[int]]:
    """Return the numbers of weights of the layers of each network: actor, critic, and median critic if there is one."""
    networks = [alg.actor, alg.critic]
    if isinstance(alg, BPO) and alg.median.network is not None:
        networks.append(alg.median.network)  # type: ignore[arg-type]
    return [[m.weight.numel() for m in net.modules() if isinstance(m, torch.nn.Linear)] for net in networks]


def operations(alg: PPO, num_envs: int) -> float:
    """Return the floating-point operations of an update's matrix products: two per weight and pass, three passes.

    Backward takes two passes, for weights and inputs; the gradient with respect to the observations is not computed.
    Targets are one more pass of the critic at the start of every epoch but the first.
    """
    layers = weights_per_layer(alg)
    training = sum(6 * sum(weights) - 2 * (weights[0] if len(weights) > 1 else 0) for weights in layers)
    refreshes = (alg.num_learning_epochs - 1) / alg.num_learning_epochs if isinstance(alg, BPO) else 0.0
    per_sample = training + refreshes * 2 * sum(layers[1])
    return per_sample * alg.num_learning_epochs * num_envs * NUM_STEPS


def bytes_per_transition(alg: PPO, num_envs: int) -> float:
    """Return the size of the rollout storage divided by its number of transitions."""
    st = alg.storage
    tensors = [*st.observations.values(), *(st.distribution_params or ())]
    tensors += [value for value in vars(st).values() if isinstance(value, torch.Tensor)]
    sizes = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(sizes.values()) / (num_envs * NUM_STEPS)


def peak_memory(variant: str, num_envs: int, device: str) -> float:
    """Return the memory on the GPU that an algorithm needs at most, with nothing else of its kind there [MiB].

    It is what torch reserves in the second update, when graphs have been captured: what these keep is reserved, but not
    allocated.
    """
    rollout = make_rollout(num_envs, device)
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved(device)
    alg = make_algorithm(variant, num_envs, device)
    for _ in range(2):  # graphs are captured in the first update
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        collect(alg, rollout)
        alg.update()
    return (torch.cuda.max_memory_reserved(device) - before) / 2**20


def measure(num_envs: int, rounds: int, device: str, variants: Iterable[str]) -> list[Measurement]:
    """Measure variants, one after the other in each round, so that a slower minute meets all of them."""
    torch.compiler.reset()  # what was compiled for other sizes counts against torch's limit
    algorithms = {name: make_algorithm(name, num_envs, device) for name in variants}
    results = {name: Measurement(name, num_envs, alg.num_learning_epochs) for name, alg in algorithms.items()}
    rollout = make_rollout(num_envs, device)
    # On CUDA several rounds warm up: graphs are captured
    for round_ in range(-1 if device == "cpu" else -3, rounds):
        for name, alg in algorithms.items():
            result = results[name]
            with timer(device, result.collect_s if round_ >= 0 else []):
                collect(alg, rollout)
            with timer(device, result.update_s if round_ >= 0 else []):
                alg.update()
    for name, alg in algorithms.items():
        result = results[name]
        collect(alg, rollout)
        result.shares = shares_of_time(alg, device)
        collect(alg, rollout)
        reads = machine.count_host_reads(alg.update, device)
        result.host_reads_per_mini_batch = reads / (result.num_learning_epochs * NUM_MINI_BATCHES)
        result.launches_per_mini_batch = launches_per_mini_batch(name)
        result.flop_per_update = operations(alg, num_envs)
        result.bytes_per_transition = bytes_per_transition(alg, num_envs)
    return list(results.values())


def report(measurements: list[Measurement], ceilings: dict[int, dict[str, float]]) -> None:
    """Print a table; ratios are medians of the ratios to PPO within each round.

    "at ceiling" is the time of the matrix products alone at the rate that the machine reached with them.
    """
    print(
        f"{'':44}{'envs':>6}{'update':>11}{'quartiles':>17}{'/ PPO':>7}{'per epoch':>11}{'collect':>9}"
        f"{'host reads':>12}{'B/transition':>14}{'at ceiling':>12}{'peak memory':>13}"
    )
    ppo = {m.num_envs: m for m in measurements if m.variant == "PPO"}
    for m in measurements:
        base = ppo[m.num_envs]
        low, mid, high = machine.quartiles(m.update_s)
        update, epoch, collecting = (
            machine.paired_ratio(getattr(m, name), getattr(base, name)) for name in ("update_s", "epoch_s", "collect_s")
        )
        print(
            f"{m.variant:44}{m.num_envs:6}{1e3 * mid:8.1f} ms{1e3 * low:8.1f} -{1e3 * high:7.1f}{update:7.2f}"
            f"{epoch:11.2f}{collecting:9.2f}{m.host_reads_per_mini_batch:12.1f}{m.bytes_per_transition:14.1f}"
            f"{1e3 * m.flop_per_update / ceilings[m.num_envs]['flop_per_s']:9.1f} ms"
            + ("" if m.peak_memory_mib is None else f"{m.peak_memory_mib:9.0f} MiB")
        )
    if len(ppo) > 1:
        smallest = {m.variant: m for m in measurements if m.num_envs == min(ppo)}
        print(f"\nTime per transition, against that with {min(ppo)} environments:")
        for m in measurements:
            print(f"{m.variant:44}{m.num_envs:6}{growth(m, smallest[m.variant]):8.2f}")
    print("\nShares of the time of an update:")
    for m in measurements:
        shares = ", ".join(f"{phase} {share:.1%}" for phase, share in m.shares.items())
        print(f"{m.variant:44}{m.num_envs:6}  {shares}")
    print("\nKernels that a mini-batch launches on a GPU, without CUDA graphs and eagerly:")
    for m in {m.variant: m for m in measurements if m.variant not in COMPILED}.values():
        counts = ", ".join(f"{phase} {count:.1f}" for phase, count in m.launches_per_mini_batch.items())
        print(f"{m.variant:44}{sum(m.launches_per_mini_batch.values()):6.1f}  {counts}")


def growth(m: Measurement, smallest: Measurement) -> float:
    """Return the time of an update per transition, against that with fewer environments: 1 if it grows linearly."""
    return statistics.median(m.update_s) / m.num_envs / (statistics.median(smallest.update_s) / smallest.num_envs)


def plot(measurements: list[Measurement], path: Path) -> None:
    """Plot medians with quartiles against the number of environments, or as bars if there is one number."""
    import matplotlib.pyplot as plt

    sizes = list(dict.fromkeys(m.num_envs for m in measurements))
    names = list(dict.fromkeys(m.variant for m in measurements))
    height = 0.35 * len(names) + 1.2 if len(sizes) == 1 else 3.6
    figure, axes = plt.subplots(figsize=(8.0, height), layout="constrained")
    for i, name in enumerate(names):
        quartiles = [machine.quartiles(m.epoch_s) for m in measurements if m.variant == name]
        low, mid, high = (1e3 * torch.tensor(column) for column in zip(*quartiles, strict=True))
        errors = torch.stack([mid - low, high - mid])
        if len(sizes) == 1:
            color = "#d95f02" if name.startswith("PPO") else "#1b6ca8" if "accelerated" in name else "#9db8d2"
            axes.barh(i, mid, xerr=errors, color=color)
        else:
            axes.errorbar(sizes, mid, errors, marker="o", label=name)
    if len(sizes) == 1:
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(xlabel="ms per epoch (median, quartiles)", title=f"{sizes[0]} environments x {NUM_STEPS} steps")
    else:
        axes.set(xscale="log", yscale="log", xlabel="environments", ylabel="ms per epoch (median, quartiles)")
        axes.set_xticks(sizes, list(map(str, sizes)))
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = ClosedParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="gpu" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--num_envs", type=int, nargs="+", help="Environments; several for a sweep.")
    parser.add_argument("--rounds", type=machine.number_of_rounds, default=15)
    parser.add_argument("--threads", type=int, default=1, help="Threads of torch on the CPU.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    device, num_envs, variants = PRESETS[args.preset]
    if device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--preset {args.preset} needs a CUDA device and this machine has none: use --preset cpu")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # as Isaac Lab trains

    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"update_time_{args.preset}.json"
    record = {"machine": machine.describe(device), "arguments": vars(args) | {"output": None}, "seed": 0}
    # What the C library keeps of freed memory shows in the time of large updates on the CPU
    record["malloc"] = {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")}
    measurements = []
    ceilings = {}
    for n in args.num_envs or num_envs:
        ceilings[n] = machine.ceilings(device, n * NUM_STEPS // NUM_MINI_BATCHES)
        of_size = measure(n, args.rounds, device, variants)
        if device != "cpu":
            for m in of_size:
                m.peak_memory_mib = peak_memory(m.variant, n, device)
        measurements += of_size
        record |= {"ceilings": ceilings, "measurements": [asdict(m) for m in measurements]}
        path.write_text(json.dumps(record, indent=1) + "\n")
    report(measurements, ceilings)
    plot(measurements, path.with_suffix(".png"))
    print(f"{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
