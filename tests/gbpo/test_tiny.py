# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tiny model: its tokenizer, its size and its sums."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("transformers", reason="needs the extra isaaclab_bpo[gbpo]")

from isaaclab_bpo.gbpo import tiny


def test_tokenizer_takes_the_box_as_one_token_and_gives_the_text_back() -> None:
    tokenizer = tiny.make_tokenizer()
    ids = tokenizer("12+34=\\boxed{46}<eos>").input_ids
    assert len(ids) == 6 + 1 + 2 + 1 + 1
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == "12+34=\\boxed{46}"


def test_model_is_small() -> None:
    assert tiny.make_model(tiny.make_tokenizer()).num_parameters() < 2_000_000


def test_sums_are_right_but_for_the_mistakes() -> None:
    def right(mistakes: float) -> float:
        rows = tiny.make_sums(2000, torch.Generator().manual_seed(0), mistakes)
        sums = [sum(map(int, row["prompt"].removesuffix("=").split("+"))) for row in rows]
        return sum(str(true) == row["answer"] for true, row in zip(sums, rows, strict=True)) / len(rows)

    assert right(0.0) == 1.0
    assert right(0.4) == pytest.approx(0.6, abs=0.04)
