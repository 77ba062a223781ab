# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Threads that look for work too often.

What fails: OvPhysX 0.6's cooker of colliders (``carb.ujitsoagent``, also when it is disabled) looks for work 13,000
times a second. Without a GPU that takes a fifth of a core, and torch's threads wait for the one beside it.

When to delete it: once that thread sleeps until there is work.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

_SET_TIMERSLACK, _GET_TIMERSLACK = 29, 30  # of prctl(2)

SLACK = 2_000_000
"""How much longer than asked for the threads may sleep [ns]."""


@contextlib.contextmanager
def patient_threads() -> Iterator[None]:
    """Let the threads that are made within the block, by this one, sleep longer than they ask for."""
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    before = prctl(_GET_TIMERSLACK, 0, 0, 0, 0)
    prctl(_SET_TIMERSLACK, ctypes.c_ulong(SLACK), 0, 0, 0)  # which new threads inherit
    try:
        yield
    finally:
        prctl(_SET_TIMERSLACK, ctypes.c_ulong(before), 0, 0, 0)
