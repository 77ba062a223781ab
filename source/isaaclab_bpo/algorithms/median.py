# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The estimators of the median μ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def is_like(median_critic: nn.Module | None, saved: Any) -> bool:
    """Return whether a saved median critic is of the kind of ours: both networks, or both output layers of the critic.

    Args:
        median_critic: Our median critic; None if there is none.
        saved: The saved state dict; None if there is none.
    """
    if median_critic is None or saved is None:
        return False
    is_layer = isinstance(saved, Mapping) and saved.keys() == {"weight", "bias"}
    return is_layer == isinstance(median_critic, nn.Linear)


def fit_optimizer_state(optimizer: torch.optim.Optimizer, state: Any) -> dict:
    """Fit the saved state of BPO's or PPO's optimizer to that of the other; a second group is the median critic's.

    Learning rates and moments are the saved ones. All else, such as Adam's betas, stays as the optimizer has it.

    Args:
        optimizer: The optimizer that will load the state.
        state: The saved state.

    Returns:
        A state for ``optimizer``; nothing is changed in place.
    """
    own = optimizer.state_dict()["param_groups"]
    saved = state["param_groups"][: len(own)]
    if len(saved) > 1 and len(saved[1]["params"]) != len(own[1]["params"]):
        saved = saved[:1]  # a median critic of another kind
    rates = [group["lr"] for group in saved] + [saved[0]["lr"]] * (len(own) - len(saved))
    params = [group["params"] for group in saved] + [group["params"] for group in own[len(saved) :]]
    kept = {index for group in saved for index in group["params"]}
    moments = {index: dict(values) for index, values in state["state"].items() if index in kept}
    for values in moments.values():
        # Where Adam keeps it, unless fused or capturable: on the GPU each step would wait for it
        if isinstance(values.get("step"), torch.Tensor) and values["step"].is_cuda:
            values["step"] = values["step"].cpu()
    groups = [{**group, "lr": rate, "params": p} for group, rate, p in zip(own, rates, params, strict=True)]
    return {"state": moments, "param_groups": groups}
