# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Other people's machines: locales, homes, broken tools, and an installation that belongs to somebody else."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.process import ROOT, TIMEOUT, environment

SOMEBODY = 12345
"""An id that has no name, as in a container."""

SMALL = ("--task", "Gym-CartPole-v1", "--num_envs", "2")
LOCALE = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

MACHINES: dict[str, dict[str, str | None]] = {
    "the locale C, neither home nor temporary folder": {
        **LOCALE,
        "LC_ALL": "C",
        "HOME": None,
        "TMPDIR": "/nonexistent",
    },
    "the locale POSIX, no git": {**LOCALE, "LC_ALL": "POSIX", "HOME": "/nonexistent", "PATH": "{tools}"},
    "git fails": {"HOME": "/dev/null", "PATH": "{tools}:{path}"},
}


def command(action: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(ROOT / "scripts" / "rsl_rl" / f"{action}.py"), *SMALL, *arguments)


def run(command: tuple[str, ...], cwd: Path, variables: dict[str, str]) -> str:
    """Run a command, which must succeed without a traceback, and return what it printed."""
    done = subprocess.run(
        command, cwd=cwd, env=variables, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT
    )
    output = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, output[-3000:]
    assert "Traceback" not in output, output[-3000:]
    return output


@pytest.mark.parametrize("machine", MACHINES)
def test_training_and_playing_need_little_of_a_machine(machine: str, tmp_path: Path) -> None:
    tools, folder = tmp_path / "tools", tmp_path / "Grüße 日本"
    tools.mkdir()
    folder.mkdir()
    if machine == "git fails":
        (tools / "git").write_text("#!/bin/sh\nexit 3\n")
        (tools / "git").chmod(0o755)
    variables = environment()
    for name, value in MACHINES[machine].items():
        variables.pop(name, None)
        if value is not None:
            variables[name] = value.format(tools=tools, path=os.environ["PATH"])
    run(command("train", "--max_iterations", "1", "--run_name", "ü"), folder, variables)
    (checkpoint,) = folder.glob("logs/rsl_rl/*/*_ü/model_0.pt")
    if variables.get("LC_ALL") == "C":
        run(command("play", "--checkpoint", "latest"), folder, variables)
        assert {path.name for path in (checkpoint.parent / "exported").iterdir()} >= {"policy.pt", "policy.onnx"}


# --- Another user -----------------------------------------------------------------------------------------------------


def can_change_mounts() -> bool:
    tools = all(map(shutil.which, ("unshare", "setpriv", "mount")))
    return tools and subprocess.run(("unshare", "--mount", "true"), capture_output=True).returncode == 0


def closed_parent(path: Path) -> Path | None:
    """Return the topmost folder above a path that others may not enter."""
    return next((above for above in reversed(path.parents) if not above.stat().st_mode & 0o001), None)


def mounts(read_only: list[Path], writable: Path, aside: Path) -> Iterator[str]:
    """Yield the shell's commands that show some folders to everybody, wherever they lie, and nothing beside them."""
    folders = [*read_only, writable]
    yield "set -e; mount --make-rprivate /"
    for i, folder in enumerate(folders):
        yield f"mkdir {aside}/{i}; mount --bind {shlex.quote(str(folder))} {aside}/{i}"
    for closed in {closed_parent(folder) for folder in folders} - {None}:
        yield f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(closed))}"
    for i, folder in enumerate(folders):
        place = shlex.quote(str(folder))
        yield f"mkdir -p {place}; mount --bind {aside}/{i} {place}"
        if folder != writable:
            yield f"mount -o remount,bind,ro {place}"


@pytest.mark.skipif(os.getuid() != 0 or not can_change_mounts(), reason="needs the superuser's right to mount")
def test_an_installation_that_cannot_be_written_serves_other_users(tmp_path: Path) -> None:
    """They have neither a name nor a home, and git does not trust the checkout of another user."""
    tmp_path.chmod(0o755)
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    variables = {name: value for name, value in environment().items() if name not in ("HOME", "USER", "LOGNAME")}
    user = ("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups")
    installed = [Path(sys.base_prefix), ROOT, Path(sys.prefix)]
    for arguments in (("train", "--max_iterations", "1"), ("play", "--checkpoint", "latest")):
        aside = Path(tempfile.mkdtemp(dir="/tmp"))
        shell = "\n".join([*mounts(installed, tmp_path, aside), f"cd {shlex.quote(str(tmp_path))}", 'exec "$@"'])
        try:
            run(("unshare", "--mount", "bash", "-c", shell, "bash", *user, *command(*arguments)), tmp_path, variables)
        finally:
            for folder in (*aside.iterdir(), aside):
                folder.rmdir()  # what was mounted there was in a name space of its own
    (checkpoint,) = tmp_path.glob("logs/rsl_rl/*/*/model_0.pt")
    assert checkpoint.stat().st_uid == SOMEBODY
    assert (checkpoint.parent / "exported" / "policy.onnx").is_file()
