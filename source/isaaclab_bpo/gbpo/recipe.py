# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Test-time reinforcement learning as the paper does it: its settings, and a trainer with them.

Reference: Ao et al., arXiv:2604.18578, Figure 8 and the appendix on GBPO.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from matplotlib.figure import Figure
from transformers.modeling_utils import PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from . import tiny
from .trl import GBPOConfig, GBPOTrainer
from .ttrl import MajorityVote, boxed_answer, same_answer

TINY_QUESTIONS = tiny.make_sums(64, torch.Generator().manual_seed(7))
"""Sums that the tiny model is improved on."""

Algorithm = Literal["gbpo", "grpo"]
CONFIGS: dict[Algorithm, type[GRPOConfig]] = {"gbpo": GBPOConfig, "grpo": GRPOConfig}
"""The configurations by algorithm."""

_SHARED = {"epsilon": 0.3, "beta": 0.001, "loss_type": "bnpo", "use_bias_correction_kl": False, "report_to": "none"}
_PAPER = _SHARED | {
    "learning_rate": 5e-7,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,  # below 1 it is a fraction of the steps
    "weight_decay": 0.01,
    "num_iterations": 10,
    "temperature": 1.0,
    "max_completion_length": 3072,
    "num_generations": 64,  # which vote
    "num_trained": 32,  # of them, by GBPO; GRPO of TRL trains on all
    # 8 prompts are 512 completions, of which 256 are trained on: 128 micro-batches of 2, 32 of which make a step
    "generation_batch_size": 512,
    "model_init_kwargs": {"dtype": "float32"},  # in bfloat16 steps this small would be lost
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
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "disable_tqdm": True,
    },
}
"""Values of TRL's options. "tiny" is ours, for a CPU, the others are the paper's."""


def defaults(algo: Algorithm, name: str) -> dict[str, Any]:
    """Return the settings of a name in :data:`SETTINGS` that an algorithm's configuration has, for this machine."""
    precision: dict[str, Any] = {} if torch.cuda.is_available() else {"bf16": False, "use_cpu": True}
    known = {field.name for field in fields(CONFIGS[algo])}
    return {field: value for field, value in (SETTINGS[name] | precision).items() if field in known}


def make_trainer(
    model: PreTrainedModel | str,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    reward: Callable[..., list[float]],
    args: GRPOConfig,
) -> GRPOTrainer:
    """Return a trainer of GBPO or, to compare with, of GRPO, according to the class of its configuration.

    Args:
        model: The model, or where it is.
        tokenizer: Its tokenizer.
        rows: The questions, each with ``prompt`` and ``answer``.
        reward: A reward function of TRL's.
        args: The configuration, with the settings of :func:`defaults`.
    """
    trainer: Any = GBPOTrainer if isinstance(args, GBPOConfig) else GRPOTrainer
    return trainer(model, reward, args, train_dataset=Dataset.from_list(list(rows)), processing_class=tokenizer)


def improve(
    model: str, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, Any]], args: GRPOConfig, samples: int
) -> tuple[tuple[float, float], list[tuple[int, float]]]:
    """Train a model by majority vote and save it.

    Args:
        model: The folder or the Hub id of the model to start from.
        tokenizer: Its tokenizer.
        rows: The questions. Their answers are used for measuring, not for training.
        args: The configuration, with the settings of :func:`defaults`.
        samples: Answers to each question that the accuracy is measured with; 0 to not measure it.

    Returns:
        The accuracies before and after, and that of the answers which were trained on, with the optimizer's steps.
    """
    trainer = make_trainer(model, tokenizer, rows, MajorityVote(args.num_generations or 0), args)

    def accuracy() -> float:
        longest = args.max_completion_length or 0
        return sampled_accuracy(trainer.model, tokenizer, rows, longest, samples) if samples else math.nan

    before = accuracy()
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    trainer.save_model()
    curve = [(int(entry["step"]), entry["accuracy"]) for entry in trainer.state.log_history if "accuracy" in entry]
    return (before, accuracy()), curve


def plot_accuracy(curves: dict[str, list[tuple[int, float]]], file: Path) -> None:
    """Draw the accuracy of the answers that were trained on over the optimizer's steps.

    Args:
        curves: Steps and accuracies by algorithm.
        file: Where the picture goes.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for algo, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), label=algo.upper())
    axes.set(xlabel="optimizer steps", ylabel="accuracy of the sampled answers", ylim=(0, 1))
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


@torch.no_grad()
def sampled_accuracy(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    max_new_tokens: int,
    samples: int = 16,
    batch: int = 16,
    temperature: float = 0.6,
    top_p: float = 0.95,
) -> float:
    """Return the fraction of sampled answers that are right, with the paper's settings of sampling.

    Args:
        model: The model, a transformers' one for generation.
        tokenizer: Its tokenizer, which pads on the left.
        rows: The questions, each with ``prompt`` (a text or messages) and ``answer``.
        max_new_tokens: The longest answer.
        samples: Answers to each question.
        batch: Questions at a time.
        temperature: Of sampling.
        top_p: Of sampling.
    """

    def text(prompt: str | list[dict[str, str]]) -> str:
        if isinstance(prompt, str):
            return prompt
        return str(tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True))

    was_training, right = model.training, 0
    model.eval()
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        tokens = tokenizer([text(row["prompt"]) for row in some], return_tensors="pt", padding=True)
        outputs: Any = model.generate(
            **tokens.to(model.device),  # type: ignore[arg-type]
            do_sample=True,
            num_return_sequences=samples,
            temperature=temperature,
            top_p=top_p,
            top_k=0,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
        answers = tokenizer.batch_decode(outputs[:, tokens["input_ids"].shape[1] :], skip_special_tokens=True)
        right += sum(
            same_answer(boxed_answer(answer), str(some[index // samples]["answer"]))
            for index, answer in enumerate(answers)
        )
    model.train(was_training)
    return right / (samples * len(rows))
