# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the README says holds."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from point_mass import PointMass

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_example_runs(tmp_path: Path, monkeypatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example.replace("learn(100)", "learn(2)"), {"env": PointMass()})
    assert list(tmp_path.glob("logs/bpo/model_*.pt"))


def test_table_of_options_is_the_generated_one() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "make_options_table.py"))["render"]
    assert render(README) == README, "run docs/make_options_table.py"


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_linked_files_and_named_tests_exist(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in tests, name
