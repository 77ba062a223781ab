# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What can be checked of the prose: the length of lines, and words that have better ones in the field."""

from __future__ import annotations

import re
from pathlib import Path
from unicodedata import combining

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
FOLDERS = ("source", "scripts", "benchmarks", "docker", "docs")
CODE = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*")) if file.suffix in (".py", ".sh")]
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MAX_LENGTH = 120
EXEMPT = re.compile(r"\s*\||\$\$|.*https?://\S{60}")
"""Lines that cannot be split: rows of tables, formulas, long addresses."""

PRAGMA = re.compile(r"  # (type: ignore|noqa|pragma).*")

BANNED = {
    r"(un)?sound": "finite, not finite",
    r"problems": "errors, or what exactly they are",
    r"kin": "and others, or their names",
}
"""Words that the field does not use in this sense, with those that it does."""


def width(line: str) -> int:
    """Return the columns that a line takes: those of ruff, which ignores pragmas and combining marks."""
    return sum(not combining(character) for character in PRAGMA.sub("", line))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("file", [*PAGES, *CODE, *TESTS], ids=relative)
def test_lines_are_short(file: Path) -> None:
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    assert [number for number, line in lines if width(line) > MAX_LENGTH and not EXEMPT.match(line)] == []


@pytest.mark.parametrize("file", [*PAGES, *CODE], ids=relative)
def test_words_are_those_of_the_field(file: Path) -> None:
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    pattern = re.compile(rf"(?<![a-z])({'|'.join(BANNED)})(?![a-z])", re.IGNORECASE)
    assert [(number, match.group()) for number, line in lines for match in pattern.finditer(line)] == []
