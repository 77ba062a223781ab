# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoint files: damaged and hostile ones are refused with a sentence, or harmless; code in them never runs."""

from __future__ import annotations

import functools
import os
import pickle
import random
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import RecordFault
from isaaclab_bpo.runners import prune
from runners.loading import judge, make_runner

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


FILE_MUTATIONS = [truncated, with_flipped_bits, with_zeroed_block, of_random_bytes]


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
# Retention.
##


def test_pruning_keeps_what_was_written_last_whatever_its_number(tmp_path: Path) -> None:
    for age, name in enumerate(("model_5.pt", "model_900.pt", "model_10.pt")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    prune(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["model_5.pt"]


def test_pruning_keeps_the_newest_after_the_clock_was_set_back(tmp_path: Path) -> None:
    names = ["model_100.pt", "model_150.pt", "model_200.pt"]
    for age, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    prune(tmp_path, 2, [tmp_path / name for name in names[1:]])
    assert sorted(path.name for path in tmp_path.iterdir()) == names[1:]
