# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""GBPO for verl: an advantage estimator and a policy loss, both named "gbpo", registered when this module is imported.

verl imports it by itself, since it is an entry point of the group ``verl.plugins``. Options are verl's:
``algorithm.adv_estimator=gbpo``, ``algorithm.norm_adv_by_std_in_grpo``, ``actor.policy_loss.loss_mode=gbpo``,
``actor.clip_ratio_low`` and ``clip_ratio_high`` for the bounds, ``actor.loss_agg_mode``. verl's configurations have no
place for the temperature, so it is the environment variable ISAACLAB_BPO_GBPO_TEMPERATURE, by default the paper's 1e-4.

verl hands the loss one number of each token, ``advantages``, but GBPO needs A and Ã/λ. :func:`pack` puts both into one
number of double precision: the upper half of its bits are those of A, the lower half are Ã/λ in single precision. So
what verl logs of the advantages is right to six digits, and any dtype below double is refused.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

import torch
from verl.trainer.ppo.core_algos import agg_loss, register_adv_est, register_policy_loss  # type: ignore[import-not-found]

from isaaclab_bpo.brrl import (
    RatioBounds,
    aggregate,
    gbpo_loss,
    group_advantages,
    group_median_advantages,
    group_sign_target,
    token_metrics,
)

_LOWER_HALF = 0xFFFFFFFF


def pack(advantages: torch.Tensor, median_advantages: torch.Tensor) -> torch.Tensor:
    """Return A and Ã/λ as one tensor of doubles, which are A to a relative error of 2^-20.

    Args:
        advantages: A, any shape.
        median_advantages: Ã/λ, same shape.
    """
    upper = advantages.double().view(torch.int64) & ~_LOWER_HALF
    lower = median_advantages.float().view(torch.int32).long() & _LOWER_HALF
    return (upper | lower).view(torch.float64)


def unpack(packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return A and Ã/λ, of double precision.

    Raises:
        TypeError: If the numbers are not doubles, so that they no longer hold two.
    """
    if packed.dtype != torch.float64:
        raise TypeError(f"GBPO's advantages arrived as {packed.dtype}: use algorithm.adv_estimator=gbpo with them.")
    bits = packed.contiguous().view(torch.int64)
    return (bits & ~_LOWER_HALF).view(torch.float64), bits.int().view(torch.float32).double()


@register_adv_est("gbpo")
def gbpo_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: Any,
    config: Any = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the packed advantages of verl's batch, twice: as advantages and as returns.

    Args:
        token_level_rewards: Rewards of tokens, shape (N, T); their sum is that of the completion.
        response_mask: 1 for tokens of the completion, shape (N, T).
        index: Which prompt a completion belongs to, N hashable values.
        config: verl's configuration of the algorithm.
    """
    scale = True if config is None else config.norm_adv_by_std_in_grpo
    temperature = float(os.environ.get("ISAACLAB_BPO_GBPO_TEMPERATURE", "1e-4"))
    rewards = token_level_rewards.sum(dim=-1)
    groups = defaultdict(list)
    for row, prompt in enumerate(index):
        groups[prompt].append(row)
    advantages, median_advantages = torch.empty_like(rewards), torch.empty_like(rewards)
    for rows in groups.values():
        advantages[rows] = group_advantages(rewards[rows], scale)
        median_advantages[rows] = group_median_advantages(rewards[rows], scale)
    packed = pack(advantages, median_advantages / temperature).unsqueeze(-1)
    tokens = torch.where(response_mask.bool(), packed, 0.0)
    return tokens, tokens


@register_policy_loss("gbpo")
def gbpo_policy_loss(
    old_log_prob: torch.Tensor,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
    response_mask: torch.Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Return the loss of a micro-batch and its metrics, with verl's arguments; ``advantages`` are packed."""
    low, high = (
        config.clip_ratio if given is None else given for given in (config.clip_ratio_low, config.clip_ratio_high)
    )
    bounds = RatioBounds(1.0 - low, 1.0 + high)
    weights, logits = (part.to(log_prob.dtype) for part in unpack(advantages))
    target = group_sign_target(logits, bounds, 1.0)
    log_ratio = log_prob - old_log_prob
    losses = gbpo_loss(log_ratio, target, weights, response_mask, "none")
    if rollout_is_weights is not None:
        losses = losses * rollout_is_weights
    loss = agg_loss(loss_mat=losses, loss_mask=response_mask, loss_agg_mode=loss_agg_mode, **config.global_batch_info)
    means = {name: aggregate(v, response_mask).item() for name, v in token_metrics(log_ratio, target, bounds).items()}
    return loss, {f"actor/{name}": value for name, value in means.items()}
