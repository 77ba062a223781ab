# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Starts the command in processes that have imported Isaac Lab already, so that a start takes a second."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from e2e.process import environment

Start = Callable[..., subprocess.CompletedProcess[str]]

# Every start is a child of its own, forked after the imports, with the files out and err in its folder.
SERVER = """
import json, os, sys, traceback

import isaaclab_bpo.cli.workflow
from isaaclab_bpo.cli.main import main
for line in sys.stdin:
    folder, argv, variables = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        os.chdir(folder)
        os.environ.update(variables)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        try:
            main(argv)
            code = 0
        except SystemExit as error:
            code = error.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def serve() -> subprocess.Popen[str]:
    """Start the process that imports Isaac Lab."""
    command, pipe = (sys.executable, "-c", SERVER), subprocess.PIPE
    return subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, text=True)


def starter(server: subprocess.Popen[str], folder: Path) -> Start:
    """Return a function that starts the command in ``folder``, with environment variables as keywords."""

    def start(*argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps([str(folder), argv, variables]), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        out, err = (Path(folder, name).read_text(errors="replace") for name in ("out", "err"))
        return subprocess.CompletedProcess(argv, code, out, err)

    return start
