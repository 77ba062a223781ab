# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A game that is learned from pixels in seconds."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

SIZE = 20
"""Height and width [pixels]."""


class Catch(gymnasium.Env):
    """A ball falls straight down, and a paddle of three pixels catches it, for a reward of 1, or not, for -1."""

    observation_space = Box(0, 255, (SIZE, SIZE, 1), np.uint8)
    action_space = Discrete(3, start=-1)  # pixels to the right

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.row, self.ball = 0, int(self.np_random.integers(SIZE))
        self.paddle = int(self.np_random.integers(1, SIZE - 1))
        return self._draw(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict]:
        self.row += 1
        self.paddle = min(max(self.paddle + action, 1), SIZE - 2)
        ended = self.row == SIZE - 1
        caught = abs(self.paddle - self.ball) <= 1
        return self._draw(), (1.0 if caught else -1.0) if ended else 0.0, ended, False, {}

    def _draw(self) -> np.ndarray:
        image = np.zeros((SIZE, SIZE, 1), np.uint8)
        image[self.row, self.ball] = 255
        image[-1, self.paddle - 1 : self.paddle + 2] = 255
        return image


gymnasium.register("Catch-v0", f"{__name__}:Catch")
