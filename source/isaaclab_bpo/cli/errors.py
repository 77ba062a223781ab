# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Mistakes of the user, each told in one sentence."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import NoReturn


class UserError(Exception):
    """A mistake in the command line; the message is the one sentence that the user reads."""


def fail(program: str, error: Exception, code: int = 2) -> NoReturn:
    """Print ``error`` to stderr and leave with the exit code ``code``."""
    print(f"{program}: error: {error}", file=sys.stderr, flush=True)
    raise SystemExit(code)


def similar(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that offers the closest of ``names``."""
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f": did you mean {' or '.join(close)}?" if close else ""
