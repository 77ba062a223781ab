# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Test-time reinforcement learning as the paper does it: its settings, and a trainer with them.

Reference: Ao et al., arXiv:2604.18578, Figure 8 and the appendix on GBPO.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import GRPOConfig, GRPOTrainer

from .trl import GBPOConfig, GBPOTrainer
from .ttrl import boxed_answer, same_answer

Algorithm = Literal["gbpo", "grpo"]

_SHARED = {"epsilon": 0.3, "beta": 0.001, "loss_type": "bnpo", "use_bias_correction_kl": False, "report_to": "none"}
_PAPER = _SHARED | {
    "learning_rate": 5e-7,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,  # below 1 it is a fraction of the steps
    "weight_decay": 0.01,
    "num_iterations": 10,
    "temperature": 1.0,
    "max_completion_length": 3072,
    "num_generations": 64,
    # 8 prompts are 512 completions, of which 256 are trained on: 128 micro-batches of 2, 32 of which make a step
    "generation_batch_size": 512,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 32,
    "gradient_checkpointing": True,
    "logging_steps": 40,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "aime": _PAPER | {"entropy_coef": 0.005},
    "amc": _PAPER | {"entropy_coef": 0.0},
    "tiny": _SHARED
    | {
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "num_iterations": 4,
        "max_completion_length": 6,
        "num_generations": 16,
        "generation_batch_size": 256,
        "per_device_train_batch_size": 64,
        "max_steps": 256,
        "logging_steps": 16,
        "save_strategy": "no",
        "disable_tqdm": True,
    },
}
"""Values of TRL's options. "tiny" is ours, for a CPU, the others are the paper's."""

VOTES = {"aime": 64, "amc": 64, "tiny": 16}
"""Completions of a prompt that vote."""
TRAINED = {"aime": 32, "amc": 32, "tiny": None}
"""Completions of a prompt that GBPO trains on; None for all. GRPO of TRL trains on all."""


def make_trainer(
    algo: Algorithm,
    model: PreTrainedModel | str,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    reward: Callable[..., list[float]],
    settings: dict[str, Any],
) -> GRPOTrainer:
    """Return a trainer of GBPO or, to compare with, of GRPO.

    Args:
        algo: The algorithm.
        model: The model, or where it is.
        tokenizer: Its tokenizer.
        rows: The questions, each with ``prompt`` and ``answer``.
        reward: A reward function of TRL's.
        settings: Fields of TRL's configuration, such as those of :data:`SETTINGS`.
    """
    trainer, config = (GBPOTrainer, GBPOConfig) if algo == "gbpo" else (GRPOTrainer, GRPOConfig)
    precision = {} if torch.cuda.is_available() else {"bf16": False, "use_cpu": True}
    args = config(**precision | settings)
    return trainer(model, reward, args, train_dataset=Dataset.from_list(list(rows)), processing_class=tokenizer)


@torch.no_grad()
def sampled_accuracy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    max_new_tokens: int,
    samples: int = 16,
    temperature: float = 0.6,
    top_p: float = 0.95,
) -> float:
    """Return the fraction of sampled answers that are right, with the paper's settings of sampling.

    Args:
        model: The model.
        tokenizer: Its tokenizer, which pads on the left.
        rows: The questions, each with ``prompt`` (a text or messages) and ``answer``.
        max_new_tokens: The longest answer.
        samples: Answers to each question.
        temperature: Of sampling.
        top_p: Of sampling.
    """
    was_training, right = model.training, 0
    model.eval()
    for row in rows:
        prompt = row["prompt"]
        if not isinstance(prompt, str):
            prompt = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        tokens = tokenizer(prompt, return_tensors="pt", add_special_tokens=isinstance(row["prompt"], str))
        outputs = model.generate(
            **tokens.to(model.device),
            do_sample=True,
            num_return_sequences=samples,
            temperature=temperature,
            top_p=top_p,
            top_k=0,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
        texts = tokenizer.batch_decode(outputs[:, tokens.input_ids.shape[1] :], skip_special_tokens=True)
        right += sum(same_answer(boxed_answer(text), str(row["answer"])) for text in texts)
    model.train(was_training)
    return right / (samples * len(rows))
