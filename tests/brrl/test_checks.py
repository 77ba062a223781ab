# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The checks at the entry of the functions."""

from __future__ import annotations

import math
import re

import pytest
import torch

from isaaclab_bpo import brrl

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


FUNCTIONS = {
    "target_ratio": lambda x: brrl.target_ratio(x, brrl.RatioBounds.symmetric(0.2), 0.1),
    "bpo_loss": lambda x: brrl.bpo_loss(x, x, x, brrl.RatioBounds.symmetric(0.2), 0.1),
    "advantage_weighted_tv": lambda x: brrl.advantage_weighted_tv(x, x, x),
    "total_variation": lambda x: brrl.total_variation(x, x),
    "log_total_variation": lambda x: brrl.log_total_variation(x, x),
    "mean_squared_error": lambda x: brrl.mean_squared_error(x, x),
    "kl_divergence": lambda x: brrl.kl_divergence(x, x),
    "median_loss": lambda x: brrl.median_loss(x, x),
    "value_loss": lambda x: brrl.value_loss(x, x),
    "generalized_advantages": lambda x: brrl.generalized_advantages(x, x, x[0], x, 0.9, 0.9),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"must be a floating-point tensor, got torch\.int64"):
        FUNCTIONS[name](torch.ones(2, 3, dtype=torch.long))


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda x, y: brrl.advantage_weighted_tv(y, x, x), "target_ratio"),
        (lambda x, y: brrl.advantage_weighted_tv(x, y, x), "target_ratio"),
        (lambda x, y: brrl.advantage_weighted_tv(x, x, y), "weights"),
        (lambda x, y: brrl.total_variation(x, y), "target_ratio"),
        (lambda x, y: brrl.log_total_variation(x, y), "target_ratio"),
        (lambda x, y: brrl.mean_squared_error(x, y), "target_ratio"),
        (lambda x, y: brrl.kl_divergence(x, y), "target_ratio"),
        (lambda x, y: brrl.median_loss(x, y), "medians"),
        (lambda x, y: brrl.value_loss(x, y), "returns"),
        (lambda x, y: brrl.value_loss(x, x, y, 0.2), "old_values"),
        (lambda x, y: brrl.generalized_advantages(x, y, x[0], x, 0.9, 0.9), "values"),
        (lambda x, y: brrl.generalized_advantages(x, x, y, x, 0.9, 0.9), "last_values"),
        (lambda x, y: brrl.generalized_advantages(x, x, x[0], y, 0.9, 0.9), "dones"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(call, argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument} has shape"):
        call(torch.ones(4, 4), torch.ones(4, 1))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_looks_at_values(name: str) -> None:
    """A meta tensor has none, so whatever reads one fails."""
    assert FUNCTIONS[name](torch.ones(2, 3, device="meta")).is_meta


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda:0", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
    ],
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_precision_and_device(name: str, device: str, dtype: torch.dtype) -> None:
    result = FUNCTIONS[name](torch.ones(2, 3, dtype=dtype, device=device))
    assert result.dtype == dtype
    assert result.device == torch.device(device)
    assert result.isfinite().all()


def test_impossible_numbers_are_refused() -> None:
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="gamma must be"):
        brrl.generalized_advantages(x, x, x[0], x, 1.1, 0.9)
    for lam in (-0.1, 1.1):
        with pytest.raises(ValueError, match="lam must be"):
            brrl.generalized_advantages(x, x, x[0], x, 0.9, lam)
    for level in (0.0, 1.0, 1.5):
        with pytest.raises(ValueError, match="level must be"):
            brrl.median_loss(x, x, level=level)
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="temperature must be"):
            brrl.median_loss(x, x, temperature=temperature)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: brrl.RatioBounds.symmetric(2.0), "epsilon must be a finite number in (0, 1], got 2.0."),
        (lambda x: brrl.elite_weights(x, 1.0), "elite_fraction must be a finite number in (0, 1), got 1.0."),
        (lambda x: brrl.quantile(x, x, -0.5), "level must be a finite number in [0, 1], got -0.5."),
        (lambda x: brrl.median_loss(x, x, temperature=math.inf), "temperature must be a finite number in (0, inf), "),
        (
            lambda x: brrl.bpo_loss(x, x, x, brrl.RatioBounds(0.5, 2.0), divergence="foo"),
            "divergence must be one of atv, tv, log_tv, mse, kl, got 'foo'.",
        ),
        (lambda x: brrl.total_variation(x, x[:1]), "target_ratio has shape (1, 3), but ratio has (2, 3)."),
        (lambda x: brrl.total_variation(x, x.to("meta")), "target_ratio is on meta, but ratio is on cpu."),
        (lambda x: brrl.total_variation(x, x.tolist()), "target_ratio must be a floating-point tensor, got list."),
        (lambda x: brrl.total_variation(x, x.bool()), "target_ratio must be a floating-point tensor, got torch.bool."),
    ],
)
def test_messages_name_argument_value_and_range(call, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
        call(torch.ones(2, 3))
