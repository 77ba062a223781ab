# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rules of values that only whole configurations hold: lists, pairs, names of classes and functions, devices."""

from __future__ import annotations

import math
from typing import Any

import torch
from rsl_rl.utils import resolve_callable

from isaaclab_bpo.algorithms.options import Rule, number


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


TEXT: Rule = (lambda value: isinstance(value, str), "a text")
NAME: Rule = (lambda value: isinstance(value, str) and value != "", "a text, not empty")
DEVICE: Rule = (_is_device, "a device of torch, such as cpu or cuda:0")
FUNCTION: Rule = (_is_callable_name, "a function, or its name in the form package.module:name")
