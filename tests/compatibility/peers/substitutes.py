# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A plugin of pytest with which rsl_rl's own tests test BPO, its storage and its runner."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import rsl_rl.algorithms.ppo
import rsl_rl.runners.on_policy_runner
import rsl_rl.storage.rollout_storage
from rsl_rl.models import MLPModel

from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.algorithms.median import MedianCritic, MedianEstimator
from isaaclab_bpo.algorithms.options import BpoOptions
from isaaclab_bpo.runners import DurableRunner
from isaaclab_bpo.storage import BpoRolloutStorage

CANNOT_HOLD: dict[str, str] = tomllib.loads(Path(__file__).with_name("cannot_hold.toml").read_text())


class BpoByPposArguments(BPO):
    """BPO that is also constructed as those tests construct PPO."""

    def __init__(
        self,
        actor: MLPModel,
        critic: MLPModel,
        storage: BpoRolloutStorage,
        median: MedianEstimator | None = None,
        options: BpoOptions | None = None,
        **settings: Any,
    ) -> None:
        if options is None:
            names = [option.name for option in fields(BpoOptions) if option.name in settings]
            options = BpoOptions(**{name: settings.pop(name) for name in names})
        super().__init__(actor, critic, storage, median or MedianCritic(copy.deepcopy(critic)), options, **settings)


for package, module, name, ours in (
    (rsl_rl.algorithms, rsl_rl.algorithms.ppo, "PPO", BpoByPposArguments),
    (rsl_rl.storage, rsl_rl.storage.rollout_storage, "RolloutStorage", BpoRolloutStorage),
    (rsl_rl.runners, rsl_rl.runners.on_policy_runner, "OnPolicyRunner", DurableRunner),
):
    setattr(package, name, ours)
    setattr(module, name, ours)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what cannot hold, and refuse to leave out what is not there."""
    if unknown := CANNOT_HOLD.keys() - {item.nodeid for item in items}:
        raise pytest.UsageError(f"cannot_hold.toml lists what rsl_rl does not test: {', '.join(sorted(unknown))}")
    items[:] = [item for item in items if item.nodeid not in CANNOT_HOLD]
