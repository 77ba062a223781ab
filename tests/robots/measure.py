# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Puts a stand-in robot into its Isaac Lab task on level ground and prints what happens to it as one JSON line.

A program of its own because Isaac Lab allows one simulation per process: ``python measure.py TASK ROBOT PHYSICS``.
"""

from __future__ import annotations

import argparse
import json
import sys

from isaaclab_bpo.compatibility import serve_pinned_memory_without_cuda
from isaaclab_bpo.robots import select_assets

select_assets("standin")  # before Isaac Lab is imported

import torch
from isaaclab.app import add_launcher_args, launch_simulation
from isaaclab.envs import ManagerBasedRLEnv, ManagerBasedRLEnvCfg
from isaaclab.utils.math import quat_apply
from isaaclab_tasks.utils import resolve_task_config, setup_preset_cli

from isaaclab_bpo.robots.builder import load_robot

NUM_ENVS = 2


def main() -> None:
    """Start the simulation and run the experiments."""
    task, robot_name, physics = sys.argv[1:]
    parser = argparse.ArgumentParser()
    add_launcher_args(parser)
    launcher_args, overrides = setup_preset_cli(parser, [f"physics={physics}", "--device", "cpu"])
    sys.argv[1:] = overrides
    env_cfg, _ = resolve_task_config(task, "")
    assert isinstance(env_cfg, ManagerBasedRLEnvCfg)
    make_undisturbed(env_cfg)
    serve_pinned_memory_without_cuda()
    with launch_simulation(env_cfg, launcher_args), torch.inference_mode():
        env = ManagerBasedRLEnv(env_cfg)
        results = look_at_spawn(env, load_robot(robot_name))
        results["support"] = support_while_standing(env, results["sole_clearance"])
        results["zero"] = act(env, spread=0.0)
        results["random"] = act(env, spread=1.0)
        print("MEASURED " + json.dumps(results), flush=True)
        env.close()


def make_undisturbed(env_cfg) -> None:
    """Take hills, pushes and randomization out of the task, so that what one measures is the robot."""
    env_cfg.seed = 1
    env_cfg.sim.device = "cpu"
    env_cfg.scene.num_envs = NUM_ENVS
    env_cfg.scene.terrain.terrain_type = "plane"
    env_cfg.scene.terrain.terrain_generator = None
    env_cfg.curriculum.terrain_levels = None
    env_cfg.events.push_robot = None
    env_cfg.events.add_base_mass = None
    env_cfg.events.base_com = None
    env_cfg.events.reset_base.params.update(pose_range={}, velocity_range={})
    env_cfg.events.reset_robot_joints.params["position_range"] = (1.0, 1.0)


def look_at_spawn(env: ManagerBasedRLEnv, description: dict) -> dict:
    """Read sizes, names and mass, and how high the lowest collider's lowest point is at the task's spawn height [m]."""
    env.reset()
    robot = env.scene["robot"]
    heights = []
    for name, link in description["links"].items():
        i = robot.body_names.index(name)
        position, orientation = robot.data.body_link_pos_w.torch[0, i], robot.data.body_link_quat_w.torch[0, i]
        for collider in link.get("colliders", []):
            for end in {"capsule": ("start", "end"), "sphere": ("center",), "box": ()}[collider["kind"]]:
                point = position + quat_apply(orientation[None], torch.tensor([collider[end]]))[0]
                heights.append(float(point[2]) - collider["radius"])
    return {
        "num_observations": env.observation_manager.group_obs_dim["policy"][0],
        "num_actions": env.action_manager.total_action_dim,
        "joints": robot.joint_names,
        "root": robot.body_names[0],
        "mass": float(robot.data.body_mass.torch[0].sum()),
        "sole_clearance": min(heights),
    }


def support_while_standing(env: ManagerBasedRLEnv, sole_clearance: float) -> float:
    """Average contact force while the robot stands, less what its bobbing takes: F̄ - M Δv/Δt [N].

    With its soles set on the ground the robot settles into its joints' springs; Newton's second law for the center of
    mass, F̄ - M g = M Δv/Δt, takes that motion out of the average.
    """
    set_down = (-sole_clearance, -sole_clearance)
    env.event_manager.get_term_cfg("reset_base").params["pose_range"] = {"z": set_down}
    env.reset()
    data, forces = env.scene["robot"].data, env.scene["contact_forces"].data
    masses = data.body_mass.torch

    def momentum() -> torch.Tensor:
        return (masses * data.body_com_lin_vel_w.torch[..., 2]).sum(-1)

    steps, settling = 40, 10
    samples, start = [], torch.zeros(())
    for step in range(steps):
        _, _, terminated, _, _ = env.step(torch.zeros(NUM_ENVS, env.action_manager.total_action_dim))
        assert not terminated.any(), f"fell within {steps * env.step_dt} s"
        if step == settling:
            start = momentum()
        if step > settling:
            # the sensor's history is that of the last physics steps
            samples.append(forces.net_forces_w_history.torch[..., 2].sum(-1).mean(-1))
    inertial = (momentum() - start) / (len(samples) * env.step_dt)
    return float((torch.stack(samples).mean(0) - inertial).mean())


def act(env: ManagerBasedRLEnv, spread: float) -> dict:
    """Act at random for two seconds, with this standard deviation, and watch for an explosion."""
    torch.manual_seed(0)
    env.reset()
    data = env.scene["robot"].data
    first_fall, finite, height, speed = None, True, 0.0, 0.0
    for step in range(100):
        actions = spread * torch.randn(NUM_ENVS, env.action_manager.total_action_dim)
        observations, rewards, terminated, _, _ = env.step(actions)
        policy_observations = observations["policy"]
        assert isinstance(policy_observations, torch.Tensor)
        finite &= bool(policy_observations.isfinite().all() and rewards.isfinite().all())
        height = max(height, float(data.root_pos_w.torch[:, 2].max()))
        speed = max(speed, float(data.body_com_lin_vel_w.torch.norm(dim=-1).max()))
        if first_fall is None and terminated.any():
            first_fall = (step + 1) * env.step_dt
    return {"finite": finite, "first_fall": first_fall, "max_height": height, "max_speed": speed}


if __name__ == "__main__":
    main()
