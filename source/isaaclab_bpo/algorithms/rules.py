# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rules: what values a field of a configuration may take, as a test and in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from rsl_rl.utils import resolve_callable

Rule = tuple[Callable[[Any], bool], str]
"""The test of a value, and the valid values in words."""


def problems_of(values: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str = "") -> list[str]:
    """Return a sentence for each value that breaks its rule, with the field, the value and the valid choices.

    Args:
        values: Values by name. Names without a rule are not judged.
        rules: Rules by name.
        prefix: What the sentences put in front of a name.
    """
    return [
        f"{prefix}{name}={values[name]!r} is not valid: it must be {text}."
        for name, (valid, text) in rules.items()
        if name in values and not valid(values[name])
    ]


def number(low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False) -> Rule:
    """Return the rule of a finite number in an interval, which includes its ends unless they are ``open``."""

    def valid(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return (
            is_number and low <= value <= high and not (open_low and value == low) and not (open_high and value == high)
        )

    if math.isinf(high):
        return valid, f"a finite number {'>' if open_low else '>='} {low:g}"
    return valid, f"a number in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def integer(low: int, high: int | None = None) -> Rule:
    """Return the rule of an integer from ``low`` to ``high``."""

    def valid(value: Any) -> bool:
        return (
            isinstance(value, int) and not isinstance(value, bool) and low <= value and (high is None or value <= high)
        )

    return valid, f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"


def one_of(*choices: str) -> Rule:
    """Return the rule of a string that is one of ``choices``."""
    return lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}"


def optional(rule: Rule) -> Rule:
    """Return the rule that also allows None."""
    valid, text = rule
    return lambda value: value is None or valid(value), f"{text}, or null"


def list_of(rule: Rule, what: str) -> Rule:
    """Return the rule of a list, not empty, whose items obey ``rule``; ``what`` says so in words."""
    valid, _ = rule

    def valid_list(value: Any) -> bool:
        return isinstance(value, list | tuple) and len(value) > 0 and all(valid(item) for item in value)

    return valid_list, f"a list, not empty, of {what}"


def one_or_list_of(rule: Rule, what: str) -> Rule:
    """Return the rule of a value that obeys ``rule``, or a list of such values."""
    (valid, text), (valid_list, text_list) = rule, list_of(rule, what)
    return lambda value: valid(value) or valid_list(value), f"{text}, or {text_list}"


def interval(low: float) -> Rule:
    """Return the rule of a pair of finite numbers in ascending order, the first not less than ``low``."""
    is_number, _ = number(low)

    def valid(value: Any) -> bool:
        return (
            isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]
        )

    return valid, f"two finite numbers {'' if math.isinf(low) else f'>= {low:g} '}in ascending order"


def class_named(base: type, example: str) -> Rule:
    """Return the rule of a name, as rsl_rl resolves it, of a class derived from ``base``."""

    def valid(value: Any) -> bool:
        try:
            found = resolve_callable(value)
        except (TypeError, ValueError, ImportError, AttributeError):
            return False
        return isinstance(found, type) and issubclass(found, base)

    return valid, f"the name of a class derived from rsl_rl's {base.__name__}, such as {example} or package.module:Name"


def _is_callable_name(value: Any) -> bool:
    try:
        return callable(resolve_callable(value))
    except (TypeError, ValueError, ImportError, AttributeError):
        return False


def _is_device(value: Any) -> bool:
    try:
        return isinstance(value, str) and torch.device(value) is not None
    except RuntimeError:
        return False


BOOLEAN: Rule = (lambda value: isinstance(value, bool), "true or false")
TEXT: Rule = (lambda value: isinstance(value, str), "a text")
NAME: Rule = (lambda value: isinstance(value, str) and value != "", "a text, not empty")
DEVICE: Rule = (_is_device, "a device of torch, such as cpu or cuda:0")
FUNCTION: Rule = (_is_callable_name, "a function, or its name in the form package.module:name")
