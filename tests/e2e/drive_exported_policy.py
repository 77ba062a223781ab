# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A robot's program: it knows ``policy.json``, and sensors that name the joints, in an order of their own.

The robot is simulated, and what the program does is compared with what the runner does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator

from isaaclab_bpo.cli.command import translate
from isaaclab_bpo.cli.workflow import _loaded

task, checkpoint = sys.argv[1:]
exported = Path(checkpoint).parent / "exported"
CONTRACT = json.loads((exported / "policy.json").read_text())
POLICY = ReferenceEvaluator(onnx.load(exported / "policy.onnx"))
DEFAULT = dict(
    zip(CONTRACT["robots"]["robot"]["joint_names"], CONTRACT["robots"]["robot"]["default_joint_pos"], strict=True)
)
(ACTION,) = CONTRACT["actions"]


def read(sensors: dict) -> dict:
    """Return what each function of an observation means, by its name, from the sensors."""
    joints = CONTRACT["robots"]["robot"]["joint_names"]
    return {
        "base_lin_vel": sensors["velocity"],
        "base_ang_vel": sensors["gyroscope"],
        "projected_gravity": sensors["gravity"],
        "generated_commands": sensors["command"],
        "joint_pos_rel": [sensors["positions"][name] - DEFAULT[name] for name in joints],
        "joint_vel_rel": [sensors["velocities"][name] for name in joints],
        "last_action": sensors["last_action"],
        "height_scan": sensors["heights"],
    }


def observation(sensors: dict) -> np.ndarray:
    """Return the input of the policy."""
    known, parts = read(sensors), []
    for term in CONTRACT["observations"]:
        value = np.asarray(known[term["function"].rpartition(":")[2]], dtype=np.float32)
        assert term["columns"] == [sum(map(len, parts)), sum(map(len, parts)) + len(value)]
        assert term["history"] == 0
        if term["clip"] is not None:
            value = value.clip(*term["clip"])
        parts.append(value * np.float32(1.0 if term["scale"] is None else term["scale"]))
    return np.concatenate(parts)[None]


def simulated_sensors(env: Any, last_action: np.ndarray) -> dict:
    """Read the simulated robot's sensors, with its joints in alphabetical order."""
    scene = env.scene
    robot, scanner = scene["robot"], scene["height_scanner"]
    data, names = robot.data, sorted(robot.joint_names)
    columns = [robot.joint_names.index(name) for name in names]
    heights = scanner.data.pos_w.torch[0, 2] - scanner.data.ray_hits_w.torch[0, :, 2] - 0.5
    return {
        "velocity": data.root_lin_vel_b.torch[0].numpy(),
        "gyroscope": data.root_ang_vel_b.torch[0].numpy(),
        "gravity": data.projected_gravity_b.torch[0].numpy(),
        "command": env.command_manager.get_command("base_velocity")[0].numpy(),
        "positions": dict(zip(names, data.joint_pos.torch[0, columns].tolist(), strict=True)),
        "velocities": dict(zip(names, data.joint_vel.torch[0, columns].tolist(), strict=True)),
        "heights": heights.numpy(),
        "last_action": last_action,
    }


sys.argv[1:] = ["--task", task, "--checkpoint", checkpoint, "--num_envs", "1"]
with _loaded(translate("play", sys.argv[1:])) as (_, runner, _):
    policy, env = runner.get_inference_policy(), cast(Any, runner.env)
    obs, action = env.get_observations(), np.zeros(len(ACTION["joint_names"]), dtype=np.float32)
    for _ in range(50):
        with torch.inference_mode():
            expected = policy(obs)[0].numpy()
        given = observation(simulated_sensors(env.unwrapped, action))
        (output,) = POLICY.run(None, {POLICY.input_names[0]: given})  # type: ignore[misc]
        action = np.asarray(output)[0]
        np.testing.assert_allclose(action, expected, atol=1e-4)
        with torch.inference_mode():
            obs, *_ = env.step(torch.from_numpy(action)[None])
        robot = env.unwrapped.scene["robot"]
        targets = dict(zip(robot.joint_names, robot.data.joint_pos_target.torch[0].tolist(), strict=True))
        for name, offset, value in zip(ACTION["joint_names"], ACTION["offset"], action, strict=True):
            np.testing.assert_allclose(targets[name], offset + ACTION["scale"] * value, atol=1e-5)
    assert CONTRACT["control_period"] == env.unwrapped.step_dt
    print("50 steps: the same actions and targets")
