# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Steps per second of BPO and PPO on a task of Gymnasium against Stable-Baselines3's PPO, alternating in one process.

    source .venv/bin/activate
    uv run --no-project --active --with stable-baselines3==2.9.2 --with opencv-python-headless \
        python benchmarks/gym_speed.py --preset cpu [--env Hopper-v5]  # or gpu

Writes JSON and a plot to benchmarks/results. Networks, batch and epochs are the same for all: those of the paper on
Atari, and on a task without images two layers of 64, mini-batches of 64 and ten epochs. BPO and PPO run as they are and
with ``torch_compile_mode=default``. On the paper's MuJoCo tasks BPO runs with the authors' settings, too. Environments
are stepped by one thread, as Stable-Baselines3 does it, unless ``--threads`` is given.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rsl_rl.runners import OnPolicyRunner

import machine
from isaaclab_bpo.agents import gymnasium as agents
from isaaclab_bpo.agents import mujoco
from isaaclab_bpo.envs import make_gym_vec_env
from update_time import timer

PRESETS = {"cpu": "cpu", "gpu": "cuda:0"}
STABLE_BASELINES3 = "Stable-Baselines3's PPO"
PHASES = ("simulation", "inference", "update")


@dataclass
class Learner:
    """An algorithm with its environments."""

    iterate: Callable[[], Any]
    """Runs an iteration."""
    seconds: dict[str, list[float]]
    """The times of its phases: of each simulation step and of each update [s]."""
    num_steps: int
    """Steps of an iteration, of all environments together."""
    num_updates: int
    """Mini-batches of an iteration, those of all epochs."""


def timed(owner: Any, name: str, device: str) -> list[float]:
    """Let a method of an object append to the list that is returned how long each call takes [s]."""
    seconds: list[float] = []
    method = getattr(owner, name)

    def run(*args: Any, **kwargs: Any) -> Any:
        with timer(device, seconds):
            return method(*args, **kwargs)

    setattr(owner, name, run)
    return seconds


def has_images(env_id: str) -> bool:
    """Return whether a task is an Atari game."""
    return "NoFrameskip" in env_id


def make_cfg(algorithm: str, env_id: str) -> Any:
    """Return the configuration of BPO or PPO."""
    if has_images(env_id):
        cfg: Any = getattr(agents, f"{algorithm}_cfg")(env_id, images=True, nvec=[])
        cfg.algorithm.num_learning_epochs = 4  # PPO's; BPO's own setting is 5
    else:
        cfg = getattr(agents, f"{algorithm}_cfg")(env_id, images=False, nvec=None)
        cfg.algorithm.num_learning_epochs, cfg.algorithm.num_mini_batches = 10, 16
        cfg.algorithm.schedule = "fixed"  # Stable-Baselines3 has no other
    return cfg


def make_ours(cfg: Any, env_id: str, num_envs: int, device: str, num_threads: int) -> Learner:
    """Make BPO or PPO as the task's command does, under rsl_rl's runner."""
    from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg  # slow: not before the arguments are checked

    handle_deprecated_rsl_rl_cfg(cfg, version("rsl-rl-lib"))
    env = make_gym_vec_env(env_id, num_envs, device, seed=0, num_threads=num_threads)
    runner = OnPolicyRunner(env, cfg.to_dict(), log_dir=None, device=device)
    seconds = {"simulation": timed(env, "step", device), "update": timed(runner.alg, "update", device)}
    num_updates = cfg.algorithm.num_learning_epochs * cfg.algorithm.num_mini_batches
    return Learner(lambda: runner.learn(1), seconds, num_envs * cfg.num_steps_per_env, num_updates)


def make_stable_baselines3(env_id: str, device: str) -> Learner:
    """Make Stable-Baselines3's PPO with the same networks and settings, and its own wrappers."""
    from stable_baselines3 import PPO  # type: ignore[import-not-found]
    from stable_baselines3.common.env_util import make_atari_env, make_vec_env  # type: ignore[import-not-found]
    from stable_baselines3.common.vec_env import VecFrameStack  # type: ignore[import-not-found]

    cfg = make_cfg("ppo", env_id)
    settings = cfg.algorithm
    if has_images(env_id):
        env = VecFrameStack(make_atari_env(env_id, agents.NUM_ENVS, seed=0), 4)
    else:
        env = make_vec_env(env_id, agents.NUM_ENVS, seed=0)
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[cfg.actor.activation]
    model = PPO(
        "CnnPolicy" if has_images(env_id) else "MlpPolicy",
        env,
        n_steps=cfg.num_steps_per_env,
        batch_size=agents.NUM_ENVS * cfg.num_steps_per_env // settings.num_mini_batches,
        n_epochs=settings.num_learning_epochs,
        learning_rate=settings.learning_rate,
        gamma=settings.gamma,
        gae_lambda=settings.lam,
        clip_range=settings.clip_param,
        ent_coef=settings.entropy_coef,
        vf_coef=settings.value_loss_coef,
        max_grad_norm=settings.max_grad_norm,
        policy_kwargs={"net_arch": cfg.actor.hidden_dims, "activation_fn": activation},
        device=device,
    )
    seconds = {"simulation": timed(model.env, "step", device), "update": timed(model, "train", device)}
    num_steps = agents.NUM_ENVS * cfg.num_steps_per_env
    num_updates = settings.num_learning_epochs * settings.num_mini_batches
    return Learner(lambda: model.learn(num_steps, reset_num_timesteps=False), seconds, num_steps, num_updates)


def make_learners(env_id: str, device: str, num_threads: int) -> dict[str, Learner]:
    """Make all that are compared on a task."""
    learners = {}
    for name in ("BPO", "PPO", "BPO, compiled", "PPO, compiled"):
        cfg = make_cfg(name[:3].lower(), env_id)
        cfg.torch_compile_mode = "default" if "compiled" in name else None
        learners[name] = make_ours(cfg, env_id, agents.NUM_ENVS, device, num_threads)
    if (task := env_id.rpartition("-")[0]) in mujoco.MUJOCO_TASKS:
        learners["BPO, the authors' settings"] = make_ours(
            mujoco.bpo_cfg(task), env_id, mujoco.NUM_ENVS, device, num_threads
        )
    return learners | {STABLE_BASELINES3: make_stable_baselines3(env_id, device)}


def measure(learners: dict[str, Learner], rounds: int, device: str) -> dict[str, dict[str, list[float]]]:
    """Return the seconds of each phase of an iteration, by learner and phase; a first round warms up.

    Inference is all of an iteration that is neither simulation nor update, such as the storage and the targets.
    """
    results: dict[str, dict[str, list[float]]] = {name: {phase: [] for phase in PHASES} for name in learners}
    for round_ in range(-1, rounds):
        for name, learner in learners.items():
            whole: list[float] = []
            with contextlib.redirect_stdout(io.StringIO()), timer(device, whole):
                learner.iterate()
            phases = {phase: sum(calls) for phase, calls in learner.seconds.items()}
            phases["inference"] = whole[0] - sum(phases.values())
            for phase in PHASES if round_ >= 0 else ():
                results[name][phase].append(phases[phase])
            for calls in learner.seconds.values():
                calls.clear()
    return results


def iterations(phases: dict[str, list[float]]) -> list[float]:
    """Return the seconds of each iteration."""
    return [sum(of_round) for of_round in zip(*phases.values(), strict=True)]


def report(results: dict[str, dict[str, list[float]]], learners: dict[str, Learner]) -> None:
    """Print medians of agent steps per second, of each phase and together, and of the time of a mini-batch [ms].

    The ratio is the median of the mini-batches' ratios to Stable-Baselines3's within each round.
    """
    times = {name: [1e3 * s / learners[name].num_updates for s in of["update"]] for name, of in results.items()}
    print(f"{'':26}" + "".join(f"{name:>12}" for name in (*PHASES, "together", "mini-batch", "ratio")))
    for name, phases in results.items():
        speeds = [learners[name].num_steps / statistics.median(s) for s in (*phases.values(), iterations(phases))]
        of_batch = statistics.median(times[name]), machine.paired_ratio(times[name], times[STABLE_BASELINES3])
        print(f"{name:26}" + "".join(f"{s:12.0f}" for s in speeds) + "".join(f"{t:12.2f}" for t in of_batch))


def plot(results: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Plot the median times of the phases, in seconds per agent step, as bars."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 1.0 + 0.4 * len(results)), layout="constrained")
    left = [0.0] * len(results)
    for phase, color in zip(PHASES, ("#9db8d2", "#1b6ca8", "#d95f02"), strict=True):
        widths = [1e3 * statistics.median(phases[phase]) for phases in results.values()]
        axes.barh(list(results), widths, left=left, label=phase, color=color)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("ms per agent step (median)")
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="gpu" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--env", default="BreakoutNoFrameskip-v4", help="A game without frame skip, or a task.")
    parser.add_argument("--rounds", type=machine.number_of_rounds, default=15)
    parser.add_argument("--threads", type=int, default=1, help="Threads of torch on the CPU, and of our games.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    device = PRESETS[args.preset]
    if device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--preset {args.preset} needs a CUDA device and this machine has none: use --preset cpu")
    if any(importlib.util.find_spec(name) is None for name in ("stable_baselines3", "cv2")):
        parser.error(
            "Stable-Baselines3 or OpenCV is not installed: run this program with `uv run --no-project --active "
            "--with stable-baselines3==2.9.2 --with opencv-python-headless python benchmarks/gym_speed.py`"
        )
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # as Isaac Lab trains

    record: dict[str, Any] = {
        "machine": machine.describe(device) | {"stable_baselines3": version("stable-baselines3")},
        "arguments": vars(args) | {"output": None},
        "seed": 0,
        "load_average_before": os.getloadavg(),  # of other programs
    }
    with contextlib.redirect_stdout(io.StringIO()):
        learners = make_learners(args.env, device, args.threads)
    results = measure(learners, args.rounds, device)
    report(results, learners)

    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"{'atari' if has_images(args.env) else 'gym'}_speed_{args.preset}.json"
    record["steps_per_iteration"] = {name: learner.num_steps for name, learner in learners.items()}
    record["mini_batches_per_iteration"] = {name: learner.num_updates for name, learner in learners.items()}
    record["seconds_per_iteration"] = results
    path.write_text(json.dumps(record, indent=1) + "\n")
    per_step = {
        name: {phase: [s / learners[name].num_steps for s in seconds] for phase, seconds in phases.items()}
        for name, phases in results.items()
    }
    plot(per_step, path.with_suffix(".png"))
    print(f"{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
