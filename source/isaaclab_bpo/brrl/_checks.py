# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checks at the entry of the public functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_CHECK_VALUES: ContextVar[bool] = ContextVar("check_values", default=True)


@contextmanager
def unchecked_values() -> Iterator[None]:
    """Leave out the checks of tensors' values inside the block; types, shapes and devices are still checked.

    Whether a tensor holds a non-finite number is only known once the device has computed it. A training loop on a GPU
    that must not wait for that calls the functions inside this block.
    """
    token = _CHECK_VALUES.set(False)
    try:
        yield
    finally:
        _CHECK_VALUES.reset(token)


def check_tensors(**tensors: torch.Tensor) -> None:
    """Check that all arguments are finite floating-point tensors of one shape, on one device.

    Args:
        **tensors: The arguments under their names; the first one sets the shape and the device.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If shapes or devices differ, or a value is not finite.
    """
    (first_name, first), *_ = tensors.items()
    for name, tensor in tensors.items():
        check_float(name, tensor)
        if tensor.shape != first.shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, but {first_name} has {tuple(first.shape)}.")
        if tensor.device != first.device:
            raise ValueError(f"{name} is on {tensor.device}, but {first_name} is on {first.device}.")


def check_float(name: str, tensor: torch.Tensor) -> None:
    """Check that an argument is a finite floating-point tensor.

    Raises:
        TypeError: If it is not a floating-point tensor.
        ValueError: If a value is not finite.
    """
    if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
        kind = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {kind}.")
    check_values(name, tensor, torch.isfinite, "must be finite")


def check_values(name: str, tensor: torch.Tensor, valid: Callable[[torch.Tensor], torch.Tensor], rule: str) -> None:
    """Check a condition on all values of a tensor, except inside :func:`unchecked_values`.

    Args:
        name: Name of the argument.
        tensor: The argument.
        valid: Function of the tensor that returns a Boolean tensor.
        rule: The condition in words, to follow the name.

    Raises:
        ValueError: If a value violates it.
    """
    if _CHECK_VALUES.get() and not (ok := valid(tensor)).all():
        raise ValueError(f"{name} {rule}, but {int((~ok).sum())} of {ok.numel()} values are not valid.")


def check_probabilities(name: str, tensor: torch.Tensor) -> None:
    """Check that an argument holds probability distributions along its last dimension.

    Raises:
        TypeError: If it is not a floating-point tensor.
        ValueError: If a probability is negative or a distribution does not sum to 1.
    """
    check_float(name, tensor)
    check_values(name, tensor, lambda p: p >= 0.0, "must not be negative")
    tolerance = 8.0 * tensor.shape[-1] * torch.finfo(tensor.dtype).eps
    check_values(
        name, tensor.sum(dim=-1), lambda s: (s - 1.0).abs() <= tolerance, "must sum to 1 over the last dimension"
    )


def check_number(name: str, value: float, *, low: float, high: float = math.inf, open_low: bool = False) -> None:
    """Check that a number is finite and in [low, high], or in (low, high] with ``open_low``.

    Raises:
        ValueError: If it is not.
    """
    if not (math.isfinite(value) and value <= high and (value > low if open_low else value >= low)):
        left, right = "(" if open_low else "[", ")" if math.isinf(high) else "]"
        raise ValueError(f"{name} must be a finite number in {left}{low:g}, {high:g}{right}, got {value}.")
