# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How far a long piece of work has come: a bar with an estimate in a terminal, some lines elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def show(done: int) -> None:
            nonlocal said
            bar.update(task, completed=done)
            if not console.is_terminal and (part := done * LINES // total) > said:
                said = part
                print(f"[isaaclab_bpo] {what}: {done} of {total}.", flush=True)

        yield show
