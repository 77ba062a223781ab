# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The stand-in robots behave like robots in Isaac Lab's simulator: they weigh, stand, topple and do not explode."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isaaclab_bpo.robots.builder import load_robot

GRAVITY = 9.81
TASKS = {
    "g1": "Isaac-Velocity-Rough-G1",
    "h1": "Isaac-Velocity-Rough-H1",
    "go1": "IsaacContrib-Velocity-Rough-UnitreeGo1",
    "anymal_c": "IsaacContrib-Velocity-Rough-AnymalC",
}
SIZES = {"g1": (310, 37), "h1": (256, 19), "go1": (235, 12), "anymal_c": (235, 12)}
SPAWN_HEIGHTS = {"g1": 0.74, "h1": 1.05, "go1": 0.40, "anymal_c": 0.6}
# Isaac Lab spawns these robots a little above the ground; how much follows from its pose and the public legs [m].
SOLE_CLEARANCES = {"g1": 0.022, "h1": 0.072, "go1": 0.075, "anymal_c": 0.051}
PHYSICS = "ovphysx" if importlib.util.find_spec("ovphysx") else "newton_mjwarp"

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module", params=list(TASKS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def measured(name):
    """What measure.py prints for a robot. One process each, because Isaac Lab allows one simulation per process."""
    program = Path(__file__).with_name("measure.py")
    environment = {key: value for key, value in os.environ.items() if key != "ISAACSIM_ASSET_ROOT"}
    result = subprocess.run(
        [sys.executable, program, TASKS[name], name, PHYSICS],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=environment | {"OMP_NUM_THREADS": "1"},
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("MEASURED ")]
    assert lines, result.stdout[-3000:] + result.stderr[-3000:]
    return json.loads(lines[-1].removeprefix("MEASURED "))


def test_sizes_are_the_documented_ones(name, measured):
    assert (measured["num_observations"], measured["num_actions"]) == SIZES[name]


def test_simulator_sees_the_description(name, measured):
    robot = load_robot(name)
    assert measured["root"] == next(iter(robot["links"]))
    assert set(measured["joints"]) == {joint for joint, data in robot["joints"].items() if "axis" in data}
    assert measured["mass"] == pytest.approx(sum(link["mass"] for link in robot["links"].values()), rel=1e-4)


def test_soles_are_on_or_just_above_the_ground_at_spawn(name, measured):
    assert measured["sole_clearance"] == pytest.approx(SOLE_CLEARANCES[name], abs=0.003)


def test_standing_contact_force_is_the_weight(measured):
    assert measured["support"] == pytest.approx(measured["mass"] * GRAVITY, rel=0.05)


def test_robot_stands_or_topples_slowly_without_actions(name, measured):
    first_fall = measured["zero"]["first_fall"]
    assert first_fall is None if name in ("go1", "anymal_c") else first_fall is None or first_fall > 0.8


@pytest.mark.parametrize("actions", ["zero", "random"])
def test_nothing_explodes(name, measured, actions):
    result = measured[actions]
    assert result["finite"]
    assert result["max_height"] < SPAWN_HEIGHTS[name] + 0.25
    assert result["max_speed"] < 20.0  # m/s; the fastest link of a robot that thrashes about does 13
