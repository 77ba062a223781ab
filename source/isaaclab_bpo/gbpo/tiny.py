# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A language model for a CPU: a Qwen2 of under a million parameters that adds two numbers, right often but not always.

It is made on the spot: a character tokenizer, and next-token prediction on sums, the last of which are often wrong.
It learns the distribution of the answers: a sample is about as often right as those sums, and a majority more often.
"""

from __future__ import annotations

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed

LOWEST, HIGHEST = 10, 29
"""The range of the numbers."""
MAX_COMPLETION = 6
"""Tokens of the longest answer, that of three digits."""
_ERRORS = torch.tensor([-10, -2, -1, 1, 2, 10])


def make_tokenizer() -> PreTrainedTokenizerFast:
    r"""Return a tokenizer of digits, "+", "=", "}" and "\boxed{"."""
    vocabulary = ["<pad>", "<eos>", "<unk>", *"0123456789+=}", "\\boxed{"]
    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\\boxed\{|."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    special = {"pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>", "padding_side": "left"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Return a model with random weights."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config)


def make_pretrained(seed: int = 0) -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerFast]:
    """Return the model, which adds, and its tokenizer."""
    set_seed(seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    pretrain(model, tokenizer, seed=seed)
    return model, tokenizer


def make_sums(count: int, generator: torch.Generator, mistakes: float = 0.0) -> list[dict[str, str]]:
    """Return sums as rows of a data set, each with ``prompt`` and ``answer``.

    Args:
        count: How many.
        generator: Where the numbers come from.
        mistakes: Fraction of the answers that are wrong.
    """
    numbers = torch.randint(LOWEST, HIGHEST + 1, (count, 2), generator=generator)
    errors = _ERRORS[torch.randint(len(_ERRORS), (count,), generator=generator)]
    errors = errors * (torch.rand(count, generator=generator) < mistakes)
    answers = numbers.sum(dim=1) + errors
    return [
        {"prompt": f"{a}+{b}=", "answer": str(c)} for (a, b), c in zip(numbers.tolist(), answers.tolist(), strict=True)
    ]


def pretrain(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    steps: int = 900,
    mistakes: float = 0.45,
    seed: int = 0,
    learning_rate: float = 3e-3,
    batch: int = 64,
) -> None:
    """Train a model to predict the next token of sums.

    Args:
        model: The model, trained in place.
        tokenizer: Its tokenizer.
        steps: Optimizer steps.
        mistakes: Fraction of the sums that are wrong, in the last 30 % of the steps. Before it learns to add.
        seed: Of the sums.
        learning_rate: Largest learning rate; it rises for a tenth of the steps and falls to zero.
        batch: Sums in a step.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    model.train()
    for step in range(steps):
        sums = make_sums(batch, generator, mistakes if step >= 0.7 * steps else 0.0)  # to add first, then to err
        texts = [f"{row['prompt']}\\boxed{{{row['answer']}}}<eos>" for row in sums]
        tokens = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
        labels = tokens.input_ids.masked_fill(tokens.attention_mask == 0, -100)
        loss = model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
