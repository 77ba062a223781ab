# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The signals of a cluster's scheduler, sent to this very process; tests/faults/ sends them to whole runs."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from isaaclab_bpo.runners import PREEMPTED, Preemption
from isaaclab_bpo.runners.preemption import SIGNALS


@pytest.mark.parametrize("number", SIGNALS)
def test_first_signal_is_noted_and_the_next_one_is_the_systems(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Preemption() as preemption:
        assert preemption.exit_code == 0
        os.kill(os.getpid(), number)
        assert preemption.exit_code == SIGNALS[number]
        assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL] * len(SIGNALS)
    assert [signal.getsignal(each) for each in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_ends_a_program_that_has_nothing_to_save(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as error, Preemption(exit_now=True):
        os.kill(os.getpid(), number)
    assert error.value.code == (130 if number == signal.SIGINT else PREEMPTED)


def test_a_terminal_that_nohup_keeps_away_stays_away() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Preemption() as preemption:
        os.kill(os.getpid(), signal.SIGHUP)
        assert preemption.exit_code == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert preemption.exit_code == PREEMPTED
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone() -> None:
    handlers = []

    def enter() -> None:
        with Preemption():
            handlers.extend(signal.getsignal(each) for each in SIGNALS)

    before = [signal.getsignal(each) for each in SIGNALS]
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == before
