# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trainers of the tiny model without pretraining, for tests.

Run as a program (``torchrun``), it takes an optimizer step on given completions and saves the parameters.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import set_seed
from trl.trainer.grpo_trainer import GRPOTrainer

from isaaclab_bpo.gbpo import tiny
from isaaclab_bpo.gbpo.trl import GBPOConfig, GBPOTrainer

TOKENIZER = tiny.make_tokenizer()
ROWS = [{"prompt": f"{number}+{number}=", "answer": str(2 * number)} for number in range(11, 19)]


def digits(completions: list[str], **_: Any) -> list[float]:
    """Reward: how many characters of a completion are digits."""
    return [float(sum(map(str.isdigit, text))) for text in completions]


def short(completions: list[str], **_: Any) -> list[float]:
    """Reward: the shorter the better."""
    return [-float(len(text)) for text in completions]


def make_trainer(folder: Path, reward: Any = digits, trainer: type[GRPOTrainer] = GBPOTrainer, **options: Any) -> Any:
    """Return a trainer of a model that :func:`save_model` made, with small settings of one's own."""
    settings: dict[str, Any] = {
        "num_generations": 4,
        "per_device_train_batch_size": 8,
        "max_completion_length": 6,
        "learning_rate": 1e-3,
        "max_steps": 4,
        "logging_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
    }
    kwargs = {name: options.pop(name) for name in ("rollout_func", "peft_config", "eval_dataset") if name in options}
    config = GBPOConfig(str(folder / "run"), **settings | options)
    return trainer(
        model=save_model(folder),
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_list(ROWS),
        processing_class=TOKENIZER,
        **kwargs,
    )


def save_model(folder: Path) -> str:
    """Make a model with random weights, once, and return where it is."""
    path = folder / "model"
    if not path.exists():
        set_seed(0)
        tiny.make_model(TOKENIZER).save_pretrained(path)
    return str(path)


def given_completions(prompts: list[str], trainer: Any) -> dict[str, Any]:
    """Roll out completions that depend on the prompt and on how many of it were before, not on a random number."""
    before = trainer.accelerator.process_index * len(prompts)
    ids = []
    for row, prompt in enumerate(prompts):
        generator = torch.Generator().manual_seed(int(prompt[:2]) * 100 + (before + row) % trainer.num_generations)
        length = int(torch.randint(1, 6, (), generator=generator))
        ids.append([*torch.randint(3, 17, (length,), generator=generator).tolist(), 1])
    return {"prompt_ids": [TOKENIZER(prompt).input_ids for prompt in prompts], "completion_ids": ids, "logprobs": None}


def main(folder: Path, loss_type: str, per_device: int) -> None:
    """Take steps and save the parameters."""
    trainer = make_trainer(
        folder,
        loss_type=loss_type,
        per_device_train_batch_size=per_device,
        optim="sgd",
        learning_rate=0.1,
        max_steps=2,
        num_iterations=2,
        beta=0.1,
        shuffle_dataset=False,
        max_grad_norm=0.0,
        rollout_func=given_completions,
        ddp_backend="gloo",
    )
    trainer.train()
    if trainer.accelerator.is_main_process:
        torch.save(
            trainer.accelerator.unwrap_model(trainer.model).state_dict(), folder / f"{loss_type}_{per_device}.pt"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
