# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a training leaves behind, made by hand."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

G1, GO1 = "Isaac-Velocity-Rough-G1-v0", "Isaac-Velocity-Rough-Unitree-Go1-v0"
BPO, PPO = "rsl_rl_bpo_cfg_entry_point", "rsl_rl_cfg_entry_point"
without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="tests the defaults of a machine without CUDA")
Ask = Callable[..., dict]
LAYERS = {f"mlp.{2 * i}.weight": torch.zeros(width, 1) for i, width in enumerate((512, 256, 128, 12))}
OPTIMIZER = {"state": {}, "param_groups": [{"lr": 1e-3, "params": []}]}
CHECKPOINT = {"iter": 7, "actor_state_dict": LAYERS, "critic_state_dict": LAYERS, "optimizer_state_dict": OPTIMIZER}


def write_run(cwd: Path, task: str, agent: str, physics: str, created: str = "2026-01-01T00:00:00+00:00") -> Path:
    """Write what a training leaves behind, and return its checkpoint."""
    experiment = "unitree_go1_rough_bpo" if agent == BPO else "unitree_go1_rough"
    folder = cwd / "logs" / "rsl_rl" / experiment / f"{len(list(cwd.rglob('run.json')))}"
    (folder / "params").mkdir(parents=True)
    manifest = {"version": 1, "library": "rsl_rl", "task": task, "created_at": created, "metadata": {"agent": agent}}
    (folder / "run.json").write_text(json.dumps(manifest))
    env = {"sim": {"physics": {"class_type": physics}}, "scene": {"robot": {"joint_ordering": None}, "size": (1, 2)}}
    (folder / "params" / "env.yaml").write_text(yaml.dump(env))
    checkpoint = folder / "model_7.pt"
    torch.save(CHECKPOINT, checkpoint)
    return checkpoint


OVPHYSX = "isaaclab_ov.physics.ovphysx_manager:OvPhysxManager"
PHYSX = "isaaclab_physx.physics.physx_manager:PhysxManager"
NEWTON = "isaaclab_newton.physics.newton_manager:NewtonManager"
PHYSX_HERE = "ovphysx" if importlib.util.find_spec("isaacsim") is None else "isaacsim_physx"
