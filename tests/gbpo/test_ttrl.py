# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Answers, their equality, and the vote."""

from __future__ import annotations

import pytest

pytest.importorskip("math_verify", reason="needs the extra isaaclab_bpo[gbpo]")

from isaaclab_bpo.gbpo.ttrl import MajorityVote, boxed_answer, majority, right_answer, same_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so it is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("first \\boxed{1}. No, wait: \\boxed{3}", "3"),
        ("\\boxed{1} and \\boxed{3}", "3"),
        ("the answer is 5", None),
        ("\\boxed{}", None),
        ("\\boxed{", None),
        ("", None),
    ],
)
def test_answer_is_the_last_box(text: str, answer: str | None) -> None:
    assert boxed_answer(text) == answer
    assert boxed_answer([{"role": "assistant", "content": text}]) == answer


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.5", "\\frac12", True),
        ("1,234", "1234", True),
        ("x+1", "1+x", True),
        ("(1,2)", "(2,1)", False),
        ("7", "8", False),
        (None, None, False),
        ("7", None, False),
    ],
)
def test_answers_are_compared_as_mathematics(one: str | None, other: str | None, same: bool) -> None:
    assert same_answer(one, other) is same


def test_majority_counts_equal_answers_together() -> None:
    label, agree = majority(["0.5", "3", "\\frac{1}{2}", "3", "1/2", None])
    assert label == "0.5"
    assert agree == [True, False, True, False, True, False]


def test_tie_goes_to_the_first_seen() -> None:
    assert majority([None, "2", "1", "1", "2"]) == ("2", [False, True, False, False, True])


def test_nothing_parsable_is_no_majority() -> None:
    assert majority([None, None]) == (None, [False, False])


def box(*answers: object) -> list[str]:
    return [f"\\boxed{{{answer}}}" for answer in answers]


def test_vote_rewards_and_logs() -> None:
    logged: dict[str, list[float]] = {}
    rewards = MajorityVote(4)(
        prompts=["a"] * 4 + ["b"] * 4,
        completions=[*box(1, 1, 2, 1), *box(5, 6, 6), "none"],
        answer=["1"] * 4 + ["5"] * 4,
        log_metric=lambda name, value: logged.setdefault(name, []).append(value),
    )
    assert rewards == [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    assert logged == {"majority_ratio": [0.75, 0.5], "label_accuracy": [1.0, 0.0], "accuracy": [0.5]}


def test_vote_does_without_true_answers() -> None:
    assert MajorityVote(2)(prompts=["a", "a"], completions=box(1, 1)) == [1.0, 1.0]


@pytest.mark.parametrize("prompts", [["a"] * 3, ["a", "a", "b", "b"]])
def test_split_group_is_a_sentence(prompts: list[str]) -> None:
    with pytest.raises(ValueError, match="A vote needs the 4 completions of a prompt on one process"):
        MajorityVote(4)(prompts=prompts, completions=box(*range(len(prompts))))


def test_supervision() -> None:
    assert right_answer(completions=[*box(1, 2), "2"], answer=["1", "1", "2"]) == [1.0, 0.0, 0.0]
