# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Spaces of Gymnasium, as rsl_rl's networks observe and act in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Space


def observation_groups(space: Space) -> dict[str, Box]:
    """Return the observation groups of rsl_rl that a space makes up: the entries of a ``Dict``, or one named "policy".

    Raises:
        ValueError: If one of them is not a ``Box``.
    """
    groups = space.spaces if isinstance(space, Dict) else {"policy": space}
    for name, group in groups.items():
        if not isinstance(group, Box):
            raise ValueError(f"The observation {name!r} is in {group}, but rsl_rl's networks observe a Box.")
    return groups  # type: ignore[return-value]


def is_image(space: Box) -> bool:
    """Whether a space holds images, which keep their integers: pixels in rows and columns, with channels or without."""
    return space.dtype == np.uint8 and len(space.shape) in (2, 3)


def observation_reader(space: Box) -> Callable[[np.ndarray], torch.Tensor]:
    """Return the function that makes a batch of a space's observations a tensor.

    Images, of integers and of real numbers, become channels-first: of the first and the last axis, the shorter one is
    taken for the channels. An image without channels gets one. Whatever is no image becomes 32-bit floats.
    """
    dtype = torch.uint8 if is_image(space) else torch.float32
    if dtype == torch.uint8 and len(space.shape) == 2:
        return lambda array: torch.as_tensor(array).unsqueeze(1)
    if len(space.shape) == 3 and space.shape[2] < space.shape[0]:
        return lambda array: torch.as_tensor(array, dtype=dtype).permute(0, 3, 1, 2)
    return lambda array: torch.as_tensor(array, dtype=dtype)


def factors(space: Space) -> list[int] | None:
    """Return how many actions there are to choose from in each factor of a discrete space; None if it is continuous.

    Raises:
        ValueError: If policies cannot act in the space.
    """
    if isinstance(space, Box):
        return None
    if isinstance(space, Discrete):
        return [int(space.n)]
    if isinstance(space, MultiDiscrete):
        return space.nvec.flatten().tolist()
    raise ValueError(f"The action space is {space}, but BPO and PPO act in a Box, a Discrete or a MultiDiscrete.")


def action_reader(space: Space) -> Callable[[torch.Tensor], np.ndarray]:
    """Return the function that makes a batch of a policy's actions, of two axes, actions of a space.

    In a ``Box`` they are clipped to its bounds. In a discrete space they are one-hot, one block for each factor.
    """
    if isinstance(space, Box):
        return lambda actions: np.clip(actions.cpu().numpy().reshape(-1, *space.shape), space.low, space.high)
    blocks = factors(space) or []
    start, shape = space.start, space.shape or ()  # type: ignore[attr-defined]  # of both discrete spaces

    def integers(actions: torch.Tensor) -> np.ndarray:
        chosen = torch.stack([block.argmax(-1) for block in actions.split(blocks, -1)], -1)
        return chosen.cpu().numpy().reshape(-1, *shape) + start

    return integers
