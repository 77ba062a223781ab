# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Mistakes of the user, each told in one sentence."""

from __future__ import annotations

import sys
from typing import NoReturn


class UserError(Exception):
    """A mistake in the command line; the message is the one sentence that the user reads."""


def fail(program: str, error: Exception, code: int = 2) -> NoReturn:
    """Print ``error`` to stderr and leave with the exit code ``code``."""
    print(f"{program}: error: {error}", file=sys.stderr, flush=True)
    raise SystemExit(code)
