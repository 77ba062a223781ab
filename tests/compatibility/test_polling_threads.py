# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Threads of a simulator that look for work sleep longer than they ask for; nobody else does."""

from __future__ import annotations

import ctypes
import sys
import threading

import pytest

from isaaclab_bpo.compatibility import patient_threads
from isaaclab_bpo.compatibility.polling_threads import _GET_TIMERSLACK, SLACK

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's threads have a timer slack")


def slack_of_this_thread() -> int:
    return ctypes.CDLL(None).prctl(_GET_TIMERSLACK, 0, 0, 0, 0)


def slack_of_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(slack_of_this_thread()))
    thread.start()
    thread.join()
    return found[0]


def test_only_threads_of_the_block_are_patient() -> None:
    before = slack_of_this_thread()
    assert slack_of_a_new_thread() == before
    with patient_threads():
        assert slack_of_a_new_thread() == SLACK
    assert slack_of_this_thread() == slack_of_a_new_thread() == before
