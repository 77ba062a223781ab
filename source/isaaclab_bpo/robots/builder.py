# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes the stand-in asset root: the few files Isaac Lab's velocity tasks load from NVIDIA's asset server.

The USD is flat: every link is a direct child of the robot's root prim, because Isaac Lab's contact sensor matches
``Robot/[^/]*`` and its height scanner names ``Robot/<link>``. All layers are text, so that one can read them.
"""

# USD's stubs give None as the type of what most of its functions return.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false

from __future__ import annotations

import math
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade

ROBOTS = ("g1", "h1", "go1", "anymal_c")
"""Names of the robot descriptions, ``data/<name>.toml``."""

GO1_NET_PATH = "IsaacLab/ActuatorNets/Unitree/unitree_go1.pt"
ANYMAL_NET_PATH = "IsaacLab/ActuatorNets/ANYbotics/anydrive_3_lstm_jit.pt"
GROUND_PLANE_PATH = "IsaacLab/Environments/Grid/default_ground_plane_checker_v1/default_ground_plane.usda"
ARROW_PATH = "Props/UIElements/arrow_x.usd"
FRAME_PATH = "Props/UIElements/frame_prim.usd"

# Nearly critical damping of a leg that swings. With a third of it, a policy's first random actions shake the robot so
# hard that PPO learns to fall over quickly rather than to walk.
_GO1_STIFFNESS = 30.0  # N m/rad
_GO1_DAMPING = 2.5  # N m s/rad
_GO1_MAX_EFFORT = 35.55  # N m, the knee's; Isaac Lab's DC motor model clips each joint at its own limit
_GO1_MOTOR_RESPONSE = (0.8, 0.2, 0.0)  # how much this and the two earlier physics steps count

_ANYMAL_STIFFNESS = 80.0  # N m/rad
_ANYMAL_DAMPING = 5.0  # N m s/rad
_ANYMAL_MAX_EFFORT = 80.0  # N m, as in ANYDRIVE_3_LSTM_ACTUATOR_CFG
_ANYMAL_MEMORY = 0.2  # how much of the state the next physics step keeps


def load_robot(name: str) -> dict[str, Any]:
    """Read a robot description.

    Args:
        name: One of :data:`ROBOTS`.

    Returns:
        The tables ``robot``, ``colors``, ``links`` and ``joints`` of ``data/<name>.toml``; its header explains them.
    """
    return tomllib.loads((Path(__file__).parent / "data" / f"{name}.toml").read_text(encoding="utf-8"))


def write_asset_root(root: Path) -> None:
    """Write all stand-in assets.

    Args:
        root: A folder; what Isaac Lab is to find as ``ISAACSIM_ASSET_ROOT``.
    """
    robots = [load_robot(name) for name in ROBOTS]
    stages = {robot["robot"]["usd_path"]: _robot_stage(robot) for robot in robots}
    stages |= {GROUND_PLANE_PATH: _ground_plane_stage(), ARROW_PATH: _arrow_stage(), FRAME_PATH: _frame_stage()}
    nets = {GO1_NET_PATH: go1_actuator_net(), ANYMAL_NET_PATH: anymal_actuator_net()}
    for name in (*stages, *nets):
        path = root / "Isaac" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in nets:
            torch.jit.save(nets[name], path)
        else:
            stages[name].GetRootLayer().Export(str(path), args={"format": "usda"})  # text, whatever the suffix


def go1_actuator_net() -> torch.jit.ScriptModule:
    """Build the Go1's actuator net: a softly saturating PD law with a short lag.

    τ = τ_max · tanh(-Σ_i w_i (k_p e_i + k_d q̇_i) / τ_max), with e = q - q_des and weights w of now and the two steps
    before. Inputs are those of Isaac Lab's ``GO1_ACTUATOR_CFG``. The gains are estimates, not identified ones.

    Returns:
        A scripted module: [N, 6] (e now, one and two steps ago in rad; q̇ likewise in rad/s) -> [N, 1] in N m.
    """
    gains = [-gain * w for gain in (_GO1_STIFFNESS, _GO1_DAMPING) for w in _GO1_MOTOR_RESPONSE]
    net = torch.nn.Sequential(torch.nn.Linear(6, 1, bias=False), torch.nn.Tanh(), torch.nn.Linear(1, 1, bias=False))
    weights = (torch.tensor([gains]) / _GO1_MAX_EFFORT, torch.tensor([[_GO1_MAX_EFFORT]]))
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), weights, strict=True):
            parameter.copy_(value)
    return torch.jit.script(net.requires_grad_(requires_grad=False).eval())


class _LstmActuatorNet(torch.nn.Module):
    """An LSTM and a linear layer that reads it, called as Isaac Lab's ``ActuatorNetLSTM`` does."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(input_size=2, hidden_size=1, batch_first=True)
        self.output = torch.nn.Linear(1, 1, bias=False)

    def forward(
        self, x: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        features, state = self.lstm(x, state)
        return self.output(features), state


def anymal_actuator_net() -> torch.jit.ScriptModule:
    """Build the ANYmal-C's actuator net: a softly saturating PD law with a lag, as an LSTM with one unit.

    c ← m c + (1 - m) tanh((k_p e - k_d q̇)/τ_max) and τ = τ_max tanh(c), with e = q_des - q: the forget gate is m, the
    input gate 1 - m, and the output gate is open. The gains are estimates, not identified ones.

    Returns:
        A scripted module: [N, 1, 2] (e in rad, q̇ in rad/s) and the state (h, c), each [1, N, 1] -> [N, 1, 1] in N m and
        the next state.
    """
    net = _LstmActuatorNet()
    m = _ANYMAL_MEMORY
    weights = {name: torch.zeros_like(value) for name, value in net.state_dict().items()}
    # Gates in torch's order: input, forget, cell, output
    weights["lstm.weight_ih_l0"][2] = torch.tensor([_ANYMAL_STIFFNESS, -_ANYMAL_DAMPING]) / _ANYMAL_MAX_EFFORT
    weights["lstm.bias_ih_l0"] = torch.tensor([math.log((1 - m) / m), math.log(m / (1 - m)), 0.0, 30.0])
    weights["output.weight"].fill_(_ANYMAL_MAX_EFFORT)
    net.load_state_dict(weights)
    return torch.jit.script(net.requires_grad_(requires_grad=False).eval())


def _new_stage(root_name: str) -> tuple[Usd.Stage, Usd.Prim]:
    """Open a stage in memory, in meters and z-up, with one transform as its default prim."""
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, f"/{root_name}").GetPrim()
    stage.SetDefaultPrim(root)
    return stage, root


def _robot_stage(robot: dict[str, Any]) -> Usd.Stage:
    """Author a robot: links with mass, looks and colliders, then the joints between them."""
    stage, root = _new_stage("Robot")
    materials = {
        name: _material(stage, root.GetPath().AppendPath(f"Looks/{name}"), color)
        for name, color in robot["colors"].items()
    }
    poses: dict[str, Gf.Matrix4d] = {}
    for name, link in robot["links"].items():
        parent_pose = poses[link["parent"]] if "parent" in link else Gf.Matrix4d(1.0)
        poses[name] = _pose(link.get("pos", (0, 0, 0)), link.get("quat", (1, 0, 0, 0))) * parent_pose
        prim = _add_link(stage, root.GetPath().AppendChild(name), link, poses[name], materials)
        if "parent" not in link:
            # on the link itself: left to choose, PhysX takes the middle of the tree, the torso, for a humanoid's root
            UsdPhysics.ArticulationRootAPI.Apply(prim)
            prim.AddAppliedSchema("PhysxArticulationAPI")
    for name, joint in robot["joints"].items():
        _add_joint(stage, root.GetPath(), name, joint, robot["links"][joint["child"]])
    return stage


def _add_link(
    stage: Usd.Stage,
    path: Sdf.Path,
    link: dict[str, Any],
    pose: Gf.Matrix4d,
    materials: dict[str, UsdShade.Material],
) -> Usd.Prim:
    """Author a rigid body at its place with all joints at zero."""
    xform = UsdGeom.Xform.Define(stage, path)
    _place(xform, pose)
    prim = xform.GetPrim()
    UsdPhysics.RigidBodyAPI.Apply(prim)
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(link["mass"])
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*link["com"]))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*link["inertia"]))
    mass.CreatePrincipalAxesAttr(Gf.Quatf(*link["axes"]).GetNormalized())
    for i, shape in enumerate(link.get("shapes", [])):
        gprim = _add_shape(stage, path.AppendPath(f"visuals/shape_{i}"), shape)
        UsdShade.MaterialBindingAPI.Apply(gprim.GetPrim()).Bind(materials[shape["color"]])
    for i, shape in enumerate(link.get("colliders", [])):
        gprim = _add_shape(stage, path.AppendPath(f"collisions/shape_{i}"), shape)
        gprim.CreatePurposeAttr(UsdGeom.Tokens.guide)  # touches, but is not drawn
        UsdPhysics.CollisionAPI.Apply(gprim.GetPrim())
    return prim


def _add_shape(stage: Usd.Stage, path: Sdf.Path, shape: dict[str, Any]) -> UsdGeom.Gprim:
    """Author a capsule, a sphere or a box in the frame of its link."""
    scale = (1.0, 1.0, 1.0)
    match shape["kind"]:
        case "capsule":
            start, end = Gf.Vec3d(*shape["start"]), Gf.Vec3d(*shape["end"])
            pose = Gf.Matrix4d(Gf.Rotation(Gf.Vec3d.ZAxis(), end - start), (start + end) / 2)
            gprim = UsdGeom.Capsule.Define(stage, path)
            gprim.CreateAxisAttr(UsdGeom.Tokens.z)
            gprim.CreateRadiusAttr(shape["radius"])
            gprim.CreateHeightAttr((end - start).GetLength())
        case "sphere":
            pose = Gf.Matrix4d().SetTranslate(Gf.Vec3d(*shape["center"]))
            gprim = UsdGeom.Sphere.Define(stage, path)
            gprim.CreateRadiusAttr(shape["radius"])
        case "box":
            pose = Gf.Matrix4d().SetTranslate(Gf.Vec3d(*shape["center"]))
            scale = shape["size"]
            gprim = UsdGeom.Cube.Define(stage, path)
            gprim.CreateSizeAttr(1.0)
        case kind:
            raise ValueError(f"{path}: kind = {kind!r} is not a shape; use capsule, sphere or box.")
    _place(gprim, pose, scale)
    gprim.CreateExtentAttr(UsdGeom.Boundable.ComputeExtentFromPlugins(gprim, Usd.TimeCode.Default()))
    return gprim


def _add_joint(stage: Usd.Stage, robot_path: Sdf.Path, name: str, joint: dict[str, Any], child: dict[str, Any]) -> None:
    """Author the joint at the origin of the child's frame."""
    path = robot_path.AppendPath(f"joints/{name}")
    if "axis" in joint:
        usd_joint = UsdPhysics.RevoluteJoint.Define(stage, path)
        usd_joint.CreateAxisAttr(joint["axis"].upper())
        lower, upper = joint["limits"]
        usd_joint.CreateLowerLimitAttr(math.degrees(lower))
        usd_joint.CreateUpperLimitAttr(math.degrees(upper))
        # a motor without gains: Isaac Lab's actuator models bring those, and override limits and armature
        drive = UsdPhysics.DriveAPI.Apply(usd_joint.GetPrim(), UsdPhysics.Tokens.angular)
        drive.CreateTypeAttr(UsdPhysics.Tokens.force)
        drive.CreateStiffnessAttr(0.0)
        drive.CreateDampingAttr(0.0)
        drive.CreateMaxForceAttr(joint["effort"])
        # Newton reads PhysX's attributes too
        usd_joint.GetPrim().AddAppliedSchema("PhysxJointAPI")
        physx = {"armature": joint["armature"]}
        if "velocity" in joint:
            physx["maxJointVelocity"] = math.degrees(joint["velocity"])
        for attribute, value in physx.items():
            usd_joint.GetPrim().CreateAttribute(f"physxJoint:{attribute}", Sdf.ValueTypeNames.Float).Set(value)
    else:
        usd_joint = UsdPhysics.FixedJoint.Define(stage, path)
    usd_joint.CreateBody0Rel().SetTargets([robot_path.AppendChild(child["parent"])])
    usd_joint.CreateBody1Rel().SetTargets([robot_path.AppendChild(joint["child"])])
    usd_joint.CreateLocalPos0Attr(Gf.Vec3f(*child["pos"]))
    usd_joint.CreateLocalRot0Attr(Gf.Quatf(*child.get("quat", (1, 0, 0, 0))).GetNormalized())
    usd_joint.CreateLocalPos1Attr(Gf.Vec3f(0.0))
    usd_joint.CreateLocalRot1Attr(Gf.Quatf(1.0))


def _ground_plane_stage() -> Usd.Stage:
    """Author an infinite plane to stand on, and a square of 100 m to look at.

    The prim names are those that Isaac Lab's ground plane spawner looks for: a prim of type ``Plane`` to bind its
    physics material to, ``Environment/Geometry`` (scaled by size / 100 m) and ``Looks/theGrid/Shader``.
    """
    stage, root = _new_stage("World")
    plane = UsdGeom.Plane.Define(stage, root.GetPath().AppendChild("CollisionPlane"))
    plane.CreateAxisAttr(UsdGeom.Tokens.z)
    plane.CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdPhysics.CollisionAPI.Apply(plane.GetPrim())
    material = _material(stage, root.GetPath().AppendPath("Looks/theGrid"), (0.35, 0.37, 0.4))
    environment = UsdGeom.Xform.Define(stage, root.GetPath().AppendChild("Environment"))
    _place(environment, Gf.Matrix4d(1.0))
    corners = [(-50.0, -50.0), (50.0, -50.0), (50.0, 50.0), (-50.0, 50.0)]
    mesh = _add_mesh(stage, environment.GetPath().AppendChild("Geometry"), [(x, y, 0.0) for x, y in corners], [4])
    st = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
    st.Set([Gf.Vec2f(x / 2, y / 2) for x, y in corners])
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)
    return stage


def _arrow_stage() -> Usd.Stage:
    """Author an arrow of length 1 m along x that starts at the origin."""
    stage, root = _new_stage("arrow_x")
    _add_arrow(stage, root.GetPath(), Gf.Matrix4d(1.0))
    return stage


def _frame_stage() -> Usd.Stage:
    """Author the three axes of a frame: red x, green y, blue z, each 1 m long."""
    stage, root = _new_stage("frame")
    directions = {"x": Gf.Vec3d.XAxis(), "y": Gf.Vec3d.YAxis(), "z": Gf.Vec3d.ZAxis()}
    for axis, direction in directions.items():
        arrow = UsdGeom.Xform.Define(stage, root.GetPath().AppendChild(axis))
        rotation = Gf.Matrix4d(Gf.Rotation(Gf.Vec3d.XAxis(), direction), Gf.Vec3d(0.0))
        _add_arrow(stage, arrow.GetPath(), rotation, width=0.05)
        material = _material(stage, root.GetPath().AppendPath(f"Looks/{axis}"), direction)
        UsdShade.MaterialBindingAPI.Apply(arrow.GetPrim()).Bind(material)
    return stage


def _add_arrow(stage: Usd.Stage, parent: Sdf.Path, pose: Gf.Matrix4d, width: float = 0.5) -> None:
    """Author a four-sided shaft and tip along x as one mesh; ``width`` is the shaft's [m]."""
    points, counts, indices = [], [], []
    for radius, x in ((width / 2, 0.0), (width / 2, 0.6), (width, 0.6)):
        corners = [(x, -radius, -radius), (x, radius, -radius), (x, radius, radius), (x, -radius, radius)]
        points += [pose.Transform(Gf.Vec3d(*corner)) for corner in corners]
    points.append(pose.Transform(Gf.Vec3d(1.0, 0.0, 0.0)))
    for i in range(4):
        j = (i + 1) % 4
        counts += [4, 3]
        indices += [i, j, 4 + j, 4 + i, 8 + i, 8 + j, 12]
    counts += [4, 4]
    indices += [3, 2, 1, 0, 11, 10, 9, 8]
    _add_mesh(stage, parent.AppendChild("arrow"), points, counts, indices)


def _add_mesh(
    stage: Usd.Stage, path: Sdf.Path, points: Iterable[Any], counts: list[int], indices: list[int] | None = None
) -> UsdGeom.Mesh:
    """Author a polygon mesh; without ``indices`` the points follow each other."""
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr([Gf.Vec3f(*point) for point in points])
    mesh.CreateFaceVertexCountsAttr(counts)
    mesh.CreateFaceVertexIndicesAttr(list(range(sum(counts))) if indices is None else indices)
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(UsdGeom.Boundable.ComputeExtentFromPlugins(mesh, Usd.TimeCode.Default()))
    return mesh


def _material(stage: Usd.Stage, path: Sdf.Path, color: Iterable[float]) -> UsdShade.Material:
    """Author a matt material of one color (linear RGB in 0..1)."""
    material = UsdShade.Material.Define(stage, path)
    shader = UsdShade.Shader.Define(stage, path.AppendChild("Shader"))
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(*color))
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.6)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    return material


def _pose(pos: Iterable[float], quat: Iterable[float]) -> Gf.Matrix4d:
    """Matrix of a position [m] and a quaternion (w, x, y, z)."""
    rotation = Gf.Rotation(Gf.Quatd(*(float(q) for q in quat)).GetNormalized())
    return Gf.Matrix4d(rotation, Gf.Vec3d(*pos))


def _place(xformable: UsdGeom.Xformable, pose: Gf.Matrix4d, scale: Iterable[float] = (1.0, 1.0, 1.0)) -> None:
    """Author a pose as translate, orient and scale in double precision, the operations Isaac Lab expects on a prim."""
    double = UsdGeom.XformOp.PrecisionDouble
    xformable.AddTranslateOp(double).Set(pose.ExtractTranslation())
    xformable.AddOrientOp(double).Set(pose.ExtractRotationQuat().GetNormalized())
    xformable.AddScaleOp(double).Set(Gf.Vec3d(*scale))


if __name__ == "__main__":
    write_asset_root(Path(sys.argv[1]))
