# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A command line of ours becomes a run that Isaac Lab can start, checked beforehand."""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isaaclab_bpo.robots import select_assets

from . import machine
from .arguments import Action, own_parser, parse
from .checkpoint import check_widths, find_checkpoint
from .configuration import checked_configurations
from .engine import choose_engine
from .errors import UserError
from .logger import prepare_logger
from .overrides import override
from .task import GYM_PREFIX, find_agent, find_task


@dataclass
class Command:
    """A checked command line and what was found out on the way."""

    action: Action
    args: argparse.Namespace
    """The arguments, completed by what was chosen for the user."""
    overrides: list[str]
    """The overrides of configurations, the user's before those that were added."""
    checkpoint: Path | None
    """The local checkpoint that training resumes from or play loads."""
    env_cfg: Any
    agent_cfg: Any
    notes: list[str] = field(default_factory=list)
    """What was chosen for the user, to be said in one line."""


def translate(action: Action, argv: list[str]) -> Command:
    """Read a command line, fill in what this machine needs, and refuse what cannot work before a simulator starts.

    Args:
        action: What it asks for.
        argv: The user's arguments, without the program's name.

    Returns:
        The command, ready to run.

    Raises:
        UserError: If the command cannot work.
        SystemExit: If argparse rejects the arguments, or after ``--help``.
    """
    args, overrides = _parse(action, argv)
    args.agent = find_agent(args.algo, args.agent)
    args.task = find_task(action, args.task, args.agent)
    in_isaaclab = not args.task.startswith(GYM_PREFIX)
    if args.video and not in_isaaclab:
        raise UserError(f"--video films Isaac Lab's tasks, not {args.task}: watch it with env.render_mode=human")
    overrides += machine.choose_devices(args, overrides)
    checkpoint = find_checkpoint(action, args, overrides)
    if checkpoint is not None:
        args.checkpoint = str(checkpoint)
    added, notes = choose_engine(args, overrides, checkpoint)
    overrides += added
    if in_isaaclab and not machine.has_cuda() and override(overrides, "env.scene.num_envs") is None:
        args.num_envs = args.num_envs or machine.NUM_ENVS_WITHOUT_CUDA[action]

    env_cfg, agent_cfg = checked_configurations(action, args, overrides)
    if checkpoint is not None:
        check_widths(checkpoint, agent_cfg)
    if action == "train":
        _set_iterations(args, env_cfg, agent_cfg)
        machine.check_log_folder(Path("logs", "rsl_rl", agent_cfg.experiment_name))
        prepare_logger(agent_cfg.logger)
    if args.video:
        from . import video

        video.prepare(args, env_cfg)
    if not machine.has_cuda():
        threads = machine.set_threads()
        envs = "" if args.num_envs is None else f", {args.num_envs} environments (--num_envs)"
        threads_note = f"{threads} torch thread{'s' * (threads > 1)} (OMP_NUM_THREADS)"
        notes.insert(0, f"no CUDA device: CPU, {threads_note}{envs}")
    return Command(action, args, overrides, checkpoint, env_cfg, agent_cfg, notes)


def _parse(action: Action, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the parsed arguments and the overrides; afterwards all tasks are registered."""
    own, _ = own_parser(action).parse_known_args(argv)  # a misspelt algorithm is reported at once
    if "--resume" in argv:  # Isaac Lab 2.x's, which argparse would take for another one's abbreviation
        raise UserError("--resume does not exist in Isaac Lab 3.0: continue with --checkpoint latest, or a path")
    if importlib.util.find_spec("isaaclab") is None:
        raise UserError(
            f"{action} needs Isaac Lab 3.0, which is not installed: install the extra isaaclab_bpo[isaaclab], or use "
            "an environment that has it"
        )
    if own.assets is not None:
        os.environ["ISAACLAB_BPO_ASSETS"] = own.assets
    elif any(token.removeprefix("--task=").startswith(GYM_PREFIX) for token in argv):
        os.environ["ISAACLAB_BPO_ASSETS"] = "nvidia"  # no server is asked for robot files
    try:
        select_assets()  # before Isaac Lab looks at the choice
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error)) from error

    from isaaclab.cli import load_external_tasks

    load_external_tasks()
    import isaaclab_tasks  # noqa: F401  # registers Isaac Lab's tasks
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import register_external_tasks

    from isaaclab_bpo.tasks import register  # ours, also where the package is on the path without being installed

    left = register_external_tasks(argv)  # by a callback, which may take arguments of its own
    register()  # once more, for tasks that were registered after ours
    args, overrides = parse(action, argv)
    return args, [token for token in overrides if left is None or token in left]


def _set_iterations(args: argparse.Namespace, env_cfg: Any, agent_cfg: Any) -> None:
    """Set how long to train, if ``--max_iterations`` or ``--max_steps`` says so."""
    if args.max_steps is not None:
        if args.max_iterations is not None:
            raise UserError("--max_steps and --max_iterations both say how long to train: give one of the two")
        num_envs = (args.num_envs or env_cfg.scene.num_envs) * int(os.environ.get("WORLD_SIZE", "1"))
        args.max_iterations = math.ceil(args.max_steps / (num_envs * agent_cfg.num_steps_per_env))
    if args.max_iterations is not None:
        agent_cfg.max_iterations = args.max_iterations
