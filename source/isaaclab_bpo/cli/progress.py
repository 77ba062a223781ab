# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How far a long piece of work has come: a line with an estimate in a terminal, and what is plain text elsewhere."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)
"""What a line shows."""

LINES = 10
"""Lines that are printed where no bar can be drawn."""


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a piece of work has come.

    Args:
        what: Its name.
        total: How many parts it has.

    Yields:
        A function that takes how many parts are done.
    """
    console, said = Console(), 0
    with Progress(*COLUMNS, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def show(done: int) -> None:
            nonlocal said
            bar.update(task, completed=done)
            if not console.is_terminal and (part := done * LINES // total) > said:
                said = part
                print(f"[isaaclab_bpo] {what}: {done} of {total}.", flush=True)

        yield show


@contextlib.contextmanager
def training_line(logger: Any, path: Path) -> Iterator[None]:
    """Show a line that is kept up to date in a terminal, and write rsl_rl's tables into a file.

    Args:
        logger: rsl_rl's logger.
        path: The file; what it holds is kept.
    """
    log = logger.log
    console = Console(file=sys.stdout)  # not what takes its place for a table: the line and messages are shown
    with Progress(*COLUMNS, console=console) as bar:
        task = bar.add_task("Training", total=None)

        def log_in_line(**kwargs: Any) -> None:
            start, done = kwargs["start_it"], kwargs["it"] + 1 - kwargs["start_it"]
            speed = logger.cfg["num_steps_per_env"] * logger.num_envs * logger.gpu_world_size
            speed /= kwargs["collect_time"] + kwargs["learn_time"]
            returns = logger.rewbuffer
            earned = f", return {sum(returns) / len(returns):.4g}" if returns else ""
            text = f"Training: {speed:.0f} steps/s{earned}"
            bar.update(task, description=text, completed=done, total=kwargs["total_it"] - start)
            table = io.StringIO()
            try:
                with contextlib.redirect_stdout(table):
                    log(**kwargs)
            finally:  # it may end the run
                with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as tables:  # not worth the run
                    tables.write(table.getvalue())

        logger.log = log_in_line
        try:
            yield
        finally:
            logger.log = log
