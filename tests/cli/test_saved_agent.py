# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Networks come from the checkpoint's own configuration; what else the command line changes is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cli.runs import CHECKPOINT, Ask

TASK = "Gym-Hopper-v5"


@pytest.fixture
def trained(ask: Ask, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that writes the checkpoint of a training with some overrides."""

    def train(*overrides: str) -> dict[str, Any]:
        answer = ask("train", "--task", TASK, *overrides)
        assert "agent" in answer, answer
        write(tmp_path, answer["agent"])
        return answer["agent"]

    return train


def write(folder: Path, cfg: dict[str, Any]) -> None:
    """Write a checkpoint with a configuration, and with layers as it says."""
    layers = {}
    for name in ("actor", "critic"):
        dims = (cfg.get(name) or {}).get("hidden_dims", [256, 256]) if isinstance(cfg.get(name), dict) else [256, 256]
        widths = [*dims, 3] if isinstance(dims, list) else [256, 256, 3]
        layers[f"{name}_state_dict"] = {f"mlp.{2 * i}.weight": torch.zeros(n, 1) for i, n in enumerate(widths)}
    torch.save(CHECKPOINT | layers | {"cfg": cfg}, folder / "model_7.pt")


@pytest.mark.parametrize("action", ["train", "play"])
@pytest.mark.parametrize(
    "override",
    [
        "agent.actor.activation=tanh",
        "agent.critic.activation=elu",
        "agent.actor.hidden_dims=[64,64]",
        "agent.actor.obs_normalization=False",
        "agent.actor.distribution_cfg.std_type=scalar",
    ],
)
def test_networks_are_built_as_they_were_trained(
    ask: Ask, trained: Callable[..., dict], action: str, override: str
) -> None:
    as_trained = trained(override)
    given = ("--task", TASK, "--checkpoint", "model_7.pt")
    answer = ask(action, *given)
    for part in ("actor", "critic", "obs_groups"):
        assert answer["agent"][part] == as_trained[part]
    same = ask(action, *given, override)
    assert same["agent"]["actor"] == as_trained["actor"]
    assert not any("checkpoint" in note for note in same["notes"])
    if as_trained != ask("train", "--task", TASK)["agent"]:
        path, value = override.split("=")
        (note,) = [note for note in answer["notes"] if note.startswith("as in the checkpoint: ")]
        assert f"{path}=" in note
        assert value.strip("[]").split(",")[-1] in note


def test_observation_groups_are_the_checkpoints_unless_they_are_named(
    ask: Ask, trained: Callable[..., dict], tmp_path: Path
) -> None:
    cfg = trained()
    cfg["obs_groups"] = {"actor": ["policy", "camera"], "critic": ["policy"]}
    write(tmp_path, cfg)
    given = ("--task", TASK, "--checkpoint", "model_7.pt")
    answer = ask("play", *given)
    assert answer["agent"]["obs_groups"] == cfg["obs_groups"]
    assert "as in the checkpoint: agent.obs_groups.actor=['policy', 'camera']" in answer["notes"]
    answer = ask("play", *given, 'agent.obs_groups={"actor":["policy"],"critic":["policy"]}')
    assert answer["agent"]["obs_groups"]["actor"] == ["policy"]
    assert any("agent.obs_groups.actor=['policy'] (was ['policy', 'camera'])" in note for note in answer["notes"])


@pytest.mark.parametrize("action", ["train", "play"])
@pytest.mark.parametrize(
    ("trained_with", "given"),
    [
        (["agent.actor.activation=relu"], "agent.actor.activation=elu"),
        (["agent.critic.activation=relu"], "agent.critic.activation=elu"),
        (["agent.actor.hidden_dims=[64,64]"], "agent.actor.hidden_dims=[32,32]"),
        ([], "agent.actor.distribution_cfg.std_type=scalar"),
        ([], "agent.actor.distribution_cfg.class_name=BetaDistribution"),
    ],
)
def test_an_override_against_the_checkpoints_networks_is_refused(
    ask: Ask, trained: Callable[..., dict], action: str, trained_with: list[str], given: str
) -> None:
    trained(*trained_with)
    error = ask(action, "--task", TASK, "--checkpoint", "model_7.pt", given)["error"]
    assert error.startswith(f"{given.split('=')[0]} contradicts --checkpoint")
    assert "leave it out" in error


def test_a_change_of_what_may_change_is_said(ask: Ask, trained: Callable[..., dict]) -> None:
    trained("agent.algorithm.gamma=0.9")
    given = ("--task", TASK, "--checkpoint", "model_7.pt")
    overrides = ("agent.algorithm.learning_rate=1e-5", "agent.algorithm.schedule=adaptive", "--seed", "5")
    (note,) = [note for note in ask("train", *given, *overrides)["notes"] if "checkpoint" in note]
    assert note.startswith("changed against the checkpoint: ")
    for part in (
        "agent.algorithm.learning_rate=1e-05 (was ",
        "agent.algorithm.schedule='adaptive' (was 'fixed')",
        "agent.algorithm.gamma=0.999 (was 0.9)",
        "agent.seed=5 (was ",
    ):
        assert part in note
    assert not any("checkpoint" in note for note in ask("play", *given)["notes"])
    how_to_start = ask("train", *given, "agent.actor.distribution_cfg.init_std=0.5", "agent.algorithm.gamma=0.9")
    assert "agent.actor.distribution_cfg.init_std=0.5 (was 1.0)" in " ".join(how_to_start["notes"])


def test_the_class_of_a_network_is_the_checkpoints_if_it_is_known(ask: Ask, trained: Callable[..., dict]) -> None:
    as_trained = trained("agent.actor.distribution_cfg.class_name=HeteroscedasticGaussianDistribution")
    answer = ask("play", "--task", TASK, "--checkpoint", "model_7.pt")
    assert answer["agent"]["actor"] == as_trained["actor"]


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("class_name", "antigravity:Model", "has networks of the class 'antigravity:Model', which nobody imports"),
        ("class_name", "isaaclab_bpo.cli.main:main", "a configuration that is not valid: actor.class_name"),
        ("class_name", 7, "a configuration that is not valid: actor.class_name"),
        ("activation", "unheard", "a configuration that is not valid: actor.activation"),
        ("activation", {"a": [1]}, "a configuration that is not valid: actor.activation"),
        ("hidden_dims", "wide", "a configuration that is not valid: actor.hidden_dims"),
        ("distribution_cfg", None, "a configuration that is not valid: actor.distribution_cfg"),
    ],
)
def test_a_damaged_or_hostile_configuration_is_a_sentence(
    ask: Ask, trained: Callable[..., dict], tmp_path: Path, field: str, value: Any, part: str
) -> None:
    cfg = trained()
    cfg["actor"][field] = value
    write(tmp_path, cfg)
    assert part in ask("play", "--task", TASK, "--checkpoint", "model_7.pt")["error"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("critic.distribution_cfg", {"class_name": "antigravity:Model"}),  # where the task's critic has none
        ("critic.cnn_cfg", {"policy": {"class_name": "antigravity:Model"}}),
        ("actor.activation", {"class_name": "antigravity:Model"}),
        ("critic.activation", ["relu", {"class_name": "antigravity:Model"}]),
        ("actor", {"class_name": "RNNModel", "distribution_cfg": {"class_name": "antigravity.Model"}}),
        ("actor.distribution_cfg.class_name", "antigravity:Model"),
        ("obs_groups.actor", [{"class_name": "antigravity:Model"}]),
    ],
)
def test_no_class_of_a_checkpoint_is_imported_wherever_it_stands(
    ask: Ask, trained: Callable[..., dict], tmp_path: Path, field: str, value: Any
) -> None:
    cfg = trained()
    *parents, last = field.split(".")
    section = cfg
    for parent in parents:
        section = section[parent]
    section[last] = value
    write(tmp_path, cfg)
    error = ask("play", "--task", TASK, "--checkpoint", "model_7.pt")["error"]
    assert "which nobody imports unless you name it: give agent." in error
    assert "antigravity" in error


def test_a_field_that_a_checkpoint_lacks_had_its_default(
    ask: Ask, trained: Callable[..., dict], tmp_path: Path
) -> None:
    cfg = trained()
    del cfg["actor"]["distribution_cfg"]["std_type"]
    write(tmp_path, cfg)
    answer = ask("play", "--task", TASK, "--checkpoint", "model_7.pt")
    assert answer["agent"]["actor"]["distribution_cfg"]["std_type"] == "scalar"


@pytest.mark.parametrize(
    "cfg", [{}, {"actor": 3, "critic": None}, {"obs_groups": {"actor": "policy"}}, {"algorithm": []}, {"actor": {}}]
)
def test_a_configuration_without_networks_is_left_alone_or_refused(ask: Ask, tmp_path: Path, cfg: dict) -> None:
    write(tmp_path, cfg)
    answer = ask("play", "--task", TASK, "--checkpoint", "model_7.pt")
    assert "agent" in answer or "not valid" in answer["error"] or "class_name" in answer["error"]
