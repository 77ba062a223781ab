# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a machine may lack that Python, torch and rsl_rl take for granted; nothing of them is imported here."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys


def prepare() -> None:
    """Let the program run with any locale, as a user without a name, and without git."""
    if sys.getfilesystemencoding() != "utf-8":  # the locale C, which neither paths nor logs fit: start again
        os.environ["PYTHONUTF8"] = "1"  # for children
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:  # as in a container; torch asks for a name, others for a home
        os.environ.setdefault("USER", f"uid{os.getuid()}")
        os.environ.setdefault("HOME", "/nonexistent")
    try:
        subprocess.run(("git", "version"), capture_output=True, check=True, timeout=10.0)
    except (OSError, subprocess.SubprocessError):  # rsl_rl imports GitPython, which would raise
        os.environ |= {"GIT_PYTHON_REFRESH": "quiet", "GIT_PYTHON_GIT_EXECUTABLE": os.devnull}
