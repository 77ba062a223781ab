# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rules: what values a field of a configuration may take, as a test and in words."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Rule = tuple[Callable[[Any], bool], str]
"""The test of a value, and the valid values in words."""


def number(low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False) -> Rule:
    """Return the rule of a finite number in an interval, which includes its ends unless they are ``open``."""

    def valid(value: Any) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return False
        return (low < value if open_low else low <= value) and (value < high if open_high else value <= high)

    if math.isinf(high):
        return valid, f"a finite number {'>' if open_low else '>='} {low:g}"
    return valid, f"a number in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def integer(low: int, high: int | None = None) -> Rule:
    """Return the rule of an integer from ``low`` to ``high``."""

    def valid(value: Any) -> bool:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return is_integer and low <= value and (high is None or value <= high)

    return valid, f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"


def one_of(*choices: str) -> Rule:
    """Return the rule of a string that is one of ``choices``."""
    return lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}"


def optional(rule: Rule) -> Rule:
    """Return the rule that also allows None."""
    valid, text = rule
    return lambda value: value is None or valid(value), f"{text}, or null"


def accepted_by(judge: Callable[[Any], object], text: str) -> Rule:
    """Return the rule of a value for which ``judge`` does not return False and raises no error."""

    def valid(value: Any) -> bool:
        try:
            return judge(value) is not False
        except (TypeError, ValueError, LookupError, ImportError, AttributeError, RuntimeError):
            return False

    return valid, text


def known_to(resolve: Callable[[Any], object]) -> Rule:
    """Return the rule of a name that one of rsl_rl's resolvers knows."""
    try:
        resolve("")
    except ValueError as error:  # which lists the names
        text = f"a name that rsl_rl knows ({str(error).rpartition('. ')[2]})"
    else:
        text = "a name that rsl_rl knows"
    return accepted_by(resolve, text)


BOOLEAN: Rule = (lambda value: isinstance(value, bool), "true or false")


def errors_of(values: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str = "") -> list[str]:
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


def unknown_names(
    names: Iterable[str], built: type, others: Iterable[str] = (), bpo: Iterable[str] = (), prefix: str = ""
) -> list[str]:
    """Return a sentence for each name of a setting that a class does not take, with the closest one that it takes.

    Args:
        names: Names of settings.
        built: The class, whose arguments include those of its bases.
        others: What it is told beside its arguments.
        bpo: The options of BPO, which a sentence calls so.
        prefix: What the sentences put in front of a name.
    """
    parameters = (it for base in built.__mro__[:-1] for it in inspect.signature(base.__init__).parameters.values())
    known = {it.name for it in parameters if it.kind in (it.POSITIONAL_OR_KEYWORD, it.KEYWORD_ONLY)}.union(others)
    errors = []
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = ", it is one of BPO." if name in bpo else f": did you mean {close[0]}?" if close else "."
            errors.append(f"{prefix}{name} is not a setting of {built.__name__}{hint}")
    return errors
