# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The table of all injected faults, printed when the tests have run."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

RecordFault = Callable[[str, bool, bool, int], None]


@pytest.fixture
def record_fault(record_property: Callable[[str, object], None]) -> RecordFault:
    """Return a function that enters an injected fault into the table.

    Its arguments are the kind of fault, whether the run survived it (or ended as it should), whether all parameters
    were finite afterwards, and how many saved checkpoints were lost. It fails the test unless all is well.
    """

    def record(kind: str, survived: bool, finite: bool, lost: int) -> None:
        record_property("fault", (kind, survived, finite, lost))
        assert survived, f"{kind}: not survived"
        assert finite, f"{kind}: parameters are not finite"
        assert lost == 0, f"{kind}: {lost} checkpoints lost"

    return record


@pytest.fixture(scope="session", autouse=True)
def _signals_of_a_terminal() -> None:
    """Tests may run under nohup, whose ignored SIGHUP the processes that they start would inherit."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    faults = defaultdict(list)
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
            if name == "fault":
                kind, *outcome = value
                faults[kind].append(outcome)
    if not faults:
        return
    terminalreporter.section("injected faults")
    terminalreporter.line(f"{'fault':<44} {'times':>6} {'survived':>9} {'finite':>7} {'lost':>5}")
    for kind, outcomes in sorted(faults.items()):
        survived, finite, lost = (sum(column) for column in zip(*outcomes, strict=True))
        terminalreporter.line(f"{kind:<44} {len(outcomes):>6} {survived:>9} {finite:>7} {lost:>5}")
