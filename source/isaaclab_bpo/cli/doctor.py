# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What of this machine and this Python environment commands can use: each with a verdict, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from .run_folder import ROOT
from .surroundings import cache_folder

Verdict = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    """Whether it can be used; "missing" is what not everybody needs, "wrong" what every run does."""
    what: str
    found: str
    mend: str = ""
    """What to do where it cannot be used."""


NEEDED = {
    "isaaclab_bpo": "isaaclab_bpo",
    "isaaclab": "isaaclab_bpo[isaaclab]",
    "rsl-rl-lib": "rsl-rl-lib",
    "torch": "torch",
}
"""Packages that training needs, with what to install."""

OPTIONAL = {
    "ovphysx": "isaaclab_bpo[ovphysx], for physics=ovphysx, which robots need on a CPU",
    "isaacsim": "isaaclab_bpo[isaacsim], for physics=isaacsim_physx",
    "newton": "isaaclab, for physics=newton_mjwarp",
    "mujoco": "gymnasium[mujoco], for tasks such as Gym-Hopper-v5",
    "ale-py": "isaaclab_bpo[atari], for the games of Atari",
    "moviepy": "isaaclab_bpo[isaaclab], for --video",
    "trl": "isaaclab_bpo[gbpo], for language models",
    "wandb": "isaaclab_bpo[wandb], for --logger wandb",
}
"""Packages that some commands need, with what to install, and why."""


def findings() -> Iterator[Finding]:
    """Look at everything, the quickest first."""
    yield Finding("ok", "system", f"{platform.platform()}, {os.cpu_count()} CPU cores")
    is_right = sys.version_info >= (3, 12)
    mend = "Isaac Lab 3.0 needs Python 3.12" if not is_right else ""
    yield Finding("ok" if is_right else "wrong", "Python", platform.python_version(), mend)
    yield from (_package(name, install, "wrong") for name, install in NEEDED.items())
    yield from (_package(name, install, "missing") for name, install in OPTIONAL.items())
    yield from (_folder(path) for path in (ROOT, cache_folder()))
    if find_spec("torch") is not None:
        yield _device()
    if find_spec("isaaclab") is not None:
        yield _assets()


def _package(name: str, install: str, absent: Verdict) -> Finding:
    """Look for a package."""
    try:
        return Finding("ok", name, version(name))
    except PackageNotFoundError:
        return Finding(absent, name, "not installed", f"install {install}")


def _folder(path: Path) -> Finding:
    """Look whether runs, or caches, can be saved in a folder that may not exist yet."""
    existing = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding("wrong", "folder", f"{path.absolute()} cannot be written", "start in another folder")
    free = shutil.disk_usage(existing).free / 1e9
    verdict: Verdict = "ok" if free > 1.0 else "wrong"
    return Finding(verdict, "folder", f"{path.absolute()}, {free:.1f} GB free", "" if verdict == "ok" else "make room")


def _device() -> Finding:
    """Look for a GPU that torch can use."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Finding("ok", "GPU", ", ".join(names))
    built = torch.version.cuda
    mend = "runs are on the CPU; with a GPU, install its driver" if built else "this torch is built without CUDA"
    return Finding("missing", "GPU", "none that torch can use", mend)


def _assets() -> Finding:
    """Look which robot files runs would load."""
    from isaaclab_bpo.robots.assets import configured_asset_root, is_reachable

    if root := os.environ.get("ISAACSIM_ASSET_ROOT"):
        there = Path(root).is_dir() or "://" in root
        mend = "" if there else "let ISAACSIM_ASSET_ROOT name a copy of NVIDIA's assets, or unset it"
        return Finding("ok" if there else "wrong", "robot files", f"ISAACSIM_ASSET_ROOT={root}", mend)
    if is_reachable(configured_asset_root()):
        return Finding("ok", "robot files", "NVIDIA's asset server answers")
    mend = "stand-in robots take the place of NVIDIA's: results are not comparable with published ones"
    return Finding("missing", "robot files", "NVIDIA's asset server is out of reach", mend)


def run() -> int:
    """Print all findings; return the exit code, 1 if no training can start."""
    found = []
    for finding in findings():
        found.append(finding)
        mend = f" -> {finding.mend}" if finding.mend else ""
        print(f"{finding.verdict:<8} {finding.what:<13} {finding.found}{mend}", flush=True)
    wrong = [finding.what for finding in found if finding.verdict == "wrong"]
    print(f"To be mended before a training can start: {', '.join(wrong)}." if wrong else "A training can start.")
    return 1 if wrong else 0
