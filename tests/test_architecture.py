# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The source follows the rules that docs/architecture.md states, and the limits of size."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise, product
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "source"
PACKAGE = "isaaclab_bpo"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = {
    ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): file
    for file in SOURCE.rglob("*.py")
}
"""The modules of the package by their dotted names."""

Node = TypeVar("Node", ast.FunctionDef, ast.ClassDef)


# --- What the page states ---------------------------------------------------------------------------------------------


def arrows() -> set[tuple[str, str]]:
    """Return the arrows of the page's drawing: ``a & b --> c --> d`` are three."""
    (drawing,) = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", PAGE, re.DOTALL)
    chains = ([group.split(" & ") for group in line.strip().split(" --> ")] for line in drawing.splitlines())
    return {arrow for chain in chains for tails, heads in pairwise(chain) for arrow in product(tails, heads)}


def reachable() -> dict[str, set[str]]:
    """Return the rooms that the arrows of each room lead to, directly or through others."""
    heads: dict[str, set[str]] = {room: set() for arrow in arrows() for room in arrow}
    for tail, head in arrows():
        heads[tail].add(head)
    order = TopologicalSorter(heads).static_order()  # those without arrows come first
    for room in order:
        heads[room] |= {further for head in heads[room] for further in heads[head]}
    return heads


def packages() -> dict[str, list[str]]:
    """Return the patterns of the packages that each room may import, from the page's table."""
    rows = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", PAGE, re.MULTILINE)
    return {room: re.findall(r"`([\w*]+)`", cell) for room, cell in rows}


# --- What the source does ---------------------------------------------------------------------------------------------


@cache
def imports(module: str) -> frozenset[str]:
    """Return the dotted names that a module imports anywhere: in functions and for type checkers, too."""
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    return frozenset(imported_names(FILES[module], package))


def imported_names(file: Path, package: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:  # a module of the package, or a name in one
                name = f"{base}.{alias.name}"
                yield name if name in FILES else base


def room_of(module: str) -> str:
    """Return the room of a module; the console command's entry belongs to that."""
    _, _, below = module.partition(".")
    room = below.split(".")[0]
    return "cli" if room == "__main__" else room


def room_imports() -> dict[tuple[str, str], list[str]]:
    """Return, for each pair of rooms of which one imports the other, the modules that do."""
    found: dict[tuple[str, str], list[str]] = {}
    for module in FILES:
        for name in imports(module):
            pair = (room_of(module), room_of(name))
            if name.split(".")[0] == PACKAGE and "" not in pair and pair[0] != pair[1]:
                found.setdefault(pair, []).append(module)
    return found


def definitions(kind: type[Node]) -> Iterator[tuple[str, Node]]:
    """Yield the functions or the classes of the package with their names."""
    for module, file in FILES.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield f"{module}.{node.name}", node


# --- The rules --------------------------------------------------------------------------------------------------------


def test_page_names_the_rooms_that_exist() -> None:
    rooms = {room_of(module) for module in FILES} - {""} | {"scripts"}
    assert set(packages()) == rooms
    assert set(reachable()) == rooms


def test_rooms_import_along_the_arrows() -> None:
    allowed = reachable()
    assert {pair: users for pair, users in room_imports().items() if pair[1] not in allowed[pair[0]]} == {}


def test_every_arrow_is_an_import() -> None:
    assert arrows() - {("scripts", "cli")} - set(room_imports()) == set()


def test_modules_form_no_circle() -> None:
    graph = {module: {name for name in imports(module) if name in FILES and name != module} for module in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_rooms_know_the_packages_of_the_table() -> None:
    may_know = packages()
    foreign = {
        (module, name.split(".")[0])
        for module in FILES
        for name in imports(module)
        if name.split(".")[0] not in {*sys.stdlib_module_names, PACKAGE}
    }
    unexpected = {
        (module, package)
        for module, package in foreign
        if not any(fnmatch(package, pattern) for pattern in may_know.get(room_of(module), ()))
    }
    assert unexpected == set()


def test_table_keeps_the_packages_apart() -> None:
    def rooms_that_know(*names: str) -> set[str]:
        return {room for room, patterns in packages().items() if set(names) & set(patterns)}

    assert packages()["brrl"] == ["torch"]
    assert rooms_that_know("isaaclab*") <= {"agents", "tasks", "robots", "cli", "compatibility"}
    assert rooms_that_know("gymnasium") <= {"envs", "tasks", "cli"}
    assert rooms_that_know("trl", "verl") == set()


def test_scripts_import_only_the_package() -> None:
    names = {name.split(".")[0] for file in (ROOT / "scripts").rglob("*.py") for name in imported_names(file, "")}
    assert names - set(sys.stdlib_module_names) == {PACKAGE}
    modules = {name for file in (ROOT / "scripts").rglob("*.py") for name in imported_names(file, "")} & set(FILES)
    assert {room_of(module) for module in modules} == {"cli"}


@pytest.mark.parametrize(
    ("rooms", "unwanted"),
    [
        (("brrl", "storage", "algorithms", "runners", "checks", "agents", "compare"), {"warp", "pxr", "gymnasium"}),
        (("envs",), {"warp", "pxr"}),
    ],
)
def test_importing_rooms_loads_no_simulator(rooms: tuple[str, ...], unwanted: set[str]) -> None:
    imported = ", ".join(f"{PACKAGE}.{room}" for room in rooms)
    code = f"import sys, {imported}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert loaded & unwanted == set()
    assert {name for name in loaded if name.startswith("isaaclab")} == {PACKAGE}


# --- The limits -------------------------------------------------------------------------------------------------------


def lines(*paths: Path) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def test_algorithms_stay_small() -> None:
    folder = SOURCE / PACKAGE / "algorithms"
    assert lines(folder / "bpo.py") <= 450
    assert lines(*folder.glob("*.py")) <= 1200


def test_functions_stay_short() -> None:
    def height(node: ast.stmt) -> int:
        assert node.end_lineno is not None
        return node.end_lineno - node.lineno + 1

    def length(function: ast.FunctionDef) -> int:
        docstring = height(function.body[0]) if ast.get_docstring(function) is not None else 0
        return height(function) - docstring

    lengths = [(name, length(node)) for name, node in definitions(ast.FunctionDef)]
    assert [(name, length) for name, length in lengths if length > 40] == []


def test_classes_have_few_methods() -> None:
    counts = [
        (name, sum(isinstance(child, ast.FunctionDef) for child in node.body))
        for name, node in definitions(ast.ClassDef)
    ]
    assert [(name, count) for name, count in counts if count > 20] == []
