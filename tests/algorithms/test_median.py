# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The estimators of μ: what they give, what of it carries a gradient, and what they load."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import nn

from isaaclab_bpo.algorithms.median import MedianCritic, MedianEstimator, MedianHead, RolloutMedian, make_median
from isaaclab_bpo.algorithms.options import BpoOptions
from isaaclab_bpo.models import OrthogonalMLPModel
from isaaclab_bpo.storage import BpoRolloutStorage

OBS = TensorDict({"policy": torch.randn(6, 3, generator=torch.manual_seed(0))}, batch_size=[6])
BATCH = RolloutStorage.Batch(observations=OBS)
KINDS: dict[str, dict[str, Any]] = {
    "value": {"median": "value"},
    "batch": {"median": "batch"},
    "critic": {"median": "critic"},
    "shared": {"median": "critic", "median_head": "shared"},
    "mlp": {"median": "critic", "median_head": "mlp"},
}


def make_critic() -> MLPModel:
    return MLPModel(OBS, {"critic": ["policy"]}, "critic", 1, hidden_dims=[5, 4])


def make(kind: str) -> tuple[MedianEstimator, MLPModel, BpoRolloutStorage]:
    critic, storage = make_critic(), BpoRolloutStorage("rl", 6, 2, OBS, [1], "cpu")
    storage.advantage_median.fill_(0.25)
    return make_median(BpoOptions(**KINDS[kind]), critic, make_critic, storage), critic, storage


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("value", MedianEstimator),
        ("batch", RolloutMedian),
        ("critic", MedianCritic),
        ("shared", MedianHead),
        ("mlp", MedianHead),
    ],
)
def test_options_choose_the_estimator(kind: str, cls: type) -> None:
    median, _, _ = make(kind)
    assert type(median) is cls
    assert (median.network is None) == (kind in ("value", "batch"))
    assert median.of_rollout == (kind == "batch")
    assert len(median.models) == (kind == "critic")
    assert len(median.parameters()) == {"critic": 6, "shared": 2, "mlp": 6}.get(kind, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_the_critics(kind: str) -> None:
    median, critic, _ = make(kind)
    values, medians = median.evaluate(critic, BATCH)
    torch.testing.assert_close(values, critic(OBS))
    assert medians.shape == values.shape == (6, 1)


def test_medians_of_value_and_rollout_by_hand() -> None:
    for kind, shift in (("value", 0.0), ("batch", 0.25)):
        median, critic, _ = make(kind)
        values, medians = median.evaluate(critic, BATCH)
        torch.testing.assert_close(medians, values + shift)
        assert not medians.requires_grad


def test_gradient_of_the_median_reaches_its_own_parameters() -> None:
    median, critic, _ = make("critic")
    median.evaluate(critic, BATCH)[1].sum().backward()
    assert all(p.grad is not None for p in median.parameters())
    assert all(p.grad is None for p in critic.parameters())
    # A head also trains the critic's hidden layers, and not the critic's last one
    for kind in ("shared", "mlp"):
        median, critic, _ = make(kind)
        median.evaluate(critic, BATCH)[1].sum().backward()
        assert all(p.grad is not None for p in [*median.parameters(), *critic.mlp[0].parameters()])
        assert all(p.grad is None for p in critic.mlp[-1].parameters())


def test_medians_of_the_mlp_by_hand() -> None:
    median, critic, _ = make("mlp")
    assert isinstance(median.network, nn.Sequential)
    first, _, second, _, output = median.network
    assert (first.weight.shape, second.weight.shape, output.weight.shape) == ((5, 4), (4, 5), (1, 4))
    features = OBS["policy"]
    for layer in list(critic.mlp)[:-1]:
        features = layer(features)
    features = nn.functional.elu(second(nn.functional.elu(first(features))))
    torch.testing.assert_close(median.evaluate(critic, BATCH)[1], output(features))


def test_heads_of_a_critic_with_orthogonal_weights_have_them_too() -> None:
    critic = OrthogonalMLPModel(OBS, {"critic": ["policy"]}, "critic", 1, hidden_dims=[4, 4])
    storage = BpoRolloutStorage("rl", 6, 2, OBS, [1], "cpu")
    head = make_median(BpoOptions(**KINDS["mlp"]), critic, make_critic, storage).network
    assert head is not None
    first, second, output = (head.get_parameter(f"{i}.weight") for i in (0, 2, 4))
    for product in (first.T @ first, second @ second.T):
        torch.testing.assert_close(product, 2.0 * torch.eye(4))
    torch.testing.assert_close(output.norm(), torch.tensor(1.0))


@pytest.mark.parametrize("kind", ["critic", "shared", "mlp"])
def test_a_saved_network_is_loaded_and_another_kind_is_replaced_by_the_critic(
    kind: str, capsys: pytest.CaptureFixture
) -> None:
    median, critic, _ = make(kind)
    other = {name: make(name)[0].network for name in ("critic", "shared", "mlp")}
    assert median.network is not None
    for saved_kind, network in other.items():
        assert network is not None
        median.load(network.state_dict(), critic, strict=True)
        said = "no median critic of this kind" in capsys.readouterr().out
        assert said is (saved_kind != kind)
        expected: nn.Module = network
        if said and kind == "mlp":  # the critic has no such layers: it is left as it is
            continue
        if said:
            expected = critic if kind == "critic" else critic.mlp[-1]  # type: ignore[assignment]
        for name, value in expected.state_dict().items():
            assert torch.equal(median.network.state_dict()[name], value)


def test_nothing_is_loaded_where_there_is_no_network(capsys: pytest.CaptureFixture) -> None:
    median, critic, _ = make("batch")
    median.load(None, critic, strict=True)
    assert capsys.readouterr().out == ""
