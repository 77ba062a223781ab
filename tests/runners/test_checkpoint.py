# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Damaged and hostile checkpoints: refused with a sentence, or harmless; never run, never half loaded."""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import os
import pickle
import random
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import RecordFault
from faults.training import small_cfg
from isaaclab_bpo.runners import CheckpointError, DurableRunner
from point_mass import PointMass

Content = dict[str, Any]


def make_runner(algorithm: str = "isaaclab_bpo.algorithms:BPO") -> DurableRunner:
    """A runner whose checkpoints have every part there is."""
    cfg = small_cfg()
    rnd = {"num_outputs": 1, "predictor_hidden_dims": [4], "target_hidden_dims": [4], "weight": 0.1}
    cfg["algorithm"] |= {"class_name": algorithm, "rnd_cfg": rnd | {"reward_normalization": True}}
    cfg["actor"]["obs_normalization"] = True
    cfg["obs_groups"]["rnd_state"] = ["policy"]
    return DurableRunner(PointMass(num_envs=4), cfg)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runner = make_runner()
    runner.learn(2)
    path = tmp_path_factory.mktemp("run") / "model_1.pt"
    runner.save(str(path))
    return path


def digest(runner: DurableRunner) -> bytes:
    """A fingerprint of all that loading may change."""
    content = io.BytesIO()
    state = {key: value for key, value in runner.alg.save().items() if key != "random_states"}
    torch.save((state, runner.alg.learning_rate, runner.current_learning_iteration), content)
    return hashlib.sha256(content.getvalue()).digest()


##
# Mutations of the file.
##


def truncated(whole: bytes, rng: random.Random) -> bytes:
    return whole[: rng.randrange(len(whole))]


def with_flipped_bits(whole: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(whole)
    for _ in range(rng.choice((1, 1, 1, 8, 64))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def with_zeroed_block(whole: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(whole))
    return (whole[:start] + bytes(512) + whole[start + 512 :])[: len(whole)]


def of_random_bytes(whole: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", b"PK\x03\x04", whole[:64])) + rng.randbytes(rng.randrange(3000))


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


FILE_MUTATIONS = [truncated, with_flipped_bits, with_zeroed_block, of_random_bytes]
CONTENT_MUTATIONS = [
    *(without_a_part, with_a_wrong_type, with_a_wrong_shape),
    *(with_a_value_that_is_not_finite, with_an_odd_tensor),
]


def judge(path: Path, runner: DurableRunner, kind: str, record_fault: RecordFault) -> bool:
    """Load a file, which must be refused with a sentence and change nothing, or train on; return which of the two."""
    before, on_disk, sentence = digest(runner), path.read_bytes(), None
    try:
        runner.load(str(path))
    except CheckpointError as error:
        sentence = str(error)
    if sentence is None:
        runner.learn(1)
    else:
        assert "\n" not in sentence
        assert repr(str(path)) in sentence
        assert digest(runner) == before
    finite = all(bool(param.isfinite().all()) for model in runner.alg._models() for param in model.parameters())  # type: ignore
    record_fault(f"checkpoint {kind}", True, finite, int(path.read_bytes() != on_disk))
    return sentence is not None


@pytest.mark.parametrize("mutate", FILE_MUTATIONS)
def test_damaged_file_is_refused_or_harmless(
    mutate: Callable, checkpoint: Path, tmp_path: Path, record_fault: RecordFault
) -> None:
    whole, path = checkpoint.read_bytes(), tmp_path / "model_1.pt"
    runner = make_runner()
    for seed in range(40):
        path.write_bytes(mutate(whole, random.Random(seed)))
        refused = judge(path, runner, mutate.__name__.replace("_", " "), record_fault)
        runner = runner if refused else make_runner()
        assert refused or mutate in (with_flipped_bits, with_zeroed_block)  # which may hit only padding


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
# Code in the file.
##


class Runs:
    """What a pickle calls when it is read."""

    def __init__(self, function: Callable, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple:
        return self.call


def attacks(mark: Path) -> dict[str, Any]:
    """Objects that make the file ``mark`` when they are unpickled, or that only need a class to be imported."""
    touch = f"touch {mark}"
    return {
        "os.system": Runs(os.system, touch),
        "subprocess": Runs(subprocess.getoutput, touch),
        "eval": Runs(eval, f"open({str(mark)!r}, 'w')"),
        "exec": Runs(exec, f"open({str(mark)!r}, 'w')"),
        "open": Runs(open, str(mark), "w"),
        "Path.touch": Runs(Path.touch, mark),
        "partial": Runs(functools.partial(os.system, touch)),
        "getattr": Runs(getattr, Runs(__import__, "os"), "system"),
        "torch.hub": Runs(torch.hub.load_state_dict_from_url, "https://example.invalid/x.pt"),
        "torch.load": Runs(torch.load, str(mark)),
        "numpy": np.zeros(3),
        "path": mark,
        "module": torch.nn.Linear(2, 2),
    }


@pytest.mark.parametrize("name", attacks(Path("mark")))
def test_code_is_refused_before_it_runs(name: str, checkpoint: Path, tmp_path: Path, record_fault: RecordFault) -> None:
    mark, path = tmp_path / "mark", tmp_path / "model_1.pt"
    attack = attacks(mark)[name]
    whole = torch.load(checkpoint, weights_only=True)
    runner = make_runner()

    def place_in_infos() -> None:
        torch.save(whole | {"infos": attack}, path)

    def place_in_a_network() -> None:
        torch.save(whole | {"actor_state_dict": {**whole["actor_state_dict"], "mlp.0.weight": attack}}, path)

    def place_alone() -> None:
        torch.save(attack, path)

    def place_in_an_old_format() -> None:
        torch.save(whole | {"infos": attack}, path, _use_new_zipfile_serialization=False)

    def place_in_a_bare_pickle() -> None:
        path.write_bytes(pickle.dumps(attack))

    for place in (place_in_infos, place_in_a_network, place_alone, place_in_an_old_format, place_in_a_bare_pickle):
        place()
        assert judge(path, runner, "with code in it", record_fault)
        assert not mark.exists()


def test_archives_of_another_kind_are_refused(checkpoint: Path, tmp_path: Path, record_fault: RecordFault) -> None:
    path, runner = tmp_path / "model_1.pt", make_runner()
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    assert judge(path, runner, "of another kind", record_fault)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no checkpoint")
    assert judge(path, runner, "of another kind", record_fault)


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
