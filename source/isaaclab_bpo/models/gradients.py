# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Gradient clipping of several networks at once."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def clip_gradients(networks: Iterable[Iterable[nn.Parameter]], max_norm: float, joint: bool) -> torch.Tensor:
    """Scale gradients down to a largest norm, and return the norms that they had, shape (networks,).

    Args:
        networks: The parameters of each network.
        max_norm: The largest norm.
        joint: Whether it bounds the norm of all networks together, as in the authors' code, or that of each.
    """
    # torch.nn.utils.clip_grad_norm_ of each network, with one call for all norms and one for all factors
    gradients = [[p.grad for p in parameters if p.grad is not None] for parameters in networks]
    of_tensors = torch.stack(torch._foreach_norm([g for part in gradients for g in part]))  # type: ignore
    norms = torch.stack([torch.linalg.vector_norm(part) for part in of_tensors.split([len(g) for g in gradients])])
    bounded = torch.linalg.vector_norm(norms).expand_as(norms) if joint else norms
    factors = (max_norm / (bounded + 1e-6)).clamp(max=1.0)
    for part, factor in zip(gradients, factors, strict=True):
        torch._foreach_mul_(part, factor)  # type: ignore[reportPrivateImportUsage]
    return norms
