# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The physics engine and the joint order of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.runs import (
    BPO,
    GO1,
    NEWTON,
    OVPHYSX,
    PHYSX,
    PHYSX_HERE,
    Ask,
    without_cuda,
    write_run,
)


@pytest.mark.parametrize(
    "text", ["{", "- 1", "just text", "scene: 3\nsim: {physics: 3}", "!!python/object/apply:os.abort []"]
)
def test_damaged_configuration_of_a_run_is_no_crash(ask: Ask, tmp_path: Path, text: str) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    (checkpoint.parent / "params" / "env.yaml").write_text(text)
    answer = ask("train", "--task", GO1, "--checkpoint", str(checkpoint))
    assert "args" in answer or "env.yaml', which says how the checkpoint was trained, is damaged" in answer["error"]


def test_configuration_of_a_run_cannot_add_overrides(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    file = checkpoint.parent / "params" / "env.yaml"
    file.write_text(file.read_text().replace("joint_ordering: null", "joint_ordering: 'x hydra.run.dir=/'"))
    assert "is not the name of one" in ask("train", "--task", GO1, "--checkpoint", str(checkpoint))["error"]


@without_cuda
def test_flat_go1_starts_without_isaac_sim(ask: Ask) -> None:
    assert "physics=ovphysx" in ask("train", "--task", "Isaac-Velocity-Flat-Unitree-Go1-v0")["overrides"]


@pytest.mark.parametrize(
    ("trained", "chosen", "physics", "order"),
    [
        (OVPHYSX, [], "physics=ovphysx", None),
        (PHYSX, [], f"physics={PHYSX_HERE}", None),  # both are PhysX, OvPhysX without Isaac Sim
        (NEWTON, [], None, None),  # the task's default
        (OVPHYSX, ["physics=newton_mjwarp"], None, "physx"),
        (PHYSX, ["physics=newton_mjwarp"], None, "physx"),
        (NEWTON, ["physics=ovphysx"], None, "mjwarp"),
        (NEWTON, ["physics=ovphysx", "env.scene.robot.joint_ordering=physx"], None, None),
    ],
)
@pytest.mark.parametrize("action", ["train", "play"])
def test_policy_meets_the_joint_order_that_it_learned(
    ask: Ask, tmp_path: Path, action: str, trained: str, chosen: list[str], physics: str | None, order: str | None
) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, trained)
    added = ask(action, "--task", GO1, "--checkpoint", str(checkpoint), *chosen)["added"]
    assert [token for token in added if token.startswith("physics=")] == ([physics] if physics else [])
    joint_orders = [token for token in added if token.startswith("env.scene.robot.joint_ordering=")]
    assert joint_orders == ([f"env.scene.robot.joint_ordering={order}"] if order else [])
