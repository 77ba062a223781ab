# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Python in a process of its own, with an empty cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_python(*arguments: str, folder: Path, sitecustomize: str = "", **variables: str) -> tuple[int, str, str]:
    """Run Python in a process of its own; return its exit code and what it printed.

    Args:
        *arguments: The interpreter's arguments.
        folder: Where to run it, with an empty cache.
        sitecustomize: Python code that the interpreter executes first.
        **variables: Environment variables to set.
    """
    (folder / "sitecustomize.py").write_text(sitecustomize)
    environment = {key: value for key, value in os.environ.items() if key != "ISAACSIM_ASSET_ROOT"}
    path = os.pathsep.join(filter(None, (str(folder), environment.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(folder / "cache")} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
