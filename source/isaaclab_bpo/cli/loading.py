# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's loaders of configurations, without the lines that they print at every call."""

from __future__ import annotations

import argparse
import contextlib
import io
from typing import Any


def load(task: str, key: str) -> Any:
    """Return the configuration that a task is registered with under ``key``, presets not yet chosen."""
    from isaaclab_tasks.utils import load_cfg_from_registry

    with contextlib.redirect_stdout(io.StringIO()):
        return load_cfg_from_registry(task, key)


def resolve(args: argparse.Namespace, overrides: list[str], play_mode: bool = False) -> tuple[Any, Any]:
    """Return the task's environment and agent configuration with ``overrides`` applied."""
    from isaaclab_tasks.utils import resolve_task_config

    with contextlib.redirect_stdout(io.StringIO()):
        return resolve_task_config(args.task, args.agent, play_mode=play_mode, overrides=overrides)
