# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From the losses of samples to the loss."""

from __future__ import annotations

from typing import Literal

import torch

from ._checks import check_choice

Reduction = Literal["mean", "sum", "none"]
"""What becomes of the samples' losses, as in torch: their mean, their sum, or "none", the losses themselves."""


def reduce(losses: torch.Tensor, reduction: Reduction) -> torch.Tensor:
    """Return the mean or the sum of losses, or the losses themselves."""
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    return losses if reduction == "none" else getattr(losses, reduction)()
