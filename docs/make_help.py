# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Write what ``--help`` prints of commands whose arguments are Isaac Lab's, too, which takes long to import."""

from __future__ import annotations

import contextlib
import io
import os
import re
from typing import get_args

from isaaclab_bpo.cli.arguments import Action, _full_parser
from isaaclab_bpo.cli.main import HELP


def render(action: Action) -> str:
    """Return the help of a command, 120 columns wide."""
    from isaaclab_tasks.utils import setup_preset_cli

    printed = io.StringIO()
    os.environ["COLUMNS"] = "120"
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        setup_preset_cli(_full_parser(action), ["--help"])
    # Isaac Lab has sets of choices, whose order is another one in each process
    return re.sub(r"\{([\w,]+)\}", lambda match: "{" + ",".join(sorted(match[1].split(","))) + "}", printed.getvalue())


if __name__ == "__main__":
    for action in get_args(Action):
        (HELP / f"{action}.txt").write_text(render(action), encoding="utf-8")
