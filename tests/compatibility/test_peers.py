# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's own tests of PPO, storage and runner, those of the installed version, hold with ours in their places."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "peers" / "substitutes.py"
TESTS = ("tests/algorithms/test_ppo.py", "tests/storage", "tests/runners/test_on_policy_runner.py")


def source(folder: Path) -> Path:
    """Return the source of rsl_rl with its tests: of RSL_RL_CHECKOUT, a checkout, or the source distribution's."""
    if checkout := os.environ.get("RSL_RL_CHECKOUT"):
        return Path(checkout)
    package = f"rsl-rl-lib=={version('rsl-rl-lib')}"
    options = ("--quiet", "--no-deps", "--no-binary", "rsl-rl-lib", "--dest", str(folder))
    done = subprocess.run((sys.executable, "-m", "pip", "download", *options, package), capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"pip cannot download the source distribution of {package}")
    (archive,) = folder.iterdir()
    shutil.unpack_archive(archive, folder, filter="data")
    unpacked = folder / archive.name.removesuffix(".tar.gz")
    if not (unpacked / "tests").is_dir():
        pytest.skip(f"the source distribution of {package} has no tests: set RSL_RL_CHECKOUT to a checkout of it")
    return unpacked


def test_rsl_rls_own_tests_hold(tmp_path: Path) -> None:
    folder = source(tmp_path)
    paths = os.pathsep.join(map(str, (PLUGIN.parent, folder, os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", PLUGIN.stem, "-p", "no:cacheprovider", *TESTS),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert " passed" in done.stdout
