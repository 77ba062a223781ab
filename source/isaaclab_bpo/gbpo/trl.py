# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""GBPO as a trainer of TRL: GRPO's, with another loss.

The methods that :class:`GBPOTrainer` overrides are private to TRL. So this module accepts the versions that it was
tested with, and checks the methods' arguments when it is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from isaaclab_bpo.brrl import (
    Aggregation,
    RatioBounds,
    aggregate,
    gbpo_loss,
    group_advantages,
    group_median,
    group_median_advantages,
    group_scale,
    group_sign_target,
    group_target_ratio,
    token_metrics,
    token_ratio,
)
from isaaclab_bpo.rules import Rule, errors_of, integer, number, one_of, optional

TESTED = "1.16"
"""The version of TRL, of which any patch release will do."""

OVERRIDDEN = {
    "_calculate_rewards": ("self", "inputs", "prompts", "completions", "completion_ids_list"),
    "_generate_and_score_completions": ("self", "inputs"),
    "_compute_loss": ("self", "model", "inputs"),
}
"""TRL's private methods that are overridden, and their arguments."""


def check_trl() -> None:
    """Check that TRL is one that :class:`GBPOTrainer` fits.

    Raises:
        ImportError: If it is not.
    """
    found = version("trl")
    changed = [
        name
        for name, arguments in OVERRIDDEN.items()
        if tuple(inspect.signature(getattr(GRPOTrainer, name, check_trl)).parameters) != arguments
    ]
    if not found.startswith(f"{TESTED}.") or changed:
        why = f", in which GRPOTrainer.{changed[0]} is another" if changed else ""
        raise ImportError(f"GBPOTrainer needs trl=={TESTED}.*, not {found}{why}: pip install 'trl=={TESTED}.*'")


check_trl()

AGGREGATIONS: dict[str, Aggregation] = {
    "grpo": "seq-mean-token-mean",
    "bnpo": "token-mean",
    "dapo": "token-mean",
    "dr_grpo": "seq-mean-token-sum-norm",
    "luspo": "seq-mean-token-sum",
}
"""TRL's loss types that say how tokens are aggregated. "dapo" counts the tokens of all accumulated mini-batches."""


def _only(value: Any, why: str) -> Rule:
    return lambda given: given == value, f"{str(value).lower() if value is not None else 'null'}, because {why}"


RULES: dict[str, Rule] = {
    "target": one_of("sign", "exact"),
    "gbpo_temperature": number(0.0, open_low=True),
    "epsilon": number(0.0, 1.0, open_low=True),
    "epsilon_high": optional(number(0.0, open_low=True)),
    "loss_type": one_of(*AGGREGATIONS),
    "scale_rewards": one_of("group", "none"),
    "importance_sampling_level": _only("token", "GBPO bounds the ratio of each token"),
    "multi_objective_aggregation": _only("sum_then_normalize", "GBPO needs one reward of each completion"),
    "delta": _only(None, "GBPO does not clip"),
    "off_policy_mask_threshold": _only(None, "GBPO's loss pulls tokens back that are far off"),
    "use_adaptive_entropy": _only(False, "GBPO takes a constant entropy_coef"),
}
"""What GBPO asks of the configuration beyond what TRL does."""


@dataclass
class GBPOConfig(GRPOConfig):
    r"""Configuration of :class:`GBPOTrainer`: GRPO's, and what follows.

    TRL's own ``temperature`` is that of sampling. ``epsilon`` and ``epsilon_high`` are the bounds of the ratio,
    ``num_iterations`` is the number of epochs over a batch, and ``loss_type`` says how tokens are aggregated.

    Args:
        target: "sign", the paper's target ratio, or "exact", the optimum over the group, whose mean is 1.
        gbpo_temperature: λ > 0, in standard deviations of the group's rewards (or in rewards, with
            ``scale_rewards="none"``).
        num_trained: Of the completions of a prompt, how many are trained on, the first ones; None for all. The rewards
            come from all of them, as in a vote. The paper samples 64 and trains on 32.

    Raises:
        ValueError: If a value is not valid; names all of them.
    """

    epsilon: float = field(default=0.3, metadata={"help": "Half-width of the ratio's bounds, the paper's 0.3."})
    loss_type: str = field(
        default="bnpo",
        metadata={"help": f"How tokens are aggregated: {', '.join(AGGREGATIONS)}. The authors' is bnpo."},
    )
    use_bias_correction_kl: bool = field(
        default=False, metadata={"help": "Whether to weight the KL term by the ratio. The authors do not."}
    )
    target: str = field(default="sign", metadata={"help": "Target ratio: the paper's (sign) or the optimum (exact)."})
    gbpo_temperature: float = field(
        default=1e-4, metadata={"help": "Softness of the target, in standard deviations of the group's rewards."}
    )
    num_trained: int | None = field(
        default=None, metadata={"help": "How many of a prompt's completions to train on, the first ones. Default: all."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        errors = errors_of(vars(self), RULES)
        errors += errors_of(vars(self), {"num_trained": optional(integer(2, self.num_generations))})
        if errors:
            raise ValueError(" ".join(errors))

    @property
    def bounds(self) -> RatioBounds:
        """The bounds of the ratio."""
        return RatioBounds(1.0 - self.epsilon, 1.0 + (self.epsilon_high or self.epsilon))


class GBPOTrainer(GRPOTrainer):
    """Trainer of GBPO: :class:`trl.GRPOTrainer` with GBPO's loss. Arguments are those of GRPOTrainer.

    l = mean |A| |ρ - ρ*|, with the aggregation of ``loss_type`` for the mean; see :func:`isaaclab_bpo.brrl.gbpo_loss`.

    Reference: Ao et al., arXiv:2604.18578, Section 5.
    """

    _tag_names = ("trl", "gbpo")
    _name = "GBPO"

    args: GBPOConfig  # type: ignore[assignment]
    accelerator: Any
    model: Any
    num_generations: int
    _rewards: torch.Tensor
    """Weighted rewards of the generation batch of all processes, shape (prompts, G)."""

    def __init__(self, model: Any, reward_funcs: Any = None, args: GBPOConfig | None = None, **kwargs: Any) -> None:
        if kwargs.get("rollout_func") is not None:
            kwargs["rollout_func"] = _refusing_empty(kwargs["rollout_func"])
        super().__init__(model, reward_funcs, args=args or GBPOConfig("GBPO"), **kwargs)

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> torch.Tensor:
        """Return the rewards by function and keep their weighted sums."""
        by_function = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        missing = by_function.isnan().all(dim=1) | by_function.isinf().any(dim=1)  # others may judge in place of a NaN
        if missing.any():
            row = int(missing.nonzero()[0])
            raise ValueError(
                f"The reward of completion {row} of {len(missing)} is None, NaN or infinite from "
                f"{', '.join(self.reward_func_names)}: return a number, 0 for what cannot be judged."
            )
        rewards = (by_function * self.reward_weights.to(by_function.device)).nansum(dim=1)
        size = self.num_generations if self.model.training else self.num_generations_eval
        self._rewards = rewards.view(-1, size)
        return by_function

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        """Return TRL's batch with GBPO's advantages and targets, of those completions that are trained on."""
        output = super()._generate_and_score_completions(inputs)
        rewards, rows = self._rewards, torch.arange(len(inputs))
        if self.model.training and self.args.num_trained is not None:
            rewards, rows = rewards[:, : self.args.num_trained], self._trained_rows(len(inputs))
            output = self._select(output, rows)
        advantages, target = self.score(rewards)
        local = slice(self.accelerator.process_index * len(rows), (self.accelerator.process_index + 1) * len(rows))
        return output | {"advantages": advantages.flatten()[local], "target_ratio": target.flatten()[local]}

    def _trained_rows(self, count: int) -> torch.Tensor:
        """Return which of a process's completions are trained on: the first ones of each prompt."""
        size, trained, steps = self.num_generations, self.args.num_trained or count, self.args.steps_per_generation or 1
        if count % size or (count // size * trained) % steps:
            raise ValueError(
                f"num_trained={trained} does not fit: the {count} completions of a process must be whole groups of "
                f"num_generations={size}, and the trained ones among them a multiple of steps_per_generation={steps}."
            )
        return torch.arange(count).view(-1, size)[:, :trained].flatten()

    def _select(self, output: dict[str, Any], rows: torch.Tensor) -> dict[str, Any]:
        """Return TRL's batch with some of its completions."""
        if "pixel_values" in output:
            raise ValueError(f"num_trained={self.args.num_trained} cannot be with images: leave it out.")
        selected = {name: value[rows.to(value.device)] for name, value in output.items() if value.dim()}
        tokens = (selected["completion_mask"] * selected.get("tool_mask", 1)).sum()
        return selected | {"num_items_in_batch": self.accelerator.gather(tokens).sum()}

    def score(self, rewards: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return A and ρ* of completions, and log the groups' medians.

        Args:
            rewards: Rewards of the completions of each prompt, shape (prompts, G).

        Returns:
            Two tensors of the shape (prompts, G).
        """
        args, scaled = self.args, self.args.scale_rewards == "group"
        metrics = self._metrics["train" if self.model.training else "eval"]
        if args.target == "exact":
            target = group_target_ratio(
                rewards / group_scale(rewards) if scaled else rewards, args.bounds, args.gbpo_temperature
            )
        else:
            target = group_sign_target(group_median_advantages(rewards, scaled), args.bounds, args.gbpo_temperature)
        metrics["median"].append(group_median(rewards).mean().item())
        metrics["target_ratio"].append(target.mean().item())
        return group_advantages(rewards, scaled), target

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Return the loss of a mini-batch: GBPO's, the KL to the reference, the entropy bonus and that of a router."""
        mask = inputs["completion_mask"] * inputs.get("tool_mask", 1)
        log_probs, entropies, aux_loss = self._forward(model, inputs)
        log_ratio = log_probs - inputs.get("old_per_token_logps", log_probs.detach())
        target = inputs["target_ratio"].unsqueeze(1)

        effective_mask = mask
        if self.top_entropy_quantile < 1.0:
            effective_mask = mask * self.get_high_entropy_mask(entropies, mask, 1.0 - self.top_entropy_quantile)
        losses = gbpo_loss(log_ratio, target, inputs["advantages"].unsqueeze(1), effective_mask, "none")
        if "importance_sampling_ratio" in inputs:  # of vLLM's probabilities
            losses = losses * inputs["importance_sampling_ratio"]
        metrics = token_metrics(log_ratio, target, self.args.bounds) | {"entropy": entropies}
        if self.beta != 0.0:
            log_reference_ratio = inputs["ref_per_token_logps"] - log_probs
            metrics["kl"] = log_reference_ratio.exp() - log_reference_ratio - 1.0
            weight = token_ratio(log_ratio) if self.args.use_bias_correction_kl else 1.0
            losses = losses + self.beta * weight * metrics["kl"]

        steps = self.current_gradient_accumulation_steps if self.model.training else 1
        if self.loss_type == "dapo":
            loss = (losses * mask).sum() / self._num_tokens(inputs)
        else:
            loss = aggregate(losses, mask, AGGREGATIONS[self.loss_type], self.max_completion_length) / steps
        if self.entropy_coef != 0.0:
            loss = loss - self.entropy_coef * aggregate(entropies, effective_mask) / steps
        if aux_loss is not None:
            loss = loss + self.router_aux_loss_coef * aux_loss / steps
        self._log(metrics, mask)
        return loss

    def _forward(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the log-probabilities and entropies of the completions' tokens, and the loss of a router."""
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        known = set(inspect.signature(GRPOTrainer._get_per_token_logps_and_entropies).parameters)
        return self._get_per_token_logps_and_entropies(
            model,
            ids,
            attention,
            inputs["completion_ids"].shape[1],
            compute_entropy=True,
            compute_aux_loss=self.aux_loss_enabled,
            **{name: value for name, value in inputs.items() if name in known},  # images
        )

    def _num_tokens(self, inputs: dict[str, Any]) -> torch.Tensor:
        """Return the tokens of a process in an optimizer step; TRL counts those of all in a generation batch."""
        tokens = inputs["num_items_in_batch"].clamp(min=1.0) / self.accelerator.num_processes
        if not self.model.training:
            return tokens
        return tokens * self.current_gradient_accumulation_steps / self.args.steps_per_generation

    def _log(self, values: dict[str, torch.Tensor], mask: torch.Tensor) -> None:
        """Log means over the tokens of all processes."""
        sums = torch.stack([(value.detach() * mask).sum() for value in [*values.values(), torch.ones_like(mask)]])
        *totals, count = self.accelerator.reduce(sums, reduction="sum").tolist()
        for name, total in zip(values, totals, strict=True):
            self._metrics["train" if self.model.training else "eval"][name].append(total / max(count, 1.0))


def _refusing_empty(rollout: Callable[[list, Any], dict[str, Any]]) -> Callable[[list, Any], dict[str, Any]]:
    """Return a rollout function that refuses completions without a token, which have no loss."""

    def checked(prompts: list, trainer: Any) -> dict[str, Any]:
        output = rollout(prompts, trainer)
        for row, ids in enumerate(output.get("completion_ids", ())):
            if len(ids) == 0:
                raise ValueError(f"Completion {row} of rollout_func has no token: let it end with the end token.")
        return output

    return checked
