# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A training in a process of its own that faults are injected into, fast enough to be killed hundreds of times.

Processes are forked from a server that has imported torch, so each starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from isaaclab_bpo.runners import DurableRunner, read
from point_mass import PointMass, runner_cfg

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["isaaclab_bpo.runners", "torch.utils.tensorboard", "pytest"])
TIMEOUT = 60.0  # [s]; an iteration takes a hundredth


def small_cfg(**changes: Any) -> dict:
    """A configuration whose iterations take about as long as saving them."""
    cfg: dict = runner_cfg(num_learning_epochs=1)
    cfg |= {"num_steps_per_env": 4, "save_interval": 1, "keep_last": 3, "seed": 0}
    for network in ("actor", "critic"):
        cfg[network]["hidden_dims"] = [8]
    return cfg | changes


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first."""
    return sorted(folder.glob("model_[0-9]*.pt"), key=lambda path: int(path.stem[6:]), reverse=True)


def is_finite(folder: Path) -> bool:
    """Whether all parameters in all checkpoints of a folder are finite; raises if one is not whole."""
    networks = ("actor_state_dict", "critic_state_dict", "median_critic_state_dict")
    states = [read(path)[name] for path in checkpoints(folder) for name in networks]
    return all(bool(tensor.isfinite().all()) for state in states for tensor in state.values())


class SlowPointMass(PointMass):
    """An environment whose steps take long, as if it hung."""

    def step(self, actions: torch.Tensor) -> tuple:
        if self.episode_length_buf.sum() > 0:
            time.sleep(30.0)
        return super().step(actions)


class RudePointMass(PointMass):
    """An environment that, like a simulator, handles signals in its own way."""

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        import ctypes

        for number in (signal.SIGTERM, signal.SIGUSR1):
            ctypes.CDLL(None).signal(int(number), ctypes.c_void_p(1))  # SIG_IGN, behind Python's back


class FullDiskPointMass(PointMass):
    """An environment under which, in some iteration, files can no longer grow beyond 1000 bytes."""

    def __init__(self, num_envs: int, iteration: int) -> None:
        super().__init__(num_envs)
        self.steps_left = small_cfg()["num_steps_per_env"] * iteration + 1

    def step(self, actions: torch.Tensor) -> tuple:
        self.steps_left -= 1
        if self.steps_left == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return super().step(actions)


def train(folder: Path, iterations: int, make_env: Callable[..., PointMass], pipe: Connection) -> None:
    """Go on from the newest checkpoint, or start; send the iteration before, each one, and the error it ends with."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    (folder / "output").touch()
    output = os.open(folder / "output", os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    env = make_env(num_envs=4)
    runner = DurableRunner(env, small_cfg(), str(folder))
    newest = checkpoints(folder)
    if newest:
        runner.load(str(newest[0]))
    pipe.send(runner.current_learning_iteration if newest else -1)
    log = runner.logger.log

    def log_and_tell(**kwargs: Any) -> None:
        pipe.send(kwargs["it"])
        log(**kwargs)

    runner.logger.log = log_and_tell  # type: ignore[method-assign]
    try:
        runner.learn(runner.iterations_left(iterations))
    except OSError as error:
        pipe.send(str(error))
        sys.exit(1)


def start(
    folder: Path, iterations: int = 10000, make_env: Callable[..., PointMass] = PointMass
) -> tuple[BaseProcess, Callable[[], Any]]:
    """Start :func:`train`; return the process and a function that waits for what it sends next."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=train, args=(folder, iterations, make_env, sender))
    process.start()
    sender.close()

    def next_iteration() -> Any:
        assert receiver.poll(TIMEOUT), (folder / "output").read_text()[-3000:]
        with contextlib.suppress(EOFError):
            return receiver.recv()
        raise AssertionError((folder / "output").read_text()[-3000:])

    return process, next_iteration
