# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Discrete actions for rsl_rl's models."""

from __future__ import annotations

import torch
from rsl_rl.modules import Distribution
from torch import nn

MASKED = -1e9
"""Logit of an action that cannot be taken: its probability is 0, and 0 times its logarithm is 0 and not NaN."""


class CategoricalDistribution(Distribution):
    """Independent categorical distributions, whose samples are one-hot vectors, one after the other.

    With p = softmax(logits) in each block of columns, and sums over all columns:

        log π(a) = Σ a log p,   H = -Σ p log p,   KL(old || new) = Σ p_old (log p_old - log p_new).

    One-hot actions let rsl_rl's storage, runner and algorithms stay as they are. Logits of -inf mask actions.
    """

    log_probs: torch.Tensor
    """log p of the current distribution, shape (..., output_dim), float32."""

    def __init__(self, output_dim: int, nvec: list[int] | None = None) -> None:
        """Initialize the distribution.

        Args:
            output_dim: Number of columns of the actions.
            nvec: Number of choices of each block, as of Gymnasium's ``MultiDiscrete``; None is one block.

        Raises:
            ValueError: If the blocks do not make up the columns.
        """
        super().__init__(output_dim)
        self.nvec = [output_dim] if nvec is None else list(nvec)
        if sum(self.nvec) != output_dim:
            raise ValueError(
                f"distribution_cfg.nvec={self.nvec} has {sum(self.nvec)} choices in all, but the environment's actions "
                f"have {output_dim} columns: set nvec to the numbers of choices, or leave it out for a single one."
            )

    def update(self, mlp_output: torch.Tensor) -> None:
        """Update the distribution from logits, shape (..., output_dim)."""
        blocks = mlp_output.float().clamp(min=MASKED).split(self.nvec, dim=-1)
        self.log_probs = torch.cat([block.log_softmax(dim=-1) for block in blocks], dim=-1)

    def sample(self) -> torch.Tensor:
        """Sample one-hot actions, by the Gumbel-max trick: ``torch.multinomial`` makes the host wait for the device."""
        gumbel = -torch.empty_like(self.log_probs).exponential_().log()
        return one_hot_argmax(self.log_probs.detach() + gumbel, self.nvec)

    def deterministic_output(self, mlp_output: torch.Tensor) -> torch.Tensor:
        """Return the most probable action, one-hot."""
        return one_hot_argmax(mlp_output, self.nvec)

    def as_deterministic_output_module(self) -> nn.Module:
        """Return the module that makes one-hot actions of logits."""
        return _MostProbable(self.nvec)

    @property
    def input_dim(self) -> int:
        """Number of logits."""
        return self.output_dim

    @property
    def mean(self) -> torch.Tensor:
        """Mean of the one-hot actions, p."""
        return self.log_probs.exp()

    @property
    def std(self) -> torch.Tensor:
        """Standard deviation of the one-hot actions, √(p(1-p))."""
        return (self.mean * (1.0 - self.mean)).sqrt()

    @property
    def entropy(self) -> torch.Tensor:
        """Entropy in nats, shape (...)."""
        return -(self.mean * self.log_probs).sum(dim=-1)

    @property
    def params(self) -> tuple[torch.Tensor, ...]:
        """The logarithms of the probabilities."""
        return (self.log_probs,)

    def log_prob(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the log-probability of one-hot actions, shape (..., output_dim), as shape (...)."""
        return (outputs * self.log_probs).sum(dim=-1)

    def kl_divergence(self, old_params: tuple[torch.Tensor, ...], new_params: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return KL(old || new) in nats, shape (...)."""
        (old,), (new,) = old_params, new_params
        return (old.exp() * (old - new)).sum(dim=-1)

    def init_mlp_weights(self, mlp: nn.Module) -> None:
        """Start near the uniform distribution, with a small orthogonal last layer."""
        last_layer: nn.Linear = mlp[-1]  # type: ignore[index]
        nn.init.orthogonal_(last_layer.weight, gain=0.01)
        nn.init.zeros_(last_layer.bias)


def one_hot_argmax(scores: torch.Tensor, nvec: list[int]) -> torch.Tensor:
    """Return 1 at the largest score of each block of columns and 0 elsewhere, shape (..., sum(nvec)).

    Args:
        scores: Scores, shape (..., sum(nvec)).
        nvec: Number of columns of each block.
    """
    blocks = scores.float().split(nvec, dim=-1)
    return torch.cat([torch.zeros_like(b).scatter(-1, b.argmax(dim=-1, keepdim=True), 1.0) for b in blocks], dim=-1)


class _MostProbable(nn.Module):
    """Exportable module that makes one-hot actions of logits."""

    def __init__(self, nvec: list[int]) -> None:
        super().__init__()
        self.nvec = nvec

    def forward(self, mlp_output: torch.Tensor) -> torch.Tensor:
        return one_hot_argmax(mlp_output, self.nvec)
