# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Sphinx's configuration: ``./isaaclab.sh -p -m sphinx -W -c docs . build/site`` in the project's folder.

The project's folder is the source, so that a link to any file of the repository is the same on the site as beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx import addnodes
from sphinx.application import Sphinx

import isaaclab_bpo

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "source" / "isaaclab_bpo"
LANGUAGES = {"": "docker", ".py": "python", ".sh": "bash", ".toml": "toml", ".yaml": "yaml"}
"""Those of the linked files that get a page, by suffix; others are downloaded."""

project = "isaaclab_bpo"
author = "The isaaclab_bpo Developers"
project_copyright = f"2026, {author}"
release = isaaclab_bpo.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxcontrib.mermaid",
]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "benchmarks/README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = [".*", "build", "logs", "outputs"]

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4  # GitHub's anchors

autodoc_inherit_docstrings = False  # rsl_rl's are not for Sphinx
autodoc_member_order = "bysource"
autodoc_mock_imports = ["verl"]  # which cannot be beside Isaac Lab
autodoc_default_options = {"members": True}
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "redirect.html"}
html_copy_source = False
html_math_renderer = "mathml"
templates_path = ["_templates"]
copybutton_exclude = ".linenos, .gp, .go"

# --- Formulas ---------------------------------------------------------------------------------------------------------

PROTECTED = re.compile(r"(^ *\* |``.+?``|:[\w:]+:`.+?`|`.+?`_*)")
"""What reStructuredText reads in our docstrings: bullets, literals and references."""


def escape(line: str, formula: bool = False) -> str:
    """Return a line of a docstring, whose formulas are plain text, as reStructuredText."""
    parts = PROTECTED.split(line)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"[*|]|_(?![\w{])", r"\\\g<0>", parts[i])
        if formula:
            for sign, role in ("_", "sub"), ("^", "sup"):
                script = re.compile(rf"\{sign}(?:\{{([^}}]*)\}}|(±?(?:[^\W_]|[₀π](?:\\\*)?|\\\*)+))")
                parts[i] = script.sub(lambda m, role=role: rf"\ :{role}:`{m[1] or m[2]}`\ ", parts[i])
    return "".join(parts)


def is_formula(paragraph: str) -> bool:
    """Whether a paragraph of a docstring is formulas, one a line: it is no sentence and no section."""
    return bool(re.search(r"[=|Σ]", paragraph)) and not re.search(r"[.:]$|^\w+:\n", paragraph)


def typeset(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make reStructuredText of a docstring, before napoleon reads its sections."""
    paragraphs = "\n".join(lines).strip("\n").split("\n\n")
    for i, paragraph in enumerate(paragraphs):
        rows = paragraph.split("\n")
        if is_formula(paragraph):
            paragraphs[i] = "\n".join([".. container:: formula\n", *(f"   | {escape(r.strip(), True)}" for r in rows)])
        else:
            paragraphs[i] = "\n".join(map(escape, rows))
    lines[:] = [*"\n\n".join(paragraphs).split("\n"), ""]


def visit_math(self: Any, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers draw without a script."""
    block = isinstance(node, nodes.math_block)
    tex = node.astext().replace(r"\log", r"\,\log\,")  # docutils leaves no space beside it
    mathml = latex2mathml.tex2mathml(tex, as_block=block)
    self.body.append(f'<div class="math">{mathml}</div>\n' if block else mathml)
    raise nodes.SkipNode


# --- Links to files of the repository ---------------------------------------------------------------------------------


def link_files(app: Sphinx, doctree: nodes.document) -> None:
    """Lead links to files that are no pages to pages that show them, and links to a room's folder to its API."""
    folder, uri_of = (ROOT / app.env.docname).parent, app.builder.get_relative_uri
    for node in [*doctree.findall(addnodes.download_reference), *doctree.findall(addnodes.pending_xref)]:
        path = (folder / node["reftarget"]).resolve()
        api = f"docs/api/{path.name}"
        if isinstance(node, addnodes.download_reference):
            if path.suffix not in LANGUAGES:
                continue
            file = path.relative_to(ROOT).as_posix()
            uri = uri_of(app.env.docname, f"files/{file}")
            node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=uri, file=file))
        elif path.parent == PACKAGE and api in app.env.found_docs:
            uri = uri_of(app.env.docname, api)
            node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=uri))
        elif path.is_dir():  # the site has no page of it
            node.replace_self(node.children)


def show_files(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the pages of the files that are linked to."""
    references = (node for name in app.env.found_docs for node in app.env.get_doctree(name).findall(nodes.reference))
    for file in sorted({node["file"] for node in references if "file" in node}):
        text = (ROOT / file).read_text(encoding="utf-8")
        code = app.builder.highlighter.highlight_block(text, LANGUAGES[Path(file).suffix])  # type: ignore[attr-defined]
        yield f"files/{file}", {"title": file, "body": f"<h1>{file}</h1>{code}"}, "page.html"


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", typeset, priority=400)
    app.connect("doctree-read", link_files, priority=400)
    app.connect("html-collect-pages", show_files)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
