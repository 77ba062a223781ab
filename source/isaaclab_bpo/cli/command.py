# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A command line becomes a command that can start a run, checked beforehand."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass
from typing import Any

from isaaclab_bpo.agents import GYM_PREFIX

from . import machine, video
from .arguments import Action, parse
from .checkpoint import check_widths, find_checkpoint
from .configuration import checked_configurations, draw_seed, override
from .engine import choose_engine
from .errors import UserError
from .logger import prepare_logger
from .run_folder import check_run_folder
from .saved_agent import adopt_networks
from .task import find_agent, find_task


@dataclass
class Command:
    """A checked command line and what was found out on the way."""

    action: Action
    args: argparse.Namespace
    """The arguments, completed by what was chosen for the user."""
    overrides: list[str]
    """The overrides of configurations, the user's before those that were added."""
    env_cfg: Any
    """Isaac Lab's configuration of the task, all arguments applied."""
    agent_cfg: Any
    """The checked configuration of rsl_rl's runner."""
    notes: list[str]
    """What was chosen for the user, to be said in one line."""


def translate(action: Action, argv: list[str]) -> Command:
    """Read a command line, fill in what this machine needs, and refuse what cannot work before a simulator starts.

    Raises:
        UserError: If the command cannot work.
        SystemExit: If argparse rejects the arguments, or after ``--help``.
    """
    args, overrides = parse(action, argv)
    args.agent = find_agent(args.algo, args.agent)
    args.task = find_task(action, args.task, args.agent)
    in_isaaclab = not args.task.startswith(GYM_PREFIX)
    if args.video and not in_isaaclab and action == "train":
        raise UserError(f"--video does not film {args.task} while it trains: give --video to play")
    if args.video and action == "evaluate":
        raise UserError("--video does not film an evaluation: give --video to play")
    if action == "evaluate" and args.output is not None:
        folder = next(folder for folder in args.output.absolute().parents if folder.exists())
        if args.output.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UserError(f"--output {str(args.output)!r} cannot be written: name a file in a folder that can be")
    machine.check_processes(getattr(args, "distributed", False))
    overrides += machine.choose_devices(args, overrides)
    checkpoint = find_checkpoint(action, args, overrides)
    if checkpoint is not None:
        args.checkpoint = str(checkpoint)
    added, notes = choose_engine(args, overrides, checkpoint)
    overrides += added
    if in_isaaclab and not machine.has_cuda() and override(overrides, "env.scene.num_envs") is None:
        args.num_envs = args.num_envs or machine.NUM_ENVS_WITHOUT_CUDA[action]

    notes += draw_seed(args, overrides)
    env_cfg, agent_cfg = checked_configurations(action, args, overrides)
    if checkpoint is not None:
        notes += adopt_networks(action, checkpoint, agent_cfg, overrides)
        check_widths(checkpoint, agent_cfg)
    if action == "train":
        _set_iterations(args, env_cfg, agent_cfg)
        check_run_folder(args, agent_cfg)
        prepare_logger(agent_cfg.logger)
    if args.video and in_isaaclab:
        video.prepare(args, env_cfg)
    if not machine.has_cuda():
        notes.insert(0, _prepare_cpu(action, args, env_cfg, agent_cfg))
    return Command(action, args, overrides, env_cfg, agent_cfg, notes)


def _prepare_cpu(action: Action, args: argparse.Namespace, env_cfg: Any, agent_cfg: Any) -> str:
    """Choose the number of threads for a run on the CPU, and return what is to be said of it."""
    num_rows = args.num_envs or env_cfg.scene.num_envs
    if action == "train":
        num_rows *= agent_cfg.num_steps_per_env / getattr(agent_cfg.algorithm, "num_mini_batches", 1)
    threads = machine.set_threads(getattr(agent_cfg, "actor", None), num_rows)
    envs = "" if args.num_envs is None else f", {args.num_envs} environments (--num_envs)"
    return f"no CUDA device: CPU, {threads} torch thread{'s' * (threads > 1)} (OMP_NUM_THREADS){envs}"


def _set_iterations(args: argparse.Namespace, env_cfg: Any, agent_cfg: Any) -> None:
    """Set how long to train, if ``--max_iterations`` or ``--max_steps`` says so."""
    if args.max_steps is not None:
        if args.max_iterations is not None:
            raise UserError("--max_steps and --max_iterations both say how long to train: give one of the two")
        num_envs = (args.num_envs or env_cfg.scene.num_envs) * int(os.environ.get("WORLD_SIZE", "1"))
        args.max_iterations = math.ceil(args.max_steps / (num_envs * agent_cfg.num_steps_per_env))
    if args.max_iterations is not None:
        agent_cfg.max_iterations = args.max_iterations
