# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The recordings of the authors' implementation of GBPO, as tensors in float64.

The environment variable ISAACLAB_BPO_GBPO_GOLDEN_DIR names another folder of recordings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isaaclab_bpo.brrl import RatioBounds

FOLDER = Path(os.environ.get("ISAACLAB_BPO_GBPO_GOLDEN_DIR", Path(__file__).parents[1] / "data" / "golden" / "gbpo"))
FILES = sorted(FOLDER.glob("*.npz"))


class Recording:
    """A mini-batch that went through the authors' functions: inputs, settings and results."""

    def __init__(self, file: Path) -> None:
        with np.load(file) as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}

    def __getattr__(self, name: str) -> Any:
        """Return an array as a tensor, a scalar as a Python value."""
        array = self._arrays[name]
        return torch.from_numpy(array).clone() if array.ndim else array.item()

    @property
    def bounds(self) -> RatioBounds:
        return RatioBounds(1.0 - self.clip_low, 1.0 + self.clip_high)

    @property
    def names(self) -> list[str]:
        """The group of each row."""
        return self._arrays["group"].tolist()

    def groups(self) -> list[torch.Tensor]:
        """Return the rows of each group."""
        names = np.array(self.names)
        return [torch.from_numpy(np.flatnonzero(names == name)) for name in np.unique(names)]
