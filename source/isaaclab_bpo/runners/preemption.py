# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The signals with which a scheduler, a user or a closed terminal ends a run: it saves before it goes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Self

PREEMPTED = 75
"""Exit code of a run that was preempted and can be resumed: EX_TEMPFAIL of ``sysexits.h``, "try again later"."""

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a run that its user ended with Ctrl-C, as shells give it."""

SIGNALS = {
    signal.SIGTERM: PREEMPTED,
    signal.SIGUSR1: PREEMPTED,
    signal.SIGHUP: PREEMPTED,
    signal.SIGINT: INTERRUPTED,
}
"""The exit code that each signal asks for."""


class Preemption:
    """A context in which the first of the :data:`SIGNALS` is noted, and a second one ends the process at once.

    SIGHUP stays ignored where ``nohup`` lets it be.
    Only the main thread can receive signals: in any other one, the context does nothing.
    """

    exit_code = 0
    """What the signal that has come asks for; 0 while none has."""

    def __init__(self, exit_now: bool = False) -> None:
        """Initialize the context.

        Args:
            exit_now: Whether a signal ends the program with its exit code, where there is nothing to save yet.
        """
        self._exit_now = exit_now

    def __enter__(self) -> Self:
        self._previous = {}
        if threading.current_thread() is threading.main_thread():
            # Entered when learning starts, so a handler that a simulator has installed is replaced
            wanted = [number for number in SIGNALS if number != signal.SIGHUP or not _is_ignored(number)]
            self._previous = {number: signal.signal(number, self._note) for number in wanted}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: installed by a C library

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.exit_code = SIGNALS[signal.Signals(number)]
        for other in self._previous:  # the system's own handling needs no Python, so it also ends a process that hangs
            signal.signal(other, signal.SIG_DFL)
        if self._exit_now:
            sys.exit(self.exit_code)
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        text = f"[isaaclab_bpo] {name}: finishing the iteration, then saving; a second one ends at once.\n"
        with contextlib.suppress(OSError):  # the terminal is gone
            os.write(2, text.encode())  # not print, which the signal may have interrupted


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
