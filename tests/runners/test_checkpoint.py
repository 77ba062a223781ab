# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The content of checkpoints: wrong content is refused with a sentence, or harmless; nothing is half loaded."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import RecordFault
from isaaclab_bpo.runners import CheckpointError, DurableRunner
from point_mass import PointMass
from runners.loading import judge, make_runner

Content = dict[str, Any]


##
# Mutations of the content.
##


def paths(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path to everything in nested dictionaries."""
    for key, item in value.items() if isinstance(value, dict) else []:
        yield (*path, key)
        yield from paths(item, (*path, key))


def parent(content: Content, path: tuple) -> Any:
    return functools.reduce(lambda node, key: node[key], path[:-1], content)


def without_a_part(content: Content, rng: random.Random) -> None:
    path = rng.choice(list(paths(content)))
    del parent(content, path)[path[-1]]


def with_a_wrong_type(content: Content, rng: random.Random) -> None:
    path = rng.choice(list(paths(content)))
    wrong: list[Any] = [
        None,
        "text",
        7,
        -1,
        0.5,
        True,
        [],
        {},
        [1, 2],
        {"a": 1},
        torch.zeros(3),
        b"bytes",
        float("nan"),
    ]
    parent(content, path)[path[-1]] = rng.choice(wrong)


def a_tensor(content: Content, rng: random.Random) -> tuple[dict, Any]:
    found = [path for path in paths(content) if isinstance(parent(content, path)[path[-1]], torch.Tensor)]
    path = rng.choice([path for path in found if "state_dict" in str(path[0])])
    return parent(content, path), path[-1]


def with_a_wrong_shape(content: Content, rng: random.Random) -> None:
    node, key = a_tensor(content, rng)
    shape = [max(0, size + rng.choice((-1, 1, 5))) for size in node[key].shape] or [3]
    node[key] = torch.zeros(rng.choice((shape, [*shape, 2], [3, 3, 3])))


def with_a_value_that_is_not_finite(content: Content, rng: random.Random) -> None:
    node, key = a_tensor(content, rng)
    node[key] = node[key].float().clone()
    node[key].view(-1)[rng.randrange(node[key].numel())] = rng.choice((float("nan"), float("inf"), -float("inf")))


def with_an_odd_tensor(content: Content, rng: random.Random) -> None:
    node, key = a_tensor(content, rng)
    tensor = node[key].float()
    odd = [tensor.to_sparse(), tensor.to(torch.complex64), tensor.to("meta"), tensor.bool(), tensor.half()]
    node[key] = rng.choice([*odd, torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)])


CONTENT_MUTATIONS = [
    *(without_a_part, with_a_wrong_type, with_a_wrong_shape),
    *(with_a_value_that_is_not_finite, with_an_odd_tensor),
]


@pytest.mark.parametrize("mutate", CONTENT_MUTATIONS)
def test_wrong_content_is_refused_or_harmless(
    mutate: Callable, checkpoint: Path, tmp_path: Path, record_fault: RecordFault
) -> None:
    whole, path = torch.load(checkpoint, weights_only=True), tmp_path / "model_1.pt"
    runner = make_runner()
    for seed in range(40):
        content = copy.deepcopy(whole)
        mutate(content, random.Random(seed))
        torch.save(content, path)
        refused = judge(path, runner, mutate.__name__.replace("_", " "), record_fault)
        runner = runner if refused else make_runner()
        harmful = mutate in (with_a_wrong_shape, with_a_value_that_is_not_finite)
        assert refused or not harmful


##
# Whole checkpoints that are not for this run.
##


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"student_state_dict": {}, "teacher_state_dict": {}, "optimizer_state_dict": {}}, "rsl_rl's Distillation"),
        ({"model_state_dict": {}, "optimizer_state_dict": {}, "iter": 3}, "rsl_rl before version 4"),
        ({"policy": {}, "optimizer": {}}, "another library"),
        ({"weights": torch.zeros(3)}, "not a checkpoint of BPO or PPO"),
        ([1, 2], "holds a list"),
    ],
)
def test_checkpoint_of_another_algorithm_is_named(content: Any, sentence: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "model_1.pt")
    with pytest.raises(CheckpointError, match=sentence):
        make_runner().load(str(tmp_path / "model_1.pt"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"hidden_dims": [16]},
            r"mlp.0.weight of the actor has shape \(8, 4\) in it and \(16, 4\) here.*other hidden_dims",
        ),
        ({"hidden_dims": [8, 8]}, "other hidden_dims"),
        ({"obs_normalization": False}, "obs_normalizer._mean of the actor is only in it.*another.* obs_normalization"),
    ],
)
def test_other_networks_are_named(change: dict, sentence: str, checkpoint: Path) -> None:
    cfg = make_runner().cfg
    cfg["actor"] |= change
    runner = DurableRunner(PointMass(num_envs=4), cfg)
    with pytest.raises(CheckpointError, match=sentence):
        runner.load(str(checkpoint))


def test_another_robot_is_named(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    actor = dict(content["actor_state_dict"])
    actor["distribution.std_param"] = torch.ones(7)
    torch.save(content | {"actor_state_dict": actor}, tmp_path / "model_1.pt")
    with pytest.raises(CheckpointError, match=r"has shape \(7,\) in it and \(2,\) here.*another number of actions"):
        make_runner().load(str(tmp_path / "model_1.pt"))
    actor = dict(content["actor_state_dict"])
    for name in ("_mean", "_var", "_std"):
        actor[f"obs_normalizer.{name}"] = torch.ones(1, 9)
    actor["mlp.0.weight"] = torch.ones(8, 9)
    torch.save(content | {"actor_state_dict": actor}, tmp_path / "model_1.pt")
    with pytest.raises(
        CheckpointError, match=r"has shape \(1, 9\) in it and \(1, 4\) here \(and 3 more\).*another task"
    ):
        make_runner().load(str(tmp_path / "model_1.pt"))
