# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runs Slurm itself on this machine: munge, the controller, and nodes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("one", "two")

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire=5  # a requeued job waits for the end of its credential
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
GresTypes=gpu
{nodes}
PartitionName=cpu Nodes={names} Default=YES
"""


def find(daemon: str) -> str | None:
    """Return the path of a daemon, which only root has on its own."""
    return shutil.which(daemon, path=os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin")))


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Run a cluster of two nodes with a GPU each, which is a number only, and keep all of it in ``folder``.

    Yields:
        The variables with which Slurm's commands find the cluster.
    """
    host = socket.gethostname().split(".")[0]
    ports = _free_ports(1 + len(NODES))
    nodes = [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 Gres=gpu:1"
        for name, port in zip(NODES, ports[1:], strict=True)
    ]
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(host=host, folder=folder, port=ports[0], nodes="\n".join(nodes), names=",".join(NODES))
    )
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    files = [
        f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "pid-file", "log-file", "seed-file")
    ]
    variables = {**os.environ, "SLURM_CONF": str(configuration)}
    commands = [("munged", "--force", "--foreground", f"--key-file={folder}/munge.key", *files), ("slurmctld", "-D")]
    commands += [("slurmd", "-D", "-N", name) for name in NODES]
    with contextlib.ExitStack() as daemons:
        for daemon, *arguments in commands:
            path = find(daemon)
            assert path is not None, daemon
            process = subprocess.Popen(
                (path, *arguments), env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            daemons.callback(_end, process)
        _wait_until_idle(variables)
        yield variables


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in bound]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_idle(variables: dict[str, str]) -> None:
    deadline = time.monotonic() + 30
    while True:
        done = subprocess.run(("sinfo", "-h", "-o", "%T %D"), env=variables, capture_output=True, text=True)
        if done.stdout.split() == ["idle", str(len(NODES))]:
            return
        assert time.monotonic() < deadline, f"Slurm's nodes do not come up: {done.stdout}{done.stderr}"
        time.sleep(0.2)
