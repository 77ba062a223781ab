# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``torch.compile`` takes of BPO, on both paths."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from isaaclab_bpo.algorithms import AcceleratedBPO
from point_mass import bpo_of, collect, make_runner, runner_cfg, update


@pytest.mark.slow
@pytest.mark.parametrize("accelerate", [False, True])
def test_compiled_update_equals_eager(accelerate: bool) -> None:
    results = []
    for mode in (None, "default"):
        runner = make_runner(runner_cfg(accelerate=accelerate) | {"torch_compile_mode": mode})
        collect(runner.alg, runner.env)  # type: ignore[arg-type]
        results.append(update(bpo_of(runner)))
    assert results[1] == pytest.approx(results[0], rel=1e-3, abs=1e-4)


def test_compile_mode_reaches_all_networks() -> None:
    bpo = bpo_of(make_runner(runner_cfg(accelerate=False) | {"torch_compile_mode": "default"}))
    assert all(isinstance(model, torch._dynamo.OptimizedModule) for model in (bpo.actor, bpo.critic, bpo.median.model))
    plain = bpo_of(make_runner(runner_cfg(accelerate=False)))
    assert {k: v.keys() for k, v in bpo.save().items()} == {k: v.keys() for k, v in plain.save().items()}


@pytest.mark.parametrize("options", [{}, {"median": "batch"}, {"median": "value"}, {"median_head": "shared"}], ids=str)
def test_compiled_loss_is_one_graph(options: dict[str, Any]) -> None:
    runner = make_runner(runner_cfg(**options))
    bpo = bpo_of(runner)
    assert isinstance(bpo, AcceleratedBPO)
    collect(bpo, runner.env)  # type: ignore[arg-type]
    batch = bpo.storage.mini_batch(torch.arange(16))
    explanation = torch._dynamo.explain(bpo.losses)(batch, 16)
    assert (explanation.graph_count, explanation.graph_break_count) == (1, 0), explanation.break_reasons


@pytest.mark.parametrize("median", ["critic", "shared", "mlp", "batch", "value"])
@pytest.mark.parametrize("model", ["mlp", "lstm", "nature"])
def test_compiled_networks_of_every_kind_train(model: str, median: str) -> None:
    algorithm: dict[str, Any] = {"median_head" if median in ("shared", "mlp") else "median": median}
    cfg = runner_cfg(model, **algorithm, share_cnn_encoders=model == "nature") | {"torch_compile_mode": "default"}
    runner = make_runner(cfg, image=torch.uint8 if model == "nature" else False)
    with torch.compiler.set_stance("force_eager"):  # the compiled modules, without the minutes of the compiler
        runner.learn(1)
