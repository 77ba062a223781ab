# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The documentation builds as a site without a warning, and its links lead somewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]


class Page(HTMLParser):
    """The links, the anchors and the text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name == "id":
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--fail-on-warning", "--conf-dir", "docs", "--doctree-dir", str(folder / "doctrees"))
    command = (sys.executable, "-m", "sphinx", *options, ".", str(folder / "html"))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return folder / "html"


def test_links_lead_somewhere(site: Path) -> None:
    page = cache(Page)
    dead = []
    for file in site.rglob("*.html"):
        for link in page(file).links:
            url = urlsplit(link)
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            if url.scheme or url.netloc:
                continue
            if not target.is_file() or (
                url.fragment and target.suffix == ".html" and unquote(url.fragment) not in page(target).anchors
            ):
                dead.append((str(file.relative_to(site)), link))
    assert dead == []


def test_formulas_of_docstrings_are_typeset(site: Path) -> None:
    html = (site / "docs" / "api" / "brrl.html").read_text(encoding="utf-8")
    assert "l<sub>BPO</sub> = |A| · |ρ - ρ*|,   ρ* = c<sub>l</sub> + (c<sub>h</sub> - c<sub>l</sub>) σ(Ã/λ + b)" in html
    assert "A<sub>t+1</sub>" in html


def test_formulas_of_pages_are_mathml(site: Path) -> None:
    theory = (site / "docs" / "theory.html").read_text(encoding="utf-8")
    assert theory.count("<math") > 100
    assert "$" not in Page(site / "docs" / "theory.html").text


def test_every_page_is_in_the_navigation(site: Path) -> None:
    index = Page(site / "docs" / "index.html")
    linked = {(site / "docs" / urlsplit(link).path).resolve() for link in index.links if not urlsplit(link).scheme}
    pages = {path for path in (site / "docs").rglob("*.html") if path.name != "index.html"}
    assert {str(path.relative_to(site)) for path in pages - linked} == set()


def test_search_finds_the_word_of_an_error_message(site: Path) -> None:
    script = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(script.removeprefix("Search.setIndex(").removesuffix(")"))
    found = index["terms"]["preset"]  # the number of a page, or a list of them
    assert index["docnames"].index("docs/errors") in (found if isinstance(found, list) else [found])
