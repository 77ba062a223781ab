# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``policy.json`` says of a policy's inputs."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from isaaclab_bpo.cli.command import Command
from isaaclab_bpo.cli.contract import contract
from isaaclab_bpo.runners import DurableRunner
from point_mass import PointMass, runner_cfg


@pytest.mark.parametrize("groups", [["policy"], ["camera"], ["policy", "camera"]])
def test_images_are_inputs_too(groups: list[str], tmp_path: Path) -> None:
    cfg = runner_cfg("nature" if "camera" in groups else "mlp")
    cfg["obs_groups"] = dict.fromkeys(("actor", "critic"), groups)
    runner = DurableRunner(PointMass(image=torch.uint8), cfg)
    command = Command("play", argparse.Namespace(task="PointMass"), [], None, argparse.Namespace(clip_actions=None), [])
    shapes = {"policy": [4], "camera": [1, 8, 8]}
    said = contract(command, runner, tmp_path / "model_0.pt")["observations"]
    assert said == {name: shapes[name] for name in groups}
