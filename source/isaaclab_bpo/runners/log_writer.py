# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Logging services that cannot cost a run: a thread calls them, nobody waits for it long, and its errors are said."""

from __future__ import annotations

import contextlib
import copy
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rsl_rl.utils.logger import Logger

TIMEOUT = 25.0
"""How long a service may take to start, and to finish [s]."""

MAX_CALLS = 10_000
"""How many calls may wait for a service; it keeps up with thousands of iterations, or not at all."""

METHODS = ("add_scalar", "store_config", "save_model", "save_file", "save_video", "stop")
"""What rsl_rl's logger calls of a service's writer."""


def protect(logger: Logger) -> None:
    """Let a run go on where the logging service that it is to use is slow, out of reach or broken.

    A service that does not start is replaced by TensorBoard, which is a file.

    Args:
        logger: rsl_rl's logger, whose writer is not made yet.
    """
    logger.init_logging_writer = partial(_init_logging_writer, logger)


def _init_logging_writer(logger: Logger) -> None:
    cfg: Any = logger.cfg.get("logger", "tensorboard")
    name = cfg if isinstance(cfg, str) else str(cfg.get("class_name"))
    init = type(logger).init_logging_writer
    if name == "tensorboard" or logger.log_dir is None or logger.disable_logs:
        return init(logger)
    trial, others = copy.copy(logger), _children()
    error = _error_of(partial(init, trial))
    if error is None:
        vars(logger).update(vars(trial))
        return _call_in_background(logger.writer, name, _children() - others)
    _kill(_children() - others)
    _say(f"{name} does not start ({error}): the run is logged for TensorBoard only")
    logger.cfg = {**logger.cfg, "logger": "tensorboard"}
    return init(logger)


def _error_of(call: Callable[[], Any]) -> str | None:
    """Make a call that may take :data:`TIMEOUT`, and return what went wrong, in a line."""
    errors: list[str | None] = [f"no answer in {TIMEOUT:.0f} s"]

    def try_call() -> None:
        try:
            call()
            errors.append(None)
        except Exception as error:  # whatever services and their packages may raise
            errors.append(_line(error))

    thread = threading.Thread(target=try_call, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return errors[-1]


def _children() -> set[int]:
    """Return the ids of the processes that this one has started, where the system tells."""
    children: set[int] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # that thread has ended meanwhile, and its children are another's
            children.update(map(int, listed.read_text().split()))
    return children


def _kill(processes: set[int]) -> None:
    """End processes of a service that was given up: at its exit, this process would wait for them."""
    for process in processes & _children():
        os.kill(process, signal.SIGKILL)


def _call_in_background(writer: Any, name: str, processes: set[int]) -> None:
    """Let a thread make the calls of a writer, in their order; its service has started some processes."""
    calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
    said: set[str] = set()

    def say_once(what: str) -> None:
        if what not in said:
            said.add(what)
            _say(f"{name} {what}: the run goes on")

    def work() -> None:
        while (call := calls.get()) is not None:
            try:
                call()
            except Exception as error:
                say_once(f"fails ({_line(error)})")

    def put(method: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        if calls.qsize() < MAX_CALLS:
            calls.put(partial(method, *args, **kwargs))
        else:
            say_once("does not keep up, and misses what it is not told any more")

    def stop(method: Callable[[], Any]) -> None:
        calls.put(method)
        calls.put(None)
        thread.join(TIMEOUT)
        if thread.is_alive():
            say_once(f"did not finish in {TIMEOUT:.0f} s, and misses what it was not told until now")
            _kill(processes)

    thread = threading.Thread(target=work, daemon=True)
    for method_name in METHODS:
        if (method := getattr(writer, method_name, None)) is not None:
            setattr(writer, method_name, partial(stop if method_name == "stop" else put, method))
    thread.start()


def _line(error: Exception) -> str:
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)  # a KeyError quotes its text
    return f"{type(error).__name__}: {' '.join(text.split())[:200]}"


def _say(sentence: str) -> None:
    print(f"[isaaclab_bpo] {sentence}.", file=sys.stderr)
