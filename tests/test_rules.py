# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rules: which values are valid, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest
from rsl_rl.utils import resolve_nn_activation, resolve_optimizer

from isaaclab_bpo.rules import BOOLEAN, Rule, accepted_by, errors_of, integer, known_to, number, one_of, optional

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("rule", "valid", "invalid"),
    [
        (number(0.0), [0, 0.0, 1e30], [-1e-9, NAN, INF, True, "1", None]),
        (number(0.0, 1.0, open_low=True), [1e-9, 1], [0.0, 1.1, NAN]),
        (number(0.0, 1.0, open_high=True), [0.0, 0.99], [1.0, -0.1]),
        (integer(1), [1, 10**9], [0, 1.0, True, "1", None]),
        (integer(-1, 3), [-1, 3], [-2, 4]),
        (one_of("a", "b"), ["a", "b"], ["c", "", None, ["a"]]),
        (optional(integer(1)), [None, 1], [0, "none"]),
        (BOOLEAN, [True, False], [0, 1, "true", None]),
    ],
)
def test_rules_tell_valid_from_invalid(rule: Rule, valid: list[Any], invalid: list[Any]) -> None:
    is_valid, text = rule
    assert text
    assert [value for value in valid if not is_valid(value)] == []
    assert [value for value in invalid if is_valid(value)] == []


def test_errors_name_field_value_and_choices() -> None:
    rules = {"gamma": number(0.0, 1.0), "loss": one_of("atv", "tv"), "steps": integer(1)}
    assert errors_of({"gamma": 1.5, "loss": "tv", "unknown": 3}, rules, "agent.") == [
        "agent.gamma=1.5 is not valid: it must be a number in [0, 1]."
    ]
    assert errors_of({"steps": 0, "loss": "x"}, rules) == [
        "loss='x' is not valid: it must be one of atv, tv.",
        "steps=0 is not valid: it must be an integer >= 1.",
    ]


@pytest.mark.parametrize("resolve", [resolve_nn_activation, resolve_optimizer])
def test_names_that_rsl_rl_knows_are_listed_and_valid(resolve: Any) -> None:
    is_valid, text = known_to(resolve)
    names = text[text.index("[") + 1 : text.index("]")].replace("'", "").split(", ")
    assert len(names) > 3
    assert all(is_valid(name) and is_valid(name.upper()) for name in names)
    assert not any(is_valid(name) for name in ("", "nonsense", 3, None, True))


def test_an_empty_list_is_no_crash() -> None:
    is_valid, _ = accepted_by(lambda value: value[0], "a list that is not empty")
    assert not is_valid([])


def test_an_error_of_another_kind_is_not_taken_for_a_refusal() -> None:
    is_valid, _ = accepted_by(lambda value: 1 / value, "a divisor")
    with pytest.raises(ZeroDivisionError):
        is_valid(0)
