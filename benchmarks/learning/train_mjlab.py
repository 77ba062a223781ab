# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportMissingImports=false
# mjlab cannot be installed beside Isaac Lab.

"""Train a task of mjlab with BPO or PPO: what ``run.py mjlab`` starts.

mjlab pins other versions of MuJoCo and rsl_rl than Isaac Lab, so it has an environment of its own:

    pip install mjlab==1.6.0 -e '.[compare]'
    python benchmarks/learning/run.py mjlab

It leaves what ``scripts/rsl_rl/train.py`` leaves, and is interrupted and resumed in the same way.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import mjlab.tasks  # noqa: F401  # registers them
import torch
from mjlab.envs import ManagerBasedRlEnv
from mjlab.rl import MjlabOnPolicyRunner, RslRlVecEnvWrapper
from mjlab.tasks.registry import list_tasks, load_env_cfg, load_rl_cfg
from mjlab.utils.os import dump_yaml
from mjlab.utils.torch import configure_torch_backends
from run import positive_number

from isaaclab_bpo.agents.robots import ROBOTS
from isaaclab_bpo.command_line import ClosedParser
from isaaclab_bpo.runners import DurableRunner

PAPER = {robot.mjlab_task: robot.algorithm for robot in ROBOTS}
"""The paper's settings of BPO; everything else, and every other task, is as mjlab tuned it for PPO."""


class MjlabRunner(MjlabOnPolicyRunner, DurableRunner):
    """A durable runner that saves, as mjlab's does, the environments' number of steps: their curricula depend on it."""

    def save(self, path: str, infos: dict | None = None) -> None:
        env_state = {"common_step_counter": int(self.env.unwrapped.common_step_counter)}
        DurableRunner.save(self, path, {**(infos or {}), "env_state": env_state})

    def load(self, path: str, *args: Any, **kwargs: Any) -> dict:
        infos = DurableRunner.load(self, path, *args, **kwargs)
        self.env.unwrapped.common_step_counter = infos["env_state"]["common_step_counter"]
        return infos


def main() -> None:
    parser = ClosedParser(description="Train a task of mjlab.")
    parser.add_argument("--task", required=True, choices=list_tasks(), metavar="TASK", help="A task's id.")
    parser.add_argument("--algo", choices=("bpo", "ppo"), default="bpo")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--num_envs", type=positive_number, default=4096)
    steps_help = "Steps of all environments together."
    parser.add_argument("--max_steps", type=positive_number, required=True, help=steps_help)
    parser.add_argument("--checkpoint", choices=("latest",), help="Go on with the newest one in logs/.")
    args = parser.parse_args()

    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    configure_torch_backends()
    env_cfg = load_env_cfg(args.task)
    env_cfg.scene.num_envs = args.num_envs
    env_cfg.seed = args.seed
    cfg = asdict(load_rl_cfg(args.task)) | {"seed": args.seed, "logger": "tensorboard", "upload_model": False}
    if args.algo == "bpo":
        own = {"class_name": "isaaclab_bpo.algorithms:BPO", "use_clipped_value_loss": False}
        cfg["algorithm"] |= own | PAPER.get(args.task, {})
        cfg["experiment_name"] += "_bpo"

    experiment = Path("logs", "rsl_rl", cfg["experiment_name"]).resolve()
    checkpoint = None
    if args.checkpoint is not None:
        checkpoints = experiment.glob("*/model_*.pt")
        checkpoint = max(checkpoints, key=lambda path: path.stat().st_mtime, default=None)
        if checkpoint is None:
            parser.error(f"--checkpoint 'latest' finds none in {str(experiment)!r}: start in the folder with its logs/")
        cfg["load_checkpoint"] = str(checkpoint)
    folder = experiment / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    dump_yaml(folder / "params" / "env.yaml", asdict(env_cfg))
    dump_yaml(folder / "params" / "agent.yaml", cfg)
    (folder / "run.json").write_text(json.dumps({"task": args.task}), encoding="utf-8")

    env = RslRlVecEnvWrapper(ManagerBasedRlEnv(env_cfg, device), cfg["clip_actions"])
    runner = MjlabRunner(env, cfg, str(folder), device)
    if checkpoint is not None:
        runner.load(str(checkpoint))
    iterations = math.ceil(args.max_steps / (args.num_envs * cfg["num_steps_per_env"]))
    runner.learn(runner.iterations_left(iterations), init_at_random_ep_len=True)
    env.close()


if __name__ == "__main__":
    main()
