# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a machine may lack that Python, torch and rsl_rl take for granted; nothing of them is imported here."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def prepare() -> None:
    """Let the program run with any locale, as a user without a name or a home, without git, on a busy machine."""
    if sys.getfilesystemencoding() != "utf-8":  # the locale C, which neither paths nor logs fit: start again
        os.environ["PYTHONUTF8"] = "1"  # for children
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:  # as in a container; torch asks for a name, others for a home
        os.environ.setdefault("USER", f"uid{os.getuid()}")
        os.environ.setdefault("HOME", "/nonexistent")
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(cache, os.W_OK)
    except OSError:
        is_writable = False
    if not is_writable:  # a folder that nobody else can write to: Warp keeps compiled code there, and runs it
        os.environ["XDG_CACHE_HOME"] = private = tempfile.mkdtemp(prefix="isaaclab_bpo-")
        os.environ.setdefault("MPLCONFIGDIR", private)
        atexit.register(shutil.rmtree, private, ignore_errors=True)
        lost = f"{cache} cannot be written, so caches are lost at the end"
        print(f"[isaaclab_bpo] {lost}: set XDG_CACHE_HOME to a folder that can be.", file=sys.stderr)
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        # Threads of torch that wait for others look only so often before they sleep. By default they do so for
        # milliseconds, and on a busy machine keep those others from working: see benchmarks/threads.py
        os.environ["GOMP_SPINCOUNT"] = "1000"
    try:
        subprocess.run(("git", "version"), capture_output=True, check=True, timeout=10.0)
    except (OSError, subprocess.SubprocessError):  # rsl_rl imports GitPython, which would raise
        os.environ |= {"GIT_PYTHON_REFRESH": "quiet", "GIT_PYTHON_GIT_EXECUTABLE": os.devnull}


def cache_folder() -> Path:
    """Return where programs of this user keep what they can make again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
