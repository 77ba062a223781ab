# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Orthogonal weights with the gains of Stable-Baselines3."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tensordict import TensorDict
from torch import nn

from isaaclab_bpo.models import NatureCNNModel, OrthogonalMLPModel

OBS = TensorDict({"policy": torch.zeros(2, 6), "image": torch.zeros(2, 3, 12, 12, dtype=torch.uint8)}, batch_size=[2])
GAUSSIAN = {"class_name": "GaussianDistribution"}


def gain(layer: nn.Linear | nn.Conv2d) -> float:
    """Return the common norm of the rows or columns, the fewer ones, of orthogonal weights."""
    weight = layer.weight.detach().flatten(1)
    weight = weight if weight.shape[0] <= weight.shape[1] else weight.T
    product = weight @ weight.T
    torch.testing.assert_close(product, product[0, 0] * torch.eye(len(product)), rtol=1e-4, atol=1e-5)
    assert layer.bias is not None
    assert not layer.bias.any()
    return math.sqrt(product[0, 0].item())


@pytest.mark.parametrize(("distribution", "last"), [(GAUSSIAN, 0.01), (None, 1.0)])
@pytest.mark.parametrize("kind", ["mlp", "nature"])
def test_gains(kind: str, distribution: dict | None, last: float) -> None:
    groups = {"actor": ["policy"] if kind == "mlp" else ["image"]}
    settings: dict[str, Any] = {"hidden_dims": [16, 8], "distribution_cfg": distribution and dict(distribution)}
    if kind == "mlp":
        model = OrthogonalMLPModel(OBS, groups, "actor", 4, **settings)
    else:
        model = NatureCNNModel(OBS, groups, "actor", 4, **settings, orthogonal_init=True)
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    assert len(layers) == (3 if kind == "mlp" else 3 + 4)
    for layer in layers:
        assert gain(layer) == pytest.approx(last if layer is model.mlp[-1] else math.sqrt(2.0), rel=1e-4)


def test_borrowed_encoders_keep_the_weights_of_their_owner() -> None:
    owner = NatureCNNModel(OBS, {"actor": ["image"]}, "actor", 4)
    before = [parameter.clone() for parameter in owner.cnns.parameters()]
    NatureCNNModel(OBS, {"critic": ["image"]}, "critic", 1, cnns=owner.cnns, orthogonal_init=True)
    assert all(torch.equal(a, b) for a, b in zip(before, owner.cnns.parameters(), strict=True))
