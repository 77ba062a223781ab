# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Write the table of BPO's options into docs/configuration.md: ``./isaaclab.sh -p docs/make_options_table.py``."""

from __future__ import annotations

import re
from dataclasses import Field, fields
from pathlib import Path

from isaaclab_bpo.algorithms.options import BpoOptions, PpoOptions

PAGE = Path(__file__).parent / "configuration.md"
BEGIN, END = "<!-- written by docs/make_options_table.py -->\n", "<!-- end of what it writes -->\n"
HEADER = ["| field `agent.algorithm.…` | default | meaning |", "| --- | --- | --- |"]


def row(option: Field) -> str:
    """Return the row of an option."""
    default = f"`{option.default}`" if isinstance(option.default, str) else str(option.default).lower()
    meaning = re.sub(r"[|*]", r"\\\g<0>", option.metadata["meaning"])
    return f"| `{option.name}` | {default} | {meaning} |"


def render(page: str) -> str:
    """Return a page with the table between the two comments."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    shared = [option.name for option in fields(PpoOptions)]
    options = sorted(fields(BpoOptions), key=lambda option: option.name in shared)  # BPO's own ones first
    table = "\n".join([*HEADER, *map(row, options)])
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
