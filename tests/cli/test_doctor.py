# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the doctor finds here, and where something is missing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from e2e.process import environment
from isaaclab_bpo.cli.doctor import _folder, _package


def examine(cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "isaaclab_bpo", "doctor")
    return subprocess.run(command, cwd=cwd, env=environment() | variables, capture_output=True, text=True)


def test_all_is_well_here(tmp_path: Path) -> None:
    done = examine(tmp_path)
    assert done.returncode == 0, done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["ok", "isaaclab", version("isaaclab")] in lines
    assert ["ok", "ovphysx", version("ovphysx")] in lines
    assert done.stdout.endswith("A training can start.\n")
    assert f"{tmp_path}/logs/rsl_rl" in done.stdout
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = examine(tmp_path, ISAACSIM_ASSET_ROOT="/nowhere", XDG_CACHE_HOME=str(tmp_path / "file"))
    assert done.returncode == 1
    lost = f"{tmp_path / 'file'} cannot be written, so caches are lost at the end: set XDG_CACHE_HOME to a folder that"
    assert lost in done.stderr  # a private folder takes its place, so it keeps no training from starting
    assert "ISAACSIM_ASSET_ROOT=/nowhere -> let ISAACSIM_ASSET_ROOT name a copy" in done.stdout
    assert done.stdout.endswith("To be mended before a training can start: robot files.\n")


@pytest.mark.parametrize("absent", ["missing", "wrong"])
def test_package_that_is_absent(absent: str) -> None:
    finding = _package("no-such-package", "it, for a test", absent)  # type: ignore[arg-type]
    assert (finding.verdict, finding.mend) == (absent, "install it, for a test")


def test_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _folder(tmp_path / "file" / "logs").verdict == "wrong"
