# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Closed command lines: what no parser understands is refused in one sentence, with the nearest name.

Needs nothing but Python 3.9, since ``docker/cluster/submit.py`` reads this file on login nodes.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

# fmt: off
FORWARDED = (
    "--agent", "--algo", "--anim_recording_enabled", "--anim_recording_start_time", "--anim_recording_stop_time",
    "--assets", "--capture_env_sensors", "--capture_env_sensors_format", "--capture_env_sensors_interval",
    "--capture_env_sensors_length", "--checkpoint", "--deterministic", "--device", "--distributed", "--experience",
    "--experiment_name", "--export_io_descriptors", "--external_callback", "--frontend", "--help", "--info",
    "--kit_args", "--livestream", "--log_project_name", "--logger", "--max_iterations", "--max_steps",
    "--max_visible_envs", "--no-resume_optimizer_state", "--num_envs", "--ray-proc-id", "--resume_optimizer_state",
    "--rl_library", "--run_name", "--run_timestamp", "--seed", "--task", "--verbose", "--video", "--video_interval",
    "--video_length", "--video_size", "--visualizer", "--viz", "--xr", "-h", "-rid",
)
# fmt: on
"""The options of ``train.py``, which only Isaac Lab tells, and not at once."""

REPLACED = {
    "--resume": "continue with --checkpoint latest, or a path",
    "--load_run": "continue with --checkpoint, which takes a run's folder",
    "--headless": "leave it out, a window opens only with --viz kit",
    "--enable_cameras": "leave it out, tasks with cameras enable them",
    "--rendering_mode": "leave it out, renderers are chosen with renderer=NAME",
    "--cpu": "give --device cpu",
    "--use_pretrained_checkpoint": "give --checkpoint pretrained",
    "--use_last_checkpoint": "give --checkpoint latest",
    "--offscreen_render": "leave it out, --video needs no window",
}
"""What took the place of options of Isaac Lab 2.x."""

_OPTION = re.compile(r"-[^\d\s.][^\s]*|--\S*")
_FIELD = re.compile(r"(env|agent)\..+|physics|renderer|presets")


def similar(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that offers the closest of ``names``."""
    bare = {other.lstrip("-").replace("-", "_"): other for other in names}
    close = difflib.get_close_matches(name.lstrip("-").replace("-", "_"), list(bare), n=3, cutoff=0.6)
    return f": did you mean {' or '.join(bare[other] for other in close)}?" if close else ""


def is_override(token: str) -> bool:
    """Whether an argument is an override of a configuration, in Hydra's language."""
    return "=" in token and not token.startswith("-")


def unknown_arguments(
    tokens: Sequence[str], options: Iterable[str], replaced: Mapping[str, str] = REPLACED
) -> list[str]:
    """Return a sentence for each argument that is neither an option, nor an option's value, nor an override.

    Args:
        tokens: The arguments, or those that a parser has left over.
        options: Names of the options that there are.
        replaced: Names of options that there are no longer, or elsewhere, and what to do instead.
    """
    options, errors, may_be_value = set(options), [], False
    for token in tokens:
        name = token.split("=")[0]
        if _OPTION.fullmatch(name):
            may_be_value = True
            if name in options:
                continue
            if _FIELD.fullmatch(field := name.lstrip("-")):
                errors.append(f"{name} is not an option but a field: write {field}=VALUE, without dashes")
            elif name in replaced:
                errors.append(f"{name} does not exist here: {replaced[name]}")
            else:
                errors.append(f"{name} is not an option{similar(name, options)}")
        elif is_override(token):
            may_be_value = False
            if not _FIELD.fullmatch(name.lstrip("+")):
                valid = "they start with env. or agent., or are physics=, renderer= or presets="
                errors.append(f"{token!r} is not an override: {valid}")
        elif _FIELD.fullmatch(token):
            may_be_value = True
            errors.append(f"{token} has no value: write {token}=VALUE")
        elif not may_be_value:
            errors.append(f"{token!r} belongs to no option: options begin with --, and fields are set by FIELD=VALUE")
    return errors


def unknown_to_training(tokens: Sequence[str]) -> list[str]:
    """Return a sentence for each argument that is none of ``train.py``, for programs that hand it on."""
    takes_others = any(token.split("=")[0] == "--external_callback" for token in tokens)
    return [] if takes_others else unknown_arguments(tokens, FORWARDED)


class ClosedParser(argparse.ArgumentParser):
    """A parser that takes no abbreviations, and names what it does not know, and the likely name, in one sentence."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    @property
    def options(self) -> list[str]:
        """Names of the options."""
        return list(self._option_string_actions)

    def parse_args(  # type: ignore[reportIncompatibleMethodOverride]  # overloads
        self, args: Iterable[str] | None = None, namespace: Any = None
    ) -> Any:
        """Parse all arguments, those of ``sys.argv`` if there are none given.

        Raises:
            SystemExit: With code 2, if they are wrong, or after ``--help``.
        """
        tokens = sys.argv[1:] if args is None else list(args)
        ours = tokens[: tokens.index("--")] if "--" in tokens else tokens
        dashed = [token for token in ours if token.startswith("--")]
        if errors := unknown_arguments(dashed, self.options):  # first: a required one may be missing for a misspelling
            self.error("; ".join(errors))
        parsed, left = self.parse_known_args(tokens, namespace)
        if left:
            self.error("; ".join(unknown_arguments(left, self.options)) or f"{' '.join(left)} cannot be placed")
        return parsed

    def error(self, message: str) -> NoReturn:
        """Print one sentence, without the usage, and leave with the exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")
