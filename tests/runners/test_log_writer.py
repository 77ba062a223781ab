# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Logging services that are slow, broken or out of reach: the run goes on, and a sentence says what is missing."""

from __future__ import annotations

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rsl_rl.utils.log_writer import LogWriter
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from isaaclab_bpo.runners import DurableRunner, log_writer
from point_mass import PointMass, runner_cfg


class Service(LogWriter):
    """A logging service, as a user may write one, with a fault in one of its parts."""

    calls: ClassVar[list[tuple[str, Any]]] = []

    def __init__(self, log_dir: str, faulty: str = "", fault: str = "raises") -> None:
        self.faulty, self.fault = faulty, fault
        self.calls.clear()
        self._call("__init__", log_dir)

    def _call(self, name: str, value: Any) -> None:
        if name == self.faulty:
            if self.fault == "hangs":
                time.sleep(60.0)
            raise {"raises": RuntimeError, "is full": OSError, "lacks": KeyError}[self.fault]("this and\nthat")
        self.calls.append((name, value))

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self._call("add_scalar", (tag, float(scalar_value), global_step))

    def store_config(self, env_cfg: Any, train_cfg: dict) -> None:
        self._call("store_config", train_cfg)

    def save_model(self, model_path: str, it: int) -> None:
        self._call("save_model", it)

    def save_file(self, path: str) -> None:
        self._call("save_file", path)

    def stop(self) -> None:
        self._call("stop", None)


def learn(folder: Path, **service: str) -> DurableRunner:
    cfg = runner_cfg() | {"logger": {"class_name": f"{__name__}:Service", **service}, "save_interval": 1}
    runner = DurableRunner(PointMass(), cfg, str(folder))
    runner.learn(3)
    assert sorted(path.name for path in folder.glob("*.pt")) == ["model_0.pt", "model_1.pt", "model_2.pt"]
    return runner


def test_calls_come_in_their_order_and_all_before_the_end(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    learn(tmp_path)
    names = [name for name, _ in Service.calls]
    assert names[0] == "__init__"
    assert names[-1] == "stop"
    assert [value for name, value in Service.calls if name == "save_model"] == [0, 1, 2, 2]
    rates = [value[2] for name, value in Service.calls if name == "add_scalar" and value[0] == "Loss/learning_rate"]
    assert rates == [0, 1, 2]
    assert "[isaaclab_bpo]" not in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["raises", "is full", "lacks", "hangs"])
@pytest.mark.parametrize("faulty", ["__init__", "add_scalar", "store_config", "save_model", "stop"])
def test_a_faulty_service_costs_the_run_nothing(
    faulty: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "TIMEOUT", 1.0)
    start = time.monotonic()
    learn(tmp_path, faulty=faulty, fault=fault)
    assert time.monotonic() - start < 30.0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[isaaclab_bpo]")]
    assert len(said) == 1  # however often it fails
    assert ("in 1 s" if fault == "hangs" else "this and that") in said[0]
    if faulty in ("__init__", "store_config"):
        assert "logged for TensorBoard only" in said[0]
        events = EventAccumulator(str(tmp_path))
        events.Reload()
        assert [event.step for event in events.Scalars("Loss/value")] == [0, 1, 2]
    elif fault != "hangs":
        assert len(Service.calls) > 5  # the other calls are made


def test_a_service_that_does_not_keep_up_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "TIMEOUT", 1.0)
    monkeypatch.setattr(log_writer, "MAX_CALLS", 20)
    learn(tmp_path, faulty="add_scalar", fault="hangs")
    assert "does not keep up" in capsys.readouterr().err


def test_children_are_listed_while_threads_end() -> None:
    """The system drops a thread's list with the thread, between the look for lists and the reading of one."""
    with ThreadPoolExecutor(1) as pool, subprocess.Popen(["sleep", "60"]) as child:
        ending = pool.submit(lambda: [threading.Thread(target=int).start() for _ in range(2_000)])
        while not ending.done():
            assert child.pid in log_writer._children()
        child.kill()
