# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The pure functions reproduce the authors' implementation of GBPO, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gbpo.recordings import FILES, Recording
from isaaclab_bpo.brrl import (
    aggregate,
    gbpo_loss,
    group_advantages,
    group_median_advantages,
    group_sign_target,
    token_metrics,
)

EXACT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}


def test_there_are_recordings() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_functions_reproduce_the_recording(file: Path) -> None:
    case = Recording(file)
    rewards = case.rewards.double()
    advantages, median_advantages = torch.empty_like(rewards), torch.empty_like(rewards)
    for rows in case.groups():
        advantages[rows] = group_advantages(rewards[rows], case.norm_by_std)
        median_advantages[rows] = group_median_advantages(rewards[rows], case.norm_by_std)
    targets = group_sign_target(median_advantages, case.bounds, case.gbpo_temperature)
    mask = case.response_mask
    torch.testing.assert_close(advantages.unsqueeze(1) * mask, case.advantages, **EXACT)
    recorded = case.target_adv * case.gbpo_temperature  # theirs is divided already
    torch.testing.assert_close(median_advantages.unsqueeze(1) * mask, recorded, **EXACT)
    torch.testing.assert_close((targets.unsqueeze(1) * mask), case.target_ratio * mask, **EXACT)

    log_probs = case.log_prob.requires_grad_()
    log_ratio, columns = log_probs - case.old_log_prob, (targets.unsqueeze(1), advantages.unsqueeze(1))
    loss = gbpo_loss(log_ratio, *columns, mask, case.aggregation)
    (gradient,) = torch.autograd.grad(loss, log_probs)
    torch.testing.assert_close(loss.item(), case.loss, **EXACT)
    torch.testing.assert_close(gradient, case.grad_log_prob, **EXACT)
    for name, values in token_metrics(log_ratio, columns[0], case.bounds).items():
        if name != "ratio_deviation":  # which is ours
            torch.testing.assert_close(aggregate(values, mask).item(), getattr(case, name), **EXACT)
