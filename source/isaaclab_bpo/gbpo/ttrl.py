# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

r"""Test-time rewards: the answer that most completions of a prompt give is taken for the right one.

Answers are what stands in the last ``\boxed{…}``, read and compared by math-verify. The functions have the signature of
TRL's reward functions. That a vote sees its whole group takes a batch per process of whole groups.

Reference: Zuo et al., "TTRL: Test-Time Reinforcement Learning", arXiv:2504.16084.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from latex2sympy2_extended.math_normalization import extract_boxed_content
from math_verify import LatexExtractionConfig, parse, verify

Completion = str | list[dict[str, str]]
"""A completion as TRL passes it: its text, or messages, of which the last one holds it."""


def boxed_answer(completion: Completion) -> str | None:
    r"""Return what stands in the last ``\boxed{…}``, or None if that is no expression."""
    text = completion if isinstance(completion, str) else completion[-1]["content"]
    _, box, content = text.rpartition("\\boxed")  # of several boxes, the library may join the last ones
    if not box:
        return None
    answer = extract_boxed_content(box + content).strip()
    return answer if _parse(answer) else None


@lru_cache(maxsize=1 << 16)
def _parse(answer: str) -> tuple[Any, ...]:
    """Return an answer as math-verify reads it: an expression and its text, or nothing."""
    parsed = parse(f"\\boxed{{{answer}}}", [LatexExtractionConfig()])
    return tuple(parsed) if len(parsed) == 2 else ()  # it returns the text alone where it finds no expression


@lru_cache(maxsize=1 << 16)
def same_answer(one: str | None, other: str | None) -> bool:
    """Whether two answers are the same number or expression; None is none."""
    if one is None or other is None:
        return False
    return one == other or verify(list(_parse(one)), list(_parse(other)))


def majority(answers: Sequence[str | None]) -> tuple[str | None, list[bool]]:
    """Return the answer that was given most often, the first seen among equals, and who gave it.

    Args:
        answers: Answers of a group, None where there is none.

    Returns:
        The answer in its first seen form, None if there is no answer at all, and for each of ``answers`` whether it is
        that.
    """
    kinds: list[str] = []
    votes: list[int | None] = []
    for answer in answers:
        kind = next((index for index, known in enumerate(kinds) if same_answer(known, answer)), None)
        if kind is None and answer is not None:
            kind = len(kinds)
            kinds.append(answer)
        votes.append(kind)
    if not kinds:
        return None, [False] * len(answers)
    winner = max(range(len(kinds)), key=votes.count)  # of equals, the first
    return kinds[winner], [vote == winner for vote in votes]


class MajorityVote:
    """Reward of 1 for the answer that most of the group give, and 0 for the others, without knowing the right one.

    Where the data set has a column ``answer``, three fractions are logged: of completions that are right
    (``accuracy``), of votes that found the right answer (``label_accuracy``), and always of completions that voted for
    the winner (``majority_ratio``).

    Args:
        votes: Completions of a prompt, TRL's ``num_generations``.
    """

    __name__ = "majority_vote"  # which TRL logs the reward under

    def __init__(self, votes: int) -> None:
        self.votes = votes

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        answer: Sequence[str] | None = None,
        log_metric: Callable[[str, float], None] = lambda name, value: None,
        **_: Any,
    ) -> list[float]:
        """Return the rewards of completions, those of a prompt one after another."""
        groups = [slice(start, start + self.votes) for start in range(0, len(prompts), self.votes)]
        if any(len(prompts[group]) != self.votes or _differ(prompts[group]) for group in groups):
            raise ValueError(
                f"A vote needs the {self.votes} completions of a prompt on one process: let "
                "per_device_train_batch_size x steps_per_generation be a multiple of num_generations."
            )
        given, rewards = [boxed_answer(completion) for completion in completions], []
        for group in groups:
            label, agree = majority(given[group])
            rewards += map(float, agree)
            log_metric("majority_ratio", sum(agree) / self.votes)
            if answer is not None:
                log_metric("label_accuracy", float(same_answer(label, str(answer[group.start]))))
        if answer is not None:
            log_accuracy(given, answer, log_metric)
        return rewards


def right_answer(
    completions: Sequence[Completion],
    answer: Sequence[str],
    log_metric: Callable[[str, float], None] = lambda name, value: None,
    **_: Any,
) -> list[float]:
    """Return a reward of 1 for each right answer and 0 for each other: supervision, to compare the vote with."""
    given = [boxed_answer(completion) for completion in completions]
    log_accuracy(given, answer, log_metric)
    return [float(same_answer(one, str(true))) for one, true in zip(given, answer, strict=True)]


def log_accuracy(given: Sequence[str | None], answer: Sequence[str], log_metric: Callable[[str, float], None]) -> None:
    """Log the fraction of right answers."""
    right = [same_answer(one, str(true)) for one, true in zip(given, answer, strict=True)]
    log_metric("accuracy", sum(right) / len(right))


def _differ(prompts: Sequence[Any]) -> bool:
    return any(prompt != prompts[0] for prompt in prompts)
