# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which checkpoint a command line means, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cli.runs import (
    BPO,
    CHECKPOINT,
    GO1,
    LAYERS,
    OVPHYSX,
    PPO,
    Ask,
    write_run,
)


def test_checkpoint_cut_short_is_refused(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "cut short" in ask("play", "--task", GO1, "--checkpoint", str(checkpoint))["error"]
    assert "finds no run" in ask("play", "--task", GO1)["error"]


@pytest.mark.parametrize("action", ["train", "play"])
def test_latest_skips_damaged_checkpoints(ask: Ask, tmp_path: Path, action: str) -> None:
    older = write_run(tmp_path, GO1, BPO, OVPHYSX, created="2026-01-01T00:00:00+00:00")
    newest = write_run(tmp_path, GO1, BPO, OVPHYSX, created="2026-01-02T00:00:00+00:00")
    previous = newest.with_name("model_6.pt")
    previous.write_bytes(newest.read_bytes())
    chosen = [*("--task", GO1, "--checkpoint", "latest")]
    assert ask(action, *chosen)["checkpoint"] == str(newest)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert ask(action, *chosen)["checkpoint"] == str(previous)
    nan = {**LAYERS, "mlp.0.weight": torch.full((512, 1), torch.nan)}
    torch.save(CHECKPOINT | {"actor_state_dict": nan}, previous)
    assert ask(action, *chosen)["checkpoint"] == str(older)


def test_other_hidden_layers_are_refused_before_the_simulator_starts(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    given = ("--task", GO1, "--checkpoint", str(checkpoint), "agent.actor.hidden_dims=[512,128,128]")
    error = ask("train", *given)["error"]
    for part in ("mlp.2.weight of the actor", "(256, 1)", "[512, 256, 128]", "[512, 128, 128]", "same networks"):
        assert part in error


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ({"student_state_dict": {}, "teacher_state_dict": {}}, "rsl_rl's Distillation"),
        ({"policy": {}}, "another library"),
    ],
)
def test_checkpoint_of_another_algorithm_is_refused(ask: Ask, tmp_path: Path, content: dict, part: str) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    torch.save(content, checkpoint)
    assert part in ask("train", "--task", GO1, "--checkpoint", str(checkpoint))["error"]


def test_checkpoint_that_runs_code_is_refused(ask: Ask, tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path, GO1, BPO, OVPHYSX)
    torch.save(CHECKPOINT | {"infos": Path("anything but plain data")}, checkpoint)
    error = ask("play", "--task", GO1, "--checkpoint", str(checkpoint))["error"]
    assert "not a whole file of tensors and plain data" in error


@pytest.mark.parametrize(
    "asked", [GO1, "Isaac-Velocity-Rough-Unitree-Go1-Play-v0", "IsaacContrib-Velocity-Rough-UnitreeGo1"]
)
@pytest.mark.parametrize("trained", [GO1, "IsaacContrib-Velocity-Rough-UnitreeGo1"])
def test_latest_run_is_found_under_old_and_new_ids(ask: Ask, tmp_path: Path, asked: str, trained: str) -> None:
    checkpoint = write_run(tmp_path, trained, BPO, OVPHYSX)
    write_run(tmp_path, trained, PPO, OVPHYSX)
    answer = ask("play", "--task", asked)
    assert answer["checkpoint"] == str(checkpoint)
    assert answer["args"]["checkpoint"] == str(checkpoint)
