# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is installed, from where, and with what."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import isaaclab_bpo

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTENSION = tomllib.loads((ROOT / "extension.toml").read_text())
GENERATED = {
    ".git",
    ".hypothesis",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    "__pycache__",
    "build",
    "comparison",
    "dist",
    "logs",
    "outputs",
    "slurm",
    "wandb",
}
LOCK = (ROOT / "requirements.lock").read_text()


def text_files() -> Iterator[Path]:
    """Yield the project's own text files."""
    for folder, folders, names in ROOT.walk():
        folders[:] = [name for name in folders if name not in GENERATED and not name.endswith(".egg-info")]
        yield from (folder / name for name in names if Path(name).suffix not in (".gif", ".npz", ".png", ".pt"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    project = tmp_path_factory.mktemp("build") / "project"
    shutil.copytree(ROOT / "source", project / "source", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "setup.py", "extension.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    # An sdist first, from which the wheel is built: what the sdist forgets is missing from the wheel.
    build = (
        "import os, shutil, setuptools.build_meta as backend\n"
        "shutil.unpack_archive(f'dist/{backend.build_sdist(\"dist\")}', 'unpacked', filter='data')\n"
        "os.chdir(next(os.scandir('unpacked')))\n"
        "backend.build_wheel('../../dist')\n"
    )
    run = subprocess.run([sys.executable, "-c", build], cwd=project, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (path,) = (project / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_the_whole_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    package = ROOT / "source" / "isaaclab_bpo"
    expected = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith(".toml") for name in expected)
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_wheel_carries_the_licence(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())


def test_version_is_that_of_the_extension(wheel: zipfile.ZipFile) -> None:
    version = EXTENSION["package"]["version"]
    assert isaaclab_bpo.__version__ == version
    assert f"isaaclab_bpo-{version}.dist-info/METADATA" in wheel.namelist()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_kit_can_load_the_extension() -> None:
    """Kit adds ``path`` to ``sys.path`` and imports ``name``; the files shown in its window must exist."""
    (module,) = EXTENSION["python"]["module"]
    assert (ROOT / module["path"] / module["name"] / "__init__.py").is_file()
    for key in ("readme", "changelog"):
        assert (ROOT / EXTENSION["package"][key]).is_file()


def test_hard_dependencies_move_nothing() -> None:
    assert PROJECT["dependencies"] == ["torch", "tensordict", "rsl-rl-lib>=5.4,<6"]


def test_isaac_lab_finds_the_tasks() -> None:
    (entry_point,) = entry_points(group="isaaclab.tasks", name="isaaclab_bpo")
    assert entry_point.value == "isaaclab_bpo.tasks"


def test_lock_pins_and_hashes_everything() -> None:
    requirements = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE).strip())
    assert len(requirements) > 100
    for requirement in requirements:
        assert re.match(r"[a-z0-9.\-]+==\S+.* \\\n +--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_lock_names_no_address() -> None:
    assert "://" not in LOCK


def test_lock_covers_what_the_launcher_installs() -> None:
    locked = {line.split("==")[0] for line in LOCK.splitlines() if re.match(r"[a-z0-9]", line)}
    extras = PROJECT["optional-dependencies"]
    installed = ("isaaclab", "compare", "atari", "classic-control", "dev")
    for requirement in (*PROJECT["dependencies"], *(one for extra in installed for one in extras[extra])):
        assert Requirement(requirement).name in locked


def test_no_registry_address_anywhere() -> None:
    # Put together here, so that this file does not contain what it looks for.
    address = re.compile("|".join(("pypi" + r"\.", " --(extra-)?" + "index-url", " --find" + "-links")))
    for path in text_files():
        found = address.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)}: {found}"


def test_algorithm_works_where_only_rsl_rl_is_installed() -> None:
    """A finder in front of all others stands for an environment that has neither Isaac Lab nor what it brings."""
    code = """
import sys

ABSENT = {"isaaclab", "isaaclab_assets", "isaaclab_rl", "isaaclab_tasks", "gymnasium", "newton", "pxr", "warp"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import isaaclab_bpo.brrl, isaaclab_bpo.storage, isaaclab_bpo.algorithms
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_mathematics_needs_torch_only() -> None:
    code = """
import sys, torch
before = {name.split(".")[0] for name in sys.modules}
import isaaclab_bpo.brrl
print(*{name.split(".")[0] for name in sys.modules} - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["isaaclab_bpo"]
