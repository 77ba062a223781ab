# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Two networks of one shape for half the kernels."""

from __future__ import annotations

import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules import MLP
from tensordict import TensorDict
from torch import nn


class PairedMLPModel:
    """Two MLP models of the same layers, evaluated and differentiated by one batched product for each layer.

    Their parameters stay what they are for everybody else, but share memory: each pair is a view of one tensor, which
    the product reads, and whose gradient is handed to the two.
    """

    def __init__(self, first: MLPModel, second: MLPModel) -> None:
        """Pair two models that observe the same; ``second`` is made as ``first`` was."""
        self._models = first, second
        self._layers: list[nn.Module | tuple[torch.Tensor, torch.Tensor]] = []
        for layers in zip(first.mlp, second.mlp, strict=True):
            if isinstance(layers[0], nn.Linear):
                weights, biases = ([getattr(layer, name) for layer in layers] for name in ("weight", "bias"))
                self._layers.append((_share_memory(weights), _share_memory(biases)))
            else:
                self._layers.append(layers[0])

    @staticmethod
    def can_pair(model: MLPModel) -> bool:
        """Return whether a model computes nothing but rsl_rl's MLP: linear layers and activations of single numbers."""
        methods_are_rsl_rls = all(getattr(type(model), m) is getattr(MLPModel, m) for m in ("forward", "get_latent"))
        others = [layer for layer in model.mlp if not isinstance(layer, nn.Linear)]
        return methods_are_rsl_rls and type(model.mlp) is MLP and not any(layer.state_dict() for layer in others)

    def __call__(self, obs: TensorDict) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs of both, shape (B, outputs) each, given observations."""
        if self._models[0].obs_normalization:
            inputs = torch.stack([get_latent(model, obs) for model in self._models])
        else:
            inputs = get_latent(self._models[0], obs).expand(2, -1, -1)
        columns = inputs.transpose(1, 2)  # samples come last, so that gradients of weights are laid out like weights
        for layer in self._layers:
            if isinstance(layer, nn.Module):
                columns = layer(columns)
            else:
                weights, biases = layer
                columns = torch.baddbmm(biases.unsqueeze(2), weights, columns)
        return columns.transpose(1, 2).unbind()  # type: ignore[return-value]


def get_latent(model: MLPModel, obs: TensorDict) -> torch.Tensor:
    """Return what a model's MLP is given, without the copy that rsl_rl's method makes of a single observation group."""
    if len(model.obs_groups) > 1 or type(model).get_latent is not MLPModel.get_latent:
        return model.get_latent(obs)
    return model.obs_normalizer(obs[model.obs_groups[0]])


def _share_memory(pair: list[nn.Parameter]) -> torch.Tensor:
    """Let two parameters be views of one tensor, which is returned and hands its gradient to them."""
    both = torch.stack([parameter.detach() for parameter in pair])
    for parameter, part in zip(pair, both, strict=True):
        parameter.data = part

    def hand_on(leaf: torch.Tensor) -> None:
        for parameter, gradient in zip(pair, leaf.grad, strict=True):  # type: ignore[arg-type]
            for hook in (parameter._backward_hooks or {}).values():  # autograd does not meet the parameter itself
                changed = hook(gradient)
                gradient = gradient if changed is None else changed
            parameter.grad = gradient
        leaf.grad = None

    both.requires_grad_().register_post_accumulate_grad_hook(hand_on)
    return both
