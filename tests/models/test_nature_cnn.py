# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Images of uint8: seen as they are, by an encoder that is shared, evaluated once, and exported as it was trained."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from rsl_rl.runners import OnPolicyRunner
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import nn

from isaaclab_bpo.models import NatureCNNModel
from isaaclab_bpo.models.nature_cnn import NatureCNN
from point_mass import PointMass, runner_cfg

CATEGORICAL = {"class_name": "isaaclab_bpo.models:CategoricalDistribution"}


def observations(size: int = 84, num: int = 5) -> TensorDict:
    generator = torch.manual_seed(0)
    image = torch.randint(0, 256, (num, 4, size, size), dtype=torch.uint8, generator=generator)
    return TensorDict({"image": image, "vector": torch.randn(num, 3, generator=generator)}, batch_size=[num])


def make(
    obs: TensorDict, name: str = "critic", groups: tuple[str, ...] = ("image",), **settings: Any
) -> NatureCNNModel:
    outputs, distribution = (6, dict(CATEGORICAL)) if name == "actor" else (1, None)  # rsl_rl 5.4 takes the name out
    return NatureCNNModel(obs, {name: list(groups)}, name, outputs, distribution_cfg=distribution, **settings)


def test_features_are_those_of_the_papers_layers_written_out() -> None:
    obs = observations()
    model = make(obs)
    conv1, conv2, conv3, features = (m for m in model.cnns.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in (conv1, conv2, conv3)] == [  # type: ignore
        (4, 32, (8, 8), (4, 4)),
        (32, 64, (4, 4), (2, 2)),
        (64, 64, (3, 3), (1, 1)),
    ]
    x = obs["image"].float() / 255.0
    for conv in (conv1, conv2, conv3):
        x = nn.functional.conv2d(x, conv.weight, conv.bias, conv.stride).relu()  # type: ignore[arg-type]
    x = nn.functional.linear(x.flatten(1), features.weight, features.bias).relu()  # type: ignore[arg-type]
    assert x.shape == (5, 512)
    hidden, _, output = model.mlp
    expected = output(hidden(x).relu())
    torch.testing.assert_close(model(obs), expected, rtol=1e-4, atol=1e-6)


def test_floats_are_taken_as_they_are_and_vectors_beside_the_features() -> None:
    obs = observations()
    model = make(obs, groups=("vector", "image"), obs_normalization=True)
    in_floats = obs.clone()
    in_floats["image"] = obs["image"].float() / 255.0
    torch.testing.assert_close(model(in_floats), model(obs))
    assert model.mlp[0].in_features == 512 + 3
    model.update_normalization(obs)
    latent = model.get_latent(obs)
    torch.testing.assert_close(latent[:, :3], model.obs_normalizer(obs["vector"]))
    torch.testing.assert_close(latent[:, 3:], model.cnns["image"](obs["image"]))


def test_without_vectors_there_is_nothing_to_normalize() -> None:
    model = make(observations(), obs_normalization=True)
    model.update_normalization(observations())
    assert not model.obs_normalization


@pytest.mark.parametrize(("size", "kernels"), [(36, [8, 4, 3]), (35, [3, 3, 3]), (20, [3, 3, 3]), (4, [3, 3, 3])])
def test_small_images_have_smaller_kernels(size: int, kernels: list[int]) -> None:
    obs = observations(size)
    model = make(obs)
    assert [m.kernel_size[0] for m in model.cnns.modules() if isinstance(m, nn.Conv2d)] == kernels
    assert model(obs).shape == (5, 1)


def test_convolutions_can_be_chosen_as_for_rsl_rls_model() -> None:
    model = make(observations(20), cnn_cfg={"output_channels": [7], "kernel_size": 5, "activation": "tanh"})
    assert [m.out_channels for m in model.cnns.modules() if isinstance(m, nn.Conv2d)] == [7]
    assert any(isinstance(m, nn.Tanh) for m in model.cnns.modules())


def test_images_that_are_too_small_or_others_than_the_actors_are_named() -> None:
    with pytest.raises(ValueError, match=r"Images of 'image' have 3 x 3 pixels: .* at least 4 x 4"):
        make(observations(3))
    obs = observations(20)
    obs["other"] = obs["image"]
    with pytest.raises(ValueError, match=r"critic are \['other'\] and those of the actor \['image'\]: set obs_groups"):
        make(obs, groups=("other",), cnns=make(obs, "actor").cnns)


def test_storage_keeps_uint8() -> None:
    storage = RolloutStorage("rl", 8, 128, observations(num=8).select("image"), [6])
    image: torch.Tensor = storage.observations["image"]  # type: ignore[assignment]
    assert image.dtype is torch.uint8
    assert image.nbytes == 8 * 128 * 4 * 84 * 84  # 29 MB; 116 as floats


##
# Encoders that are shared.
##


class Counting(NatureCNN):
    """Counts its evaluations."""

    calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(images)


def three_networks(obs: TensorDict) -> tuple[NatureCNNModel, list[NatureCNNModel], Counting]:
    actor = make(obs, "actor")
    encoder = actor.cnns["image"] = Counting((20, 20), 4, "relu", output_channels=[8], kernel_size=3)
    return actor, [make(obs, cnns=actor.cnns) for _ in range(2)], encoder


def test_encoder_of_three_networks_is_evaluated_once_and_trained_by_all() -> None:
    obs = observations(20)
    actor, critics, encoder = three_networks(obs)
    alone = [torch.autograd.grad(model(obs).sum(), [*encoder.parameters()]) for model in critics]
    actor(obs, stochastic_output=True)
    alone.append(torch.autograd.grad(actor.output_entropy.sum(), [*encoder.parameters()]))

    encoder.calls = 0
    actor(obs, stochastic_output=True)
    (actor.output_entropy.sum() + sum(critic(obs).sum() for critic in critics)).backward()
    assert encoder.calls == 1
    for parameter, *parts in zip(encoder.parameters(), *alone, strict=True):
        assert all(part.abs().max() > 0.0 for part in parts)
        torch.testing.assert_close(parameter.grad, sum(parts))


def test_features_are_never_old_ones() -> None:
    obs = observations(20)
    actor, (critic, _), encoder = three_networks(obs)

    def expected() -> torch.Tensor:
        return critic.mlp(encoder(obs["image"]))

    actor(obs)
    with torch.no_grad():  # a step of the optimizer
        for parameter in encoder.parameters():
            parameter.mul_(1.1)
    actor(obs)
    torch.testing.assert_close(critic(obs), expected())  # the owner has encoded them again
    other = obs.clone()
    other["image"] = 255 - obs["image"]
    assert not torch.allclose(critic(other), critic(obs))
    with torch.no_grad():
        actor(obs)
        obs["image"].copy_(other["image"])  # an environment that reuses its memory
        torch.testing.assert_close(critic(obs), expected())


def test_network_is_copied_after_an_update() -> None:
    obs = observations(20)
    actor = make(obs, "actor")
    actor(obs)  # with gradients
    for other in (copy.deepcopy(actor), pickle.loads(pickle.dumps(actor))):
        assert torch.equal(other(obs), actor(obs))


def test_who_borrows_an_encoder_has_no_parameters_of_it() -> None:
    actor, critics, encoder = three_networks(observations(20))
    shared = {id(p) for p in encoder.parameters()}
    assert shared <= {id(p) for p in actor.parameters()}
    for critic in critics:
        assert not shared & {id(p) for p in critic.parameters()}
        assert all(key.startswith("mlp.") for key in critic.state_dict())
        assert critic.cnns is actor.cnns


##
# Export.
##


@pytest.mark.parametrize("vectors", [True, False])
def test_exported_policy_takes_uint8_and_gives_the_most_probable_action(vectors: bool, tmp_path: Path) -> None:
    cfg = runner_cfg("nature", discrete=True, share_cnn_encoders=True)
    cfg["actor"]["orthogonal_init"] = True  # without bias, the image decides
    cfg["obs_groups"] = dict.fromkeys(("actor", "critic"), ["policy", "camera"] if vectors else ["camera"])
    env = PointMass(image=torch.uint8, discrete=True)
    torch.manual_seed(0)
    runner = OnPolicyRunner(env, cfg)
    runner.export_policy_to_onnx(str(tmp_path))
    runner.export_policy_to_jit(str(tmp_path))

    obs = env.get_observations()
    with torch.inference_mode():
        expected = runner.get_inference_policy()(obs)
    assert (expected.unflatten(-1, (2, 3)).sum(dim=-1) == 1.0).all()
    assert len(expected.unique(dim=0)) > 1

    policy = onnx.load(tmp_path / "policy.onnx")
    types = {value.name: value.type.tensor_type.elem_type for value in policy.graph.input}
    assert types == {"camera": onnx.TensorProto.UINT8} | ({"obs": onnx.TensorProto.FLOAT} if vectors else {})
    session = ReferenceEvaluator(policy)
    for row in range(env.num_envs):
        inputs = {"camera": obs["camera"][row : row + 1].numpy(), "obs": obs["policy"][row : row + 1].numpy()}
        (actions,) = session.run(None, {name: inputs[name] for name in types})  # type: ignore[misc]
        assert torch.equal(torch.from_numpy(actions)[0], expected[row])

    scripted = torch.jit.load(tmp_path / "policy.pt")
    assert torch.equal(scripted(obs["policy"] if vectors else torch.zeros(16, 0), [obs["camera"]]), expected)
