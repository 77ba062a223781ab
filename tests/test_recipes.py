# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The recipes of CONTRIBUTING.md do what they promise, on a copy of the project."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGET = 0.8 + 0.4 / (1.0 + math.exp(-10.0))  # ρ* far above the median, with ε = 0.2: Ã/λ is clamped at 10
COPIED = ("source", "tests/brrl", "docs/make_options_table.py", "docs/configuration.md")


def follow(recipe: str, copy: Path) -> None:
    """Copy the project and apply the diff of a recipe: each hunk's old lines, which occur once, become its new ones."""
    for name in COPIED:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, copy / name)
    _, section = CONTRIBUTING.split(f"### {recipe}\n")
    diff = section.split("```diff\n")[1].split("```\n")[0]
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        name, hunks = part.split("\n", 1)
        text = (copy / name).read_text(encoding="utf-8")
        for hunk in hunks.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
            assert text.count(old) == 1, f"{name}: {old}"
            text = text.replace(old, new)
        (copy / name).write_text(text, encoding="utf-8")


def run(copy: Path, *arguments: str) -> str:
    """Run Python with the copy of the package and return what it prints."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join((str(copy / "source"), str(ROOT / "tests")))}
    done = subprocess.run([sys.executable, *arguments], cwd=copy, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def evaluate(copy: Path, program: str) -> dict[str, Any]:
    """Run a program with the copy of the package and return its ``facts``."""
    facts = json.loads(run(copy, "-c", f"{BEFORE}{program}{AFTER}").splitlines()[-1])
    assert Path(facts.pop("package")).is_relative_to(copy)
    return facts


BEFORE = """
import json
import isaaclab_bpo
import torch
from rsl_rl.runners import OnPolicyRunner
from point_mass import PointMass, runner_cfg

def make(**options):
    return OnPolicyRunner(PointMass(), runner_cfg(**options))

def error(**options):
    try:
        make(**options)
    except ValueError as error:
        return str(error)

def loss(alg):  # of a sample with ρ = 1 and A = Ã = 3
    return alg.policy_loss(*torch.tensor([[1.0], [3.0], [0.0], [0.0], [3.0]])).item()

def is_trained(runner):
    before = [parameter.detach().clone() for parameter in runner.alg.actor.parameters()]
    runner.learn(2)
    pairs = list(zip(before, runner.alg.actor.parameters(), strict=True))
    return all(new.isfinite().all().item() and not torch.equal(old, new) for old, new in pairs)
"""
AFTER = """
print()
print(json.dumps(facts | {"package": isaaclab_bpo.__file__}))
"""


def test_a_divergence_is_added(tmp_path: Path) -> None:
    follow("Add a divergence", tmp_path)
    facts = evaluate(
        tmp_path,
        """
runner = make(loss="hellinger")
facts = {"loss": loss(runner.alg), "is_trained": is_trained(runner), "error": error(loss="helinger")}
""",
    )
    assert facts["loss"] == pytest.approx((1.0 - math.sqrt(TARGET)) ** 2, rel=1e-4)
    assert facts["is_trained"]
    assert "loss='helinger' is not valid" in facts["error"]
    assert re.search(r"one of atv, .*\bhellinger\b", facts["error"])
    tests = run(tmp_path, "-m", "pytest", "-p", "no:dash", "-rA", "-k", "hellinger", "tests/brrl/test_divergences.py")
    assert "PASSED tests/brrl/test_divergences.py::test_divergence_by_hand[hellinger]" in tests
    assert "hellinger" in rendered_row(tmp_path, "loss")


def test_an_option_is_added(tmp_path: Path) -> None:
    follow("Add an option", tmp_path)
    facts = evaluate(
        tmp_path,
        """
from isaaclab_bpo.agents import RslRlBpoAlgorithmCfg
from isaaclab_bpo.algorithms.options import BpoOptions

runner, algorithm = make(max_weight=0.5), RslRlBpoAlgorithmCfg(max_weight=0.25)
facts = {
    "default": RslRlBpoAlgorithmCfg().max_weight,
    "algorithm": algorithm.to_dict(),
    "built": make(**{k: v for k, v in algorithm.to_dict().items() if k != "class_name"}).alg.options.max_weight,
    "error": error(max_weight=-1),
    "documentation": BpoOptions.__doc__,
    "option": runner.alg.options.max_weight,
    "losses": [loss(runner.alg), loss(make().alg)],
    "is_trained": is_trained(runner),
}
""",
    )
    assert facts["default"] is None
    assert facts["algorithm"]["max_weight"] == facts["built"] == 0.25
    assert "max_weight=-1 is not valid: it must be a finite number > 0, or null" in facts["error"]
    assert "max_weight: largest weight |A| of a sample" in facts["documentation"]
    assert facts["option"] == 0.5
    assert facts["losses"] == pytest.approx([0.5 * (TARGET - 1.0), 3.0 * (TARGET - 1.0)], rel=1e-5)
    assert facts["is_trained"]
    assert rendered_row(tmp_path, "max_weight") == (
        r"| `max_weight` | none | largest weight \|A\| of a sample; none is no limit |"
    )


def test_a_robot_is_added(tmp_path: Path) -> None:
    follow("Add a robot", tmp_path)
    facts = evaluate(
        tmp_path,
        """
import isaaclab_bpo.tasks
from isaaclab_tasks.utils import load_cfg_from_registry

facts = {
    task: load_cfg_from_registry(task, isaaclab_bpo.tasks.AGENT_KEY).to_dict()
    for task in ("Isaac-Velocity-Rough-UnitreeGo2", "Isaac-Velocity-Flat-Unitree-Go2-v0")
}
""",
    )
    assert [cfg["algorithm"]["clip_param"] for cfg in facts.values()] == [0.3, 0.3]


def rendered_row(copy: Path, option: str) -> str:
    """Return an option's row of docs/configuration.md after its table was written."""
    run(copy, "docs/make_options_table.py")
    (row,) = re.findall(rf"^\| `{option}` \|.*$", (copy / "docs" / "configuration.md").read_text("utf-8"), re.MULTILINE)
    return row
