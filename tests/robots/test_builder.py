# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The builder writes what the descriptions say, the same every time."""

# USD's stubs give None as the type of what most of its functions return.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from pxr import Usd, UsdGeom, UsdPhysics

from isaaclab_bpo.robots.builder import ROBOTS, anymal_actuator_net, go1_actuator_net, load_robot, write_asset_root


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("assets")
    write_asset_root(path)
    return path


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_file_is_there(root):
    assert sorted(files(root)) == [
        "Isaac/IsaacLab/ActuatorNets/ANYbotics/anydrive_3_lstm_jit.pt",
        "Isaac/IsaacLab/ActuatorNets/Unitree/unitree_go1.pt",
        "Isaac/IsaacLab/Environments/Grid/default_ground_plane_checker_v1/default_ground_plane.usda",
        "Isaac/IsaacLab/Robots/ANYbotics/ANYmal-C/anymal_c.usd",
        "Isaac/IsaacLab/Robots/Unitree/G1/g1_minimal.usd",
        "Isaac/IsaacLab/Robots/Unitree/Go1/go1.usd",
        "Isaac/IsaacLab/Robots/Unitree/H1/h1_minimal.usd",
        "Isaac/Props/UIElements/arrow_x.usd",
        "Isaac/Props/UIElements/frame_prim.usd",
    ]


def test_builder_is_deterministic(root, tmp_path):
    write_asset_root(tmp_path)
    assert files(tmp_path) == files(root)


@pytest.mark.parametrize("name", ROBOTS)
def test_robot_usd_is_flat_and_says_what_the_description_says(root, name):
    robot = load_robot(name)
    stage = Usd.Stage.Open(str(root / "Isaac" / robot["robot"]["usd_path"]))
    default_prim = stage.GetDefaultPrim()
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0

    bodies = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.RigidBodyAPI)]
    assert [prim.GetName() for prim in bodies] == list(robot["links"])
    assert all(prim.GetParent() == default_prim for prim in bodies)
    roots = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.ArticulationRootAPI)]
    assert roots == bodies[:1]
    mass = sum(UsdPhysics.MassAPI(prim).GetMassAttr().Get() for prim in bodies)
    assert mass == pytest.approx(sum(link["mass"] for link in robot["links"].values()))

    for joint_name, joint in robot["joints"].items():
        prim = stage.GetPrimAtPath(f"/Robot/joints/{joint_name}")
        usd_joint = UsdPhysics.RevoluteJoint(prim)
        assert bool(usd_joint) == ("axis" in joint)
        if usd_joint:
            limits = (usd_joint.GetLowerLimitAttr().Get(), usd_joint.GetUpperLimitAttr().Get())
            assert limits == pytest.approx([math.degrees(limit) for limit in joint["limits"]], rel=1e-5)


@pytest.mark.parametrize("name", ROBOTS)
def test_the_two_frames_of_every_joint_coincide(root, name):
    """Body 0 to joint and body 1 to joint lead to the same place, so nothing jumps when the simulation starts."""
    stage = Usd.Stage.Open(str(root / "Isaac" / load_robot(name)["robot"]["usd_path"]))
    cache = UsdGeom.XformCache()
    for prim in stage.Traverse():
        if prim.IsA(UsdPhysics.Joint):
            joint = UsdPhysics.Joint(prim)
            ends = []
            for body, position in (
                (joint.GetBody0Rel(), joint.GetLocalPos0Attr()),
                (joint.GetBody1Rel(), joint.GetLocalPos1Attr()),
            ):
                to_world = cache.GetLocalToWorldTransform(stage.GetPrimAtPath(body.GetTargets()[0]))
                ends.append(to_world.Transform(position.Get()))
            assert list(ends[0]) == pytest.approx(list(ends[1]), abs=1e-5)


def test_colliders_touch_but_are_not_drawn(root):
    stage = Usd.Stage.Open(str(root / "Isaac" / load_robot("go1")["robot"]["usd_path"]))
    for prim in stage.Traverse():
        if prim.IsA(UsdGeom.Gprim):
            drawn = UsdGeom.Imageable(prim).ComputePurpose() == UsdGeom.Tokens.default_
            assert drawn != prim.HasAPI(UsdPhysics.CollisionAPI)


def test_go1_actuator_net_is_a_saturating_pd_law(root):
    net = torch.jit.load(root / "Isaac/IsaacLab/ActuatorNets/Unitree/unitree_go1.pt")
    # inputs: q - q_des now, one and two steps ago; then the velocity likewise
    still = torch.tensor([[0.1, 0.1, 0.1, 0.0, 0.0, 0.0]])
    moving = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    far = torch.tensor([[-9.0, -9.0, -9.0, 0.0, 0.0, 0.0]])
    # 35.55 tanh(-30 · 0.1 / 35.55) = -2.9929; 35.55 tanh(-2.5 · 1 / 35.55) = -2.4959
    assert net(still).item() == pytest.approx(-2.9929, abs=1e-3)
    assert net(moving).item() == pytest.approx(-2.4959, abs=1e-3)
    assert net(far).item() == pytest.approx(35.55, abs=1e-3)
    assert torch.equal(net(still), go1_actuator_net()(still))


def test_anymal_actuator_net_is_a_saturating_pd_law_with_memory(root):
    net = torch.jit.load(root / "Isaac/IsaacLab/ActuatorNets/ANYbotics/anydrive_3_lstm_jit.pt")
    # inputs: q_des - q, velocity; one joint each
    x = torch.tensor([[[0.1, 0.0]], [[0.0, 1.0]], [[9.0, 0.0]]])
    state = (torch.zeros(1, 3, 1), torch.zeros(1, 3, 1))
    torques, state = net(x, state)
    # first step, of 0.8 (1 - 0.2): 80 tanh(0.8 tanh(80 · 0.1 / 80)) = 6.3647; 80 tanh(0.8 tanh(-5/80)) = -3.9918
    assert torques[:2].flatten().tolist() == pytest.approx([6.3647, -3.9918], abs=1e-3)
    for _ in range(20):
        torques, state = net(x, state)
    # at rest: 80 tanh(tanh(0.1)) = 7.9470; 80 tanh(tanh(-0.0625)) = -4.9870; 80 tanh(tanh(9)) = 80 tanh(1) = 60.928
    assert torques.flatten().tolist() == pytest.approx([7.9470, -4.9870, 60.928], abs=1e-2)
    again, _ = anymal_actuator_net()(x, (torch.zeros(1, 3, 1), torch.zeros(1, 3, 1)))
    assert again[0].item() == pytest.approx(6.3647, abs=1e-3)
