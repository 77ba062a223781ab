# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The arguments of training, playing and evaluating: ours, read before Isaac Lab is imported, and Isaac Lab's."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
from pathlib import Path
from typing import Literal

from isaaclab_bpo.agents import AGENT_KEYS, GYM_PREFIX
from isaaclab_bpo.command_line import REPLACED, ClosedParser, unknown_arguments
from isaaclab_bpo.robots import ASSET_MODES, select_assets

from .errors import UserError

Action = Literal["train", "play", "evaluate"]


def _own_parser(action: Action) -> ClosedParser:
    """Return a parser of the arguments that Isaac Lab does not know."""
    parser = ClosedParser(prog=f"{action}.py", add_help=False)
    group = parser.add_argument_group("isaaclab_bpo")
    group.add_argument("--algo", choices=tuple(AGENT_KEYS), help="Algorithm, short for its --agent. Default: bpo.")
    group.add_argument(
        "--assets",
        choices=ASSET_MODES,
        help="Robot files: NVIDIA's, the stand-ins of this package, or NVIDIA's where they can be reached (auto).",
    )
    size_help = "WIDTHxHEIGHT of videos of robots without Isaac Sim. Default: 1280x720."
    group.add_argument("--video_size", type=_size, default=(1280, 720), help=size_help)
    if action == "train":
        steps_help = "Steps of all environments together, instead of --max_iterations."
        group.add_argument("--max_steps", type=number_of_steps, help=steps_help)
    else:
        default = "one in each environment" if action == "play" else "100"
        group.add_argument("--episodes", type=number_of_steps, help=f"How many episodes to run. Default: {default}.")
    if action == "evaluate":
        group.add_argument("--output", type=Path, help="File for the results. Default: evaluation/ by the checkpoint.")
    group.add_argument("--rl_library", choices=("rsl_rl",), default="rsl_rl", help="Implied.")
    return parser


def number_of_steps(text: str) -> int:
    """Return a number of steps, which may be written as 1e6."""
    try:
        number = int(float(text))
        if number < 1 or number != float(text):
            raise ValueError
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1") from None
    return number


def _size(text: str) -> tuple[int, int]:
    """Return width and height of a video."""
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 640x360")
    return int(match[1]), int(match[2])


def parse(action: Action, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Choose the robots' files, register all tasks and parse the command line.

    Args:
        action: Which command it is of.
        argv: The user's arguments, without the program's name.

    Returns:
        The arguments, ours and Isaac Lab's, and the overrides of configurations.

    Raises:
        UserError: If Isaac Lab is missing, the robots' files cannot be chosen, nobody understands an argument, or a
            number is out of range.
        SystemExit: If argparse rejects the arguments, or after ``--help``.
    """
    own, _ = _own_parser(action).parse_known_args(argv)  # a misspelt algorithm is reported at once
    if importlib.util.find_spec("isaaclab") is None:
        raise UserError(
            f"{action} needs Isaac Lab 3.0, which is not installed: install the extra isaaclab_bpo[isaaclab], or use "
            "an environment that has it"
        )
    if own.assets is not None:
        os.environ["ISAACLAB_BPO_ASSETS"] = own.assets  # which a robot's environment reads, too
    if not any(token.removeprefix("--task=").startswith(GYM_PREFIX) for token in argv):  # they need no robot files
        try:
            select_assets()  # before Isaac Lab looks at the choice
        except (ValueError, RuntimeError) as error:
            raise UserError(str(error)) from error

    from isaaclab.app.sim_launcher import fuse_kit_args
    from isaaclab.cli import load_external_tasks

    load_external_tasks()
    import isaaclab_tasks  # noqa: F401  # registers Isaac Lab's tasks
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import register_external_tasks
    from isaaclab_tasks.utils import setup_preset_cli

    from isaaclab_bpo.tasks import register  # ours, also where the package is on the path without being installed

    argv = fuse_kit_args(argv)
    try:
        left = register_external_tasks(argv)  # by a callback, which may take arguments of its own
    except ValueError as error:
        raise UserError(f"--external_callback cannot be called: {' '.join(str(error).split())}") from error
    register()  # once more, for tasks that were registered after ours
    parser = _full_parser(action)
    args, rest = setup_preset_cli(parser, argv)
    if left is not None and (taken := [token for token in rest if token not in left]):
        rest = [token for token in rest if token in left]
        print(f"[isaaclab_bpo] --external_callback {args.external_callback} took {' '.join(taken)}.")
    _check_unknown(action, parser, rest)
    _check_numbers(args)
    return args, [token.lstrip("+") for token in rest]  # which Hydra needs for new fields, and there can be none


def _check_unknown(action: Action, parser: ClosedParser, left: list[str]) -> None:
    """Refuse what ``parser`` has left and is no override."""
    others: list[Action] = [other for other in ("evaluate", "play", "train") if other != action]
    elsewhere = {option: f"it is an option of {other}" for other in others for option in _full_parser(other).options}
    if errors := unknown_arguments(left, parser.options, elsewhere | REPLACED):
        raise UserError("; ".join(errors))


def _full_parser(action: Action) -> ClosedParser:
    """Return a parser of our arguments and of those of Isaac Lab's own command."""
    from isaaclab.app import add_launcher_args
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import add_rsl_rl_args
    from isaaclab_rl.entrypoints.common import add_common_play_args, add_common_train_args

    parser = ClosedParser(
        prog=f"{action}.py",
        description=f"{action.capitalize()} with BPO or PPO. All other arguments are Isaac Lab's.",
        parents=[_own_parser(action)],
    )
    add_common_args = add_common_train_args if action == "train" else add_common_play_args
    add_common_args(parser, agent_default=None, agent_help="Key of the agent configuration. Default: that of --algo.")
    parser.add_argument("--external_callback", help="Fully qualified path to an externally defined callback.")
    if action == "train":
        parser.add_argument("--resume_optimizer_state", action=argparse.BooleanOptionalAction, default=True)
    add_rsl_rl_args(parser)
    add_launcher_args(parser)
    return parser


def _check_numbers(args: argparse.Namespace) -> None:
    """Refuse counts that are out of range."""
    lowest = {"num_envs": 1, "max_iterations": 0, "video_length": 1, "video_interval": 0}
    errors = [
        f"--{name} {value} is out of range: it must be at least {least}"
        for name, least in lowest.items()
        if (value := getattr(args, name, None)) is not None and value < least
    ]
    if errors:
        raise UserError("; ".join(errors))
