# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What takes fewer kernels computes what rsl_rl and torch.distributions compute."""

from __future__ import annotations

import copy

import pytest
import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules.distribution import BetaDistribution, GaussianDistribution, HeteroscedasticGaussianDistribution
from tensordict import TensorDict

from isaaclab_bpo.models import PairedMLPModel, clip_gradients, get_latent, log_prob


def observations(*groups: str, rows: int = 7) -> TensorDict:
    return TensorDict({name: torch.randn(rows, 5) for name in groups}, batch_size=[rows])


def make_model(obs: TensorDict, normalize: bool = False) -> MLPModel:
    groups = {"critic": list(map(str, obs.keys()))}
    model = MLPModel(obs, groups, "critic", 1, hidden_dims=[16, 8], obs_normalization=normalize)
    model.update_normalization(obs)
    return model


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("groups", [("policy",), ("policy", "height")])
def test_a_pair_has_the_outputs_and_gradients_of_its_models(groups: tuple[str, ...], normalize: bool) -> None:
    obs = observations(*groups)
    models = [make_model(obs, normalize), make_model(obs, normalize)]
    alone = copy.deepcopy(models)
    pair = PairedMLPModel(*models)
    for step in range(2):  # gradients of one step must not be left for the next
        outputs = pair(obs)
        sum((step + i + 1) * output.square().mean() for i, output in enumerate(outputs)).backward()  # type: ignore
        for i, (model, output) in enumerate(zip(alone, outputs, strict=True)):
            expected = model(obs)
            torch.testing.assert_close(output, expected)
            ((step + i + 1) * expected.square().mean()).backward()
        for paired, single in zip(models, alone, strict=True):
            for ours, theirs in zip(paired.parameters(), single.parameters(), strict=True):
                torch.testing.assert_close(ours.grad, theirs.grad)
                with torch.no_grad():  # a step that the pair must see
                    ours -= 0.1 * ours.grad  # type: ignore[operator]
                    theirs -= 0.1 * theirs.grad  # type: ignore[operator]
                ours.grad = theirs.grad = None


def test_hooks_of_parameters_see_and_change_the_gradients_of_a_pair() -> None:
    obs = observations("policy")
    models = make_model(obs), make_model(obs)
    seen: list[torch.Tensor] = []
    weight = next(models[1].mlp.parameters())
    weight.register_hook(lambda gradient: 3.0 * gradient)
    weight.register_hook(seen.append)
    PairedMLPModel(*models)(obs)[1].sum().backward()
    assert torch.equal(seen[0], weight.grad)  # type: ignore[arg-type]
    alone = copy.deepcopy(models[1])
    alone(obs).sum().backward()
    torch.testing.assert_close(weight.grad, 3.0 * next(alone.mlp.parameters()).grad)  # type: ignore[operator]


def test_a_pair_follows_what_is_loaded() -> None:
    obs = observations("policy")
    first, second, other = make_model(obs), make_model(obs), make_model(obs)
    pair = PairedMLPModel(first, second)
    second.load_state_dict(other.state_dict())
    torch.testing.assert_close(pair(obs)[1], other(obs))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (GaussianDistribution, {"std_type": "scalar"}),
        (GaussianDistribution, {"std_type": "log", "init_std": 0.3}),
        (HeteroscedasticGaussianDistribution, {"std_type": "log"}),
        (BetaDistribution, {}),
    ],
)
def test_log_probabilities_and_gradients_are_those_of_the_distribution(kind: type, options: dict) -> None:
    results = []
    output = torch.randn(6, *torch.zeros(kind(3, **options).input_dim).shape)
    actions, weights = 0.5 * torch.rand(6, 3), torch.randn(6)
    for ours in (True, False):
        distribution = kind(3, **options)
        leaf = output.clone().requires_grad_()
        distribution.update(leaf)
        value = log_prob(distribution, actions) if ours else distribution.log_prob(actions)
        (weights * value).sum().backward()
        results.append([value, leaf.grad, *(parameter.grad for parameter in distribution.parameters())])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_gradient_of_the_log_probability_in_double_precision() -> None:
    from isaaclab_bpo.models.gaussian import GaussianLogProb

    mean = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)  # a sequence, as recurrent networks have it
    std = (0.5 + torch.rand(2, 4, 3, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda m, s: GaussianLogProb.apply(torch.ones_like(m), m, s), (mean, std))


def test_latents_are_those_of_the_model() -> None:
    for groups, normalize in [(("policy",), False), (("policy",), True), (("policy", "height"), True)]:
        obs = observations(*groups)
        model = make_model(obs, normalize)
        assert torch.equal(get_latent(model, obs), model.get_latent(obs))


@pytest.mark.parametrize("max_norm", [0.1, 1e9])
def test_gradients_are_clipped_as_torch_clips_those_of_each_network(max_norm: float) -> None:
    obs = observations("policy")
    models = [make_model(obs), make_model(obs)]
    for model in models:
        model(obs).square().sum().backward()
    alone = copy.deepcopy(models)
    for model, single in zip(models, alone, strict=True):
        for ours, theirs in zip(model.parameters(), single.parameters(), strict=True):
            theirs.grad = ours.grad.clone()  # type: ignore[union-attr]
    norms = clip_gradients([model.parameters() for model in models], max_norm, joint=False)
    for model, single, norm in zip(models, alone, norms, strict=True):
        assert torch.equal(norm, torch.nn.utils.clip_grad_norm_(single.parameters(), max_norm))
        for ours, theirs in zip(model.parameters(), single.parameters(), strict=True):
            assert torch.equal(ours.grad, theirs.grad)  # type: ignore[arg-type]
