# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A runner that loads checkpoints which may be damaged, and the judgement of what became of it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import torch

from conftest import RecordFault
from faults.training import small_cfg
from isaaclab_bpo.runners import CheckpointError, DurableRunner
from point_mass import PointMass


def make_runner(algorithm: str = "isaaclab_bpo.algorithms:BPO") -> DurableRunner:
    """A runner whose checkpoints have every part there is."""
    cfg = small_cfg()
    rnd = {"num_outputs": 1, "predictor_hidden_dims": [4], "target_hidden_dims": [4], "weight": 0.1}
    cfg["algorithm"] |= {"class_name": algorithm, "rnd_cfg": rnd | {"reward_normalization": True}}
    cfg["actor"]["obs_normalization"] = True
    cfg["obs_groups"]["rnd_state"] = ["policy"]
    return DurableRunner(PointMass(num_envs=4), cfg)


def digest(runner: DurableRunner) -> bytes:
    """A fingerprint of all that loading may change."""
    content = io.BytesIO()
    state = {key: value for key, value in runner.alg.save().items() if key != "random_states"}
    torch.save((state, runner.alg.learning_rate, runner.current_learning_iteration), content)
    return hashlib.sha256(content.getvalue()).digest()


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
    networks = runner.alg.networks.values()  # type: ignore[union-attr, attr-defined]
    finite = all(bool(param.isfinite().all()) for network in networks for param in network)
    record_fault(f"checkpoint {kind}", True, finite, int(path.read_bytes() != on_disk))
    return sentence is not None
