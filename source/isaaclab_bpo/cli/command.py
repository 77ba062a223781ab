# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``train.py`` and ``play.py`` share: a command line of ours becomes one of Isaac Lab's, checked beforehand.

:func:`translate` reads the command line, fills in what a machine without CUDA needs, and refuses what cannot work with
one sentence, before the simulator starts. Only the standard library is imported at module level: a misspelt algorithm
is reported at once.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from .checkpoint import check_widths, choose_engine, find_checkpoint
from .configuration import Action, UserError, check_configuration, load_quietly, override, similar
from .logger import prepare_logger

AGENTS = {"bpo": "rsl_rl_bpo_cfg_entry_point", "ppo": "rsl_rl_cfg_entry_point"}
"""The key of the agent configuration in a task's registration, for each ``--algo``."""

GYM_PREFIX = "Gym-"
"""What the ids of Gymnasium's tasks start with: they need neither Isaac Lab's simulators nor robot files."""

NUM_ENVS_WITHOUT_CUDA: dict[Action, int] = {"train": 64, "play": 4}
"""Environments that a laptop simulates at a usable speed."""


def fail(program: str, error: Exception, code: int = 2) -> NoReturn:
    """Print ``error`` to stderr and leave with the exit code ``code``."""
    print(f"{program}: error: {error}", file=sys.stderr, flush=True)
    raise SystemExit(code)


@dataclass
class Command:
    """A checked command line for Isaac Lab and what was found out on the way."""

    argv: list[str]
    """Arguments of Isaac Lab's ``train`` or ``play``."""
    args: argparse.Namespace
    """The arguments as Isaac Lab parses them."""
    checkpoint: Path | None = None
    """The local checkpoint that training resumes from or play loads."""
    notes: list[str] = field(default_factory=list)
    """What was chosen for the user, to be said in one line."""


def translate(action: Action, argv: list[str]) -> Command:
    """Turn our command line into a checked one of Isaac Lab's ``train`` or ``play``.

    Args:
        action: Which of the two.
        argv: The user's arguments, without the program's name.

    Returns:
        The command for Isaac Lab.

    Raises:
        UserError: If the command cannot work.
        SystemExit: If argparse rejects the arguments, or after ``--help``.
    """
    own, passed_on = _own_parser(action).parse_known_args(argv)
    if "--resume" in passed_on:  # Isaac Lab 2.x's, which argparse would take for another one's abbreviation
        raise UserError("--resume does not exist in Isaac Lab 3.0: continue with --checkpoint latest, or a path")
    if own.assets is not None:
        os.environ["ISAACLAB_BPO_ASSETS"] = own.assets
    elif any(token.removeprefix("--task=").startswith(GYM_PREFIX) for token in passed_on):
        os.environ["ISAACLAB_BPO_ASSETS"] = "nvidia"  # no server is asked for robot files

    from isaaclab_bpo.robots import select_assets

    try:
        select_assets()  # before Isaac Lab looks at the choice
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error)) from error

    from isaaclab.cli import load_external_tasks

    load_external_tasks()
    import isaaclab_tasks  # noqa: F401  # registers Isaac Lab's tasks
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import register_external_tasks

    from isaaclab_bpo.tasks import register  # ours, also where the package is on the path without being installed

    left = register_external_tasks(passed_on)
    if left is not None:  # a callback registered tasks, and took arguments of its own
        passed_on = [token for token in passed_on if not _is_override(token) or token in left]
    register()  # once more, for tasks that were registered after ours

    args, overrides = parse(action, passed_on)
    command = Command(argv=["--rl_library", "rsl_rl", *passed_on], args=args)
    args.agent = _agent(own.algo, args.agent)
    args.task = _task(action, args.task, args.agent)
    command.argv += ["--task", args.task, "--agent", args.agent]
    in_isaaclab = not args.task.startswith(GYM_PREFIX)
    if args.video and not in_isaaclab:
        raise UserError(f"--video films Isaac Lab's tasks, not {args.task}: watch it with env.render_mode=human")
    _check_numbers(args)
    devices = _devices(args, overrides)
    command.argv += devices
    overrides += [token for token in devices if "=" in token]
    command.checkpoint = find_checkpoint(action, args, overrides)
    if command.checkpoint is not None:
        command.argv += ["--checkpoint", str(command.checkpoint)]

    for token in choose_engine(args, overrides, command):
        command.argv.append(token)
        overrides.append(token)
    chosen = args.num_envs is not None or override(overrides, "env.scene.num_envs") is not None
    if in_isaaclab and not _cuda() and not chosen:
        args.num_envs = NUM_ENVS_WITHOUT_CUDA[action]
        command.argv += ["--num_envs", str(args.num_envs)]
    env_cfg, agent_cfg = check_configuration(action, args, overrides)
    if command.checkpoint is not None:
        check_widths(command.checkpoint, agent_cfg)
    if action == "train":
        if own.max_steps is not None:
            if args.max_iterations is not None:
                raise UserError("--max_steps and --max_iterations both say how long to train: give one of the two")
            num_envs = (args.num_envs or env_cfg.scene.num_envs) * int(os.environ.get("WORLD_SIZE", "1"))
            iterations = math.ceil(own.max_steps / (num_envs * agent_cfg.num_steps_per_env))
            command.argv += ["--max_iterations", str(iterations)]
        _check_log_folder(Path("logs", "rsl_rl", args.experiment_name or agent_cfg.experiment_name))
        prepare_logger(args.logger or agent_cfg.logger)
    if not _cuda():
        command.notes.insert(0, _without_cuda(args))
    return command


def announce(command: Command) -> None:
    """Say in one line what was chosen for the user."""
    if command.notes:
        print(f"[isaaclab_bpo] {'; '.join(command.notes)}.", flush=True)


##
# The arguments.
##


def _own_parser(action: Action) -> argparse.ArgumentParser:
    """Return a parser of the arguments that Isaac Lab does not know."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    _add_own_arguments(parser, action)
    return parser


def _add_own_arguments(parser: argparse.ArgumentParser, action: Action) -> None:
    group = parser.add_argument_group("isaaclab_bpo")
    group.add_argument("--algo", choices=tuple(AGENTS), help="Algorithm, short for its --agent. Default: bpo.")
    group.add_argument(
        "--assets",
        choices=("auto", "nvidia", "standin"),
        help="Robot files: NVIDIA's, the stand-ins of this package, or NVIDIA's where they can be reached (auto).",
    )
    if action == "train":
        steps_help = "Steps of all environments together, instead of --max_iterations."
        group.add_argument("--max_steps", type=number_of_steps, help=steps_help)
    group.add_argument("--rl_library", choices=("rsl_rl",), help="Implied.")


def number_of_steps(text: str) -> int:
    """Return a number of steps, which may be written as 1e6."""
    number = float(text)
    if number < 1 or number % 1:
        raise ValueError(text)
    return int(number)


def _is_override(token: str) -> bool:
    """Whether an argument is an override of a configuration, in Hydra's language."""
    return "=" in token and not token.startswith("-")


def parse(action: Action, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse ``argv`` with the arguments of Isaac Lab's own command; ours are listed in its help.

    Returns:
        The parsed arguments and the Hydra overrides.
    """
    from isaaclab.app import add_launcher_args
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import add_rsl_rl_args
    from isaaclab_rl.entrypoints.common import add_common_play_args, add_common_train_args
    from isaaclab_tasks.utils import setup_preset_cli

    parser = argparse.ArgumentParser(
        prog=f"{action}.py", description=f"{action.capitalize()} with BPO or PPO. All other arguments are Isaac Lab's."
    )
    _add_own_arguments(parser, action)
    add_common_args = add_common_train_args if action == "train" else add_common_play_args
    add_common_args(parser, agent_default=None, agent_help="Key of the agent configuration. Default: that of --algo.")
    parser.add_argument("--external_callback", help="Fully qualified path to an externally defined callback.")
    if action == "train":
        parser.add_argument("--resume_optimizer_state", action=argparse.BooleanOptionalAction, default=True)
    add_rsl_rl_args(parser)
    add_launcher_args(parser)
    args, rest = setup_preset_cli(parser, argv)
    return args, [token for token in rest if _is_override(token)]


def _agent(algo: str | None, agent: str | None) -> str:
    """Return the key of the agent configuration that ``--algo`` and ``--agent`` ask for."""
    if agent is None:
        return AGENTS[algo or "bpo"]
    if algo is not None and AGENTS[algo] != agent:
        raise UserError(f"--algo {algo} means --agent {AGENTS[algo]} but --agent is {agent!r}: give one of the two")
    return agent


def _task(action: Action, name: str | None, agent: str) -> str:
    """Return the id of a registered task that has the ``agent`` configuration, in Isaac Lab 3.0's naming.

    Isaac Lab 3.0 plays under the id that it trained under. A Play id of 2.x is only kept to train in that environment.
    """
    import gymnasium as gym
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    from isaaclab_bpo.tasks import canonical_id

    tasks = {key: spec.kwargs for key, spec in gym.registry.items() if "env_cfg_entry_point" in spec.kwargs}
    if name is None:
        raise UserError("--task is missing: give the id of a task, for example --task Isaac-Velocity-Rough-G1-v0")
    task = name.split(":")[-1]
    if action == "play" or not task.endswith("-Play-v0"):
        task = canonical_id(task)
    if task not in tasks:
        raise UserError(f"--task {name!r} is not a registered task{similar(name, tasks)}")
    if agent not in tasks[task]:
        agents = sorted(key for key in tasks[task] if key.startswith("rsl_rl_") and key.endswith("_cfg_entry_point"))
        if not agents:
            raise UserError(f"--task {task!r} has no rsl_rl configuration, so neither BPO nor PPO can train it")
        raise UserError(f"--task {task!r} has no agent configuration {agent!r}: valid are {', '.join(agents)}")
    try:
        load_quietly(load_cfg_from_registry, task, agent)
    except ValueError as error:  # a PPO configuration that BPO cannot take over
        raise UserError(f"--task {task!r} has no configuration for --agent {agent}: {error}") from error
    return task


def _check_numbers(args: argparse.Namespace) -> None:
    """Refuse counts that are out of range."""
    problems = []
    for name, least in {"num_envs": 1, "max_iterations": 0, "video_length": 1, "video_interval": 0}.items():
        value = getattr(args, name, None)
        if value is not None and value < least:
            problems.append(f"--{name} {value} is out of range: it must be at least {least}")
    if problems:
        raise UserError("; ".join(problems))


def _check_log_folder(folder: Path) -> None:
    """Refuse a folder in which no run can be saved."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        reason = "not writable" if existing.is_dir() else "a file"
        raise UserError(
            f"runs are saved in {str(folder)!r}, and {str(existing)!r} is {reason}: start in another folder"
        )


##
# The machine.
##


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _devices(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Return arguments that put simulation and agent on one device: the CPU where there is no CUDA.

    Isaac Lab gives ``--device`` to the simulation only; the agent's is ``agent.device``.
    """
    explicit = args.device if getattr(args, "device_explicit", False) else None
    agent_device = override(overrides, "agent.device")
    if not _cuda():
        for name, device in {"--device": explicit, "agent.device": agent_device}.items():
            if device is not None and device.startswith("cuda"):
                raise UserError(f"{name} {device!r} needs a CUDA device and this machine has none: use cpu")
        if getattr(args, "distributed", False):
            raise UserError("--distributed needs CUDA devices and this machine has none")
        explicit = args.device = explicit or "cpu"
    if explicit is None or getattr(args, "distributed", False):
        return []
    return ["--device", explicit, *([] if agent_device is not None else [f"agent.device={explicit}"])]


def _without_cuda(args: argparse.Namespace) -> str:
    """Set the number of threads for a small run on the CPU and describe the run."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)  # the networks are small: more threads would only wait for each other
    threads = torch.get_num_threads()
    envs = "" if args.num_envs is None else f", {args.num_envs} environments (--num_envs)"
    return f"no CUDA device: CPU, {threads} torch thread{'s' * (threads > 1)} (OMP_NUM_THREADS){envs}"
