# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the README and the pages of the documentation say holds, as far as a look at the source tells."""

from __future__ import annotations

import ast
import re
import runpy
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from point_mass import PointMass

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "source" / "isaaclab_bpo"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150
    bullets = re.findall(r"^\* .*(?:\n  .*)*", README, flags=re.MULTILINE)
    assert len(bullets) == 5
    assert max(bullet.count("\n") for bullet in bullets) == 1


def test_badges_are_true() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    badges = dict(re.findall(r"badge/((?:[^-]|--)+)-((?:[^-]|--)+)-\w+\)", README))
    assert badges.keys() == {"Isaac_Lab", "rsl__rl", "Python", "license"}
    assert project["optional-dependencies"]["isaacsim"] == [f"isaaclab[isaacsim]=={badges['Isaac_Lab']}.*"]
    assert any(f"rsl-rl-lib>={badges['rsl__rl'].split('_')[0]}," in it for it in project["dependencies"])
    assert f"rsl-rl-lib=={badges['rsl__rl'].split('_')[-1]}." in (ROOT / "requirements.lock").read_text()
    assert f"Programming Language :: Python :: {badges['Python']}" in project["classifiers"]
    assert badges["license"].replace("--", "-") in README.splitlines()[-1]


def test_citation_names_this_version_and_the_readmes_authors() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == tomllib.loads((ROOT / "extension.toml").read_text())["package"]["version"]
    (entry,) = re.findall(r"author  = \{(.*?)\},\n", README, flags=re.DOTALL)
    names = re.sub(r'\{\\"(\w)\}', lambda match: f"{match[1]}\u0308", " ".join(entry.split()))
    authors = citation["preferred-citation"]["authors"]
    expected = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in authors)
    assert unicodedata.normalize("NFC", names) == expected


def test_example_of_rsl_rl_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "tutorials" / "from_ppo.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example.replace("learn(100)", "learn(2)"), {"env": PointMass()})
    assert list(tmp_path.glob("logs/bpo/model_*.pt"))


def test_table_of_options_is_the_generated_one() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    render = runpy.run_path(str(ROOT / "docs" / "make_options_table.py"))["render"]
    assert render(page) == page, "run docs/make_options_table.py"


def test_tables_of_the_theory_are_what_their_script_computes() -> None:
    page = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    render = runpy.run_path(str(ROOT / "docs" / "make_theory_tables.py"))["render"]
    assert render(page) == page, "run docs/make_theory_tables.py"


def literal(node: ast.expr) -> str:
    """Return a string of the source, with … for what is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def error_sentences() -> Iterator[str]:
    """Yield the sentences of the errors that users meet, but those that only pass another one on."""
    users = {"UserError", "SubmitError", "CheckpointError", "UnreadableRun", "ArgumentTypeError"}
    users |= {"TrainingDivergedError", "EnvironmentFailedError", "RankLostError"}
    for file in (*SOURCE.rglob("*.py"), ROOT / "docker" / "cluster" / "submit.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in users and node.args:
                sentence = literal(node.args[0])
                if sentence not in ("", "--checkpoint …"):
                    yield sentence


def test_every_error_message_is_explained() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert [sentence for sentence in error_sentences() if f"| `{sentence}` | " not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_files_and_named_tests_exist(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in tests, name
