# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The robot descriptions are complete, consistent, physical, and name what Isaac Lab's own configurations name."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys

import pytest

from isaaclab_bpo.robots.builder import ROBOTS, load_robot

NUM_JOINTS = {"g1": 37, "h1": 19, "go1": 12, "anymal_c": 12}
# The sums of the public descriptions, and what is published of the whole robots, in data sheets where there is one [kg]
DESCRIPTION_MASSES = {"g1": 32.239, "h1": 51.437, "go1": 12.743, "anymal_c": 52.135}
PUBLISHED_MASSES = {"g1": 35.0, "h1": 47.0, "go1": 12.0, "anymal_c": 52.13}

# Prints, for each robot's task, every pattern of joints and of bodies that its configuration selects by.
LIST_PATTERNS = """
import json
from isaaclab.assets import ArticulationCfg
from isaaclab.managers import SceneEntityCfg
from isaaclab_tasks.contrib.velocity.config.anymal_c.rough_env_cfg import AnymalCRoughEnvCfg
from isaaclab_tasks.contrib.velocity.config.go1.rough_env_cfg import UnitreeGo1RoughEnvCfg
from isaaclab_tasks.core.velocity.config.g1.flat_env_cfg import G1FlatEnvCfg
from isaaclab_tasks.core.velocity.config.g1.rough_env_cfg import G1RoughEnvCfg
from isaaclab_tasks.core.velocity.config.h1.rough_env_cfg import H1RoughEnvCfg

def as_list(patterns):
    return [] if patterns is None else [patterns] if isinstance(patterns, str) else list(patterns)

result = {}
configurations = {
    "g1": G1RoughEnvCfg(), "h1": H1RoughEnvCfg(), "go1": UnitreeGo1RoughEnvCfg(), "anymal_c": AnymalCRoughEnvCfg()
}
for name, cfg in configurations.items():
    joints, bodies = [], [cfg.scene.height_scanner.prim_path.rsplit("/", 1)[1]]
    for group in (cfg.rewards, cfg.terminations, cfg.events):
        for term in vars(group).values():
            for value in getattr(term, "params", {}).values():
                if isinstance(value, SceneEntityCfg):
                    joints += as_list(value.joint_names)
                    bodies += as_list(value.body_names)
    robot = cfg.scene.robot
    joints += robot.init_state.joint_pos
    groups = {key: actuator.joint_names_expr for key, actuator in robot.actuators.items()}
    result[name] = {
        "joints": joints,
        "bodies": bodies,
        "actuators": groups,
        "pose": robot.init_state.joint_pos,
        "usd_path": robot.spawn.usd_path,
    }
print("PATTERNS " + json.dumps(result))
"""


@pytest.fixture(params=ROBOTS)
def name(request):
    return request.param


@pytest.fixture
def robot(name):
    return load_robot(name)


@pytest.fixture(scope="module")
def patterns():
    environment = os.environ | {"ISAACSIM_ASSET_ROOT": "/root_of_assets"}
    result = subprocess.run(
        [sys.executable, "-c", LIST_PATTERNS], capture_output=True, text=True, check=False, env=environment
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("PATTERNS ")]
    assert lines, result.stderr
    return json.loads(lines[-1].removeprefix("PATTERNS "))


def turning_joints(robot):
    return [name for name, joint in robot["joints"].items() if "axis" in joint]


def test_number_of_joints(name, robot):
    assert len(turning_joints(robot)) == NUM_JOINTS[name]


def test_links_and_joints_form_one_tree(robot):
    links = list(robot["links"])
    roots = [link for link, data in robot["links"].items() if "parent" not in data]
    assert roots == links[:1]
    for i, data in enumerate(robot["links"].values()):
        assert "parent" not in data or data["parent"] in links[:i], "a parent comes before its children"
    assert sorted(joint["child"] for joint in robot["joints"].values()) == sorted(links[1:])


def test_sources_are_given(robot):
    assert len(robot["robot"]["sources"]) >= 3
    assert any(source.startswith("estimated") for source in robot["robot"]["sources"])


def test_total_mass_is_the_published_one(name, robot):
    mass = sum(link["mass"] for link in robot["links"].values())
    assert mass == pytest.approx(DESCRIPTION_MASSES[name], abs=0.001)
    assert robot["robot"]["published_mass"] == PUBLISHED_MASSES[name]
    assert mass == pytest.approx(PUBLISHED_MASSES[name], rel=0.1)


def test_inertias_are_those_of_solid_bodies(robot):
    for name, link in robot["links"].items():
        moments = sorted(link["inertia"])
        assert link["mass"] > 0, name
        assert moments[0] > 0, name
        # I_z = ∫ x² + y² <= ∫ (y² + z²) + (x² + z²) = I_x + I_y; the public figures are rounded
        assert moments[2] <= (moments[0] + moments[1]) * 1.001, name
        assert math.hypot(*link["axes"]) == pytest.approx(1.0, abs=1e-4), name
        # a body of this mass and inertia is no larger than the robot
        assert math.sqrt(moments[2] / link["mass"]) < 0.3, name


def test_joints_can_move(robot):
    for name in turning_joints(robot):
        joint = robot["joints"][name]
        assert joint["axis"] in ("x", "y", "z"), name
        assert -3.01 * math.pi < joint["limits"][0] < joint["limits"][1] < 3.01 * math.pi, name
        assert joint["effort"] > 0, name
        assert joint["armature"] > 0, name
        assert joint.get("velocity", 1.0) > 0, name


def test_shapes_are_complete(robot):
    keys = {"capsule": {"start", "end", "radius"}, "sphere": {"center", "radius"}, "box": {"center", "size"}}
    for name, link in robot["links"].items():
        for shape in link.get("shapes", []):
            assert set(shape) == keys[shape["kind"]] | {"kind", "color"}, name
            assert shape["color"] in robot["colors"], name
        for collider in link.get("colliders", []):
            assert set(collider) == keys[collider["kind"]] | {"kind"}, name


def test_left_mirrors_right(robot):
    """Left and right are the same up to the rounding of the public numbers."""
    for name, link in robot["links"].items():
        # left_knee_link, FL_calf, LF_SHANK
        twin_name = re.sub("^left_", "right_", re.sub("^([FR])L_", r"\1R_", re.sub("^L([FH])_", r"R\1_", name)))
        if twin_name != name:
            twin = robot["links"][twin_name]
            assert twin["mass"] == link["mass"], name
            assert twin["inertia"] == pytest.approx(link["inertia"], rel=2e-3), name
            x, y, z = link["pos"]
            assert twin["pos"] == pytest.approx([x, -y, z], abs=2e-5), name
            x, y, z = link["com"]
            # The Go1's calves, and the drives in the ANYmal's hips and thighs, are one part, not two mirrored ones
            tolerance = 3e-3 if name.endswith("_calf") else 2e-4 if name.endswith(("_HIP", "_THIGH")) else 2e-5
            assert twin["com"] == pytest.approx([x, -y, z], abs=tolerance), name


def test_names_match_what_the_task_selects(name, robot, patterns):
    joints, links = turning_joints(robot), list(robot["links"])
    for pattern in patterns[name]["joints"]:
        assert any(re.fullmatch(pattern, joint) for joint in joints), pattern
    for pattern in patterns[name]["bodies"]:
        assert any(re.fullmatch(pattern, link) for link in links), pattern


def test_every_joint_has_one_actuator(name, robot, patterns):
    for joint in turning_joints(robot):
        owners = [
            group
            for group, expressions in patterns[name]["actuators"].items()
            if any(re.fullmatch(expression, joint) for expression in expressions)
        ]
        assert len(owners) == 1, (joint, owners)


def test_default_pose_is_within_the_limits(name, robot, patterns):
    for pattern, angle in patterns[name]["pose"].items():
        for joint in turning_joints(robot):
            if re.fullmatch(pattern, joint):
                lower, upper = robot["joints"][joint]["limits"]
                assert lower <= angle <= upper, joint


def test_usd_path_is_the_one_the_task_loads(name, robot, patterns):
    assert patterns[name]["usd_path"] == "/root_of_assets/Isaac/" + robot["robot"]["usd_path"]
