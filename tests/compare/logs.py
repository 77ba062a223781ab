# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Folders like those that Isaac Lab and rsl_rl write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import yaml
from torch.utils.tensorboard import SummaryWriter

BPO, PPO = "isaaclab_bpo.algorithms:BPO", "PPO"
NUM_ENVS, NUM_STEPS = 8, 5


def write_events(folder: Path, returns: Sequence[float | None], start: int = 0, seconds: float = 2.0) -> None:
    """Write the scalars of rsl_rl's logger for iterations from ``start`` on; None is an iteration without a return."""
    writer = SummaryWriter(str(folder))
    for iteration, value in enumerate(returns, start):
        writer.add_scalar("Perf/collection_time", 0.75 * seconds, iteration)
        writer.add_scalar("Perf/learning_time", 0.25 * seconds, iteration)
        if value is not None:
            writer.add_scalar("Train/mean_reward", value, iteration)
    writer.close()


def write_run(
    folder: Path,
    returns: Sequence[float | None],
    task: str = "Walk",
    algorithm: str = PPO,
    seed: int = 1,
    start: int = 0,
    checkpoint: str = "model_.*.pt",
    **hyperparameters: float,
) -> Path:
    """Write what a training leaves behind."""
    (folder / "params").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"task": task, "metadata": {"agent": "agent"}}))
    agent = {"seed": seed, "num_steps_per_env": NUM_STEPS, "load_checkpoint": checkpoint}
    agent["algorithm"] = {"class_name": algorithm, "clip_param": 0.2} | hyperparameters
    (folder / "params" / "agent.yaml").write_text(yaml.dump(agent | {"actor": {"std_range": (1e-6, 1e6)}}))
    env = {"scene": {"num_envs": NUM_ENVS, "slice": slice(None)}, "sim": {"physics": {"class_type": "Engine"}}}
    (folder / "params" / "env.yaml").write_text(yaml.dump(env))
    write_events(folder, returns, start)
    return folder


def write_seeds(root: Path, finals: list[float], **run: str | float) -> None:
    """Write one run for each of ``finals``: ten iterations, of which the first return 0."""
    for seed, final in enumerate(finals):
        write_run(root / f"{len(list(root.glob('*')))}", [0.0] * 9 + [final], seed=seed, **run)  # type: ignore[arg-type]
