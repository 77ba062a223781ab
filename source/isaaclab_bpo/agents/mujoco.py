# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO and PPO on Gymnasium's MuJoCo tasks, with the hyperparameters of the paper's runs (``data/mujoco.toml``).

As in those runs, neither observations nor returns are normalized, the learning rate is fixed, and initial weights are
orthogonal. A rollout is as long as theirs, but four environments collect it, where they had one or four.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isaaclab_rl.rsl_rl import RslRlOnPolicyRunnerCfg

    from .rsl_rl_bpo_cfg import RslRlBpoRunnerCfg

NUM_ENVS = 4
"""Environments that collect a rollout."""

_HYPERPARAMETERS = tomllib.loads((Path(__file__).parent / "data" / "mujoco.toml").read_text(encoding="utf-8"))

MUJOCO_TASKS = tuple(name for name, value in _HYPERPARAMETERS["bpo"].items() if isinstance(value, dict))
"""Names of the tasks, without a version."""


def bpo_cfg(task: str) -> RslRlBpoRunnerCfg:
    """Return the configuration of BPO.

    Args:
        task: A name in :data:`MUJOCO_TASKS`.
    """
    from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg, RslRlBpoRunnerCfg

    runner, algorithm = _hyperparameters("bpo", task)
    return RslRlBpoRunnerCfg(
        **runner, experiment_name=f"{task.lower()}_bpo", algorithm=RslRlBpoAlgorithmCfg(**algorithm)
    )


def ppo_cfg(task: str) -> RslRlOnPolicyRunnerCfg:
    """Return the configuration of PPO.

    Args:
        task: A name in :data:`MUJOCO_TASKS`.
    """
    from isaaclab_rl.rsl_rl import RslRlOnPolicyRunnerCfg

    from .rsl_rl_bpo_cfg import RslRlPaperPpoAlgorithmCfg

    runner, algorithm = _hyperparameters("ppo", task)
    return RslRlOnPolicyRunnerCfg(
        **runner, experiment_name=task.lower(), algorithm=RslRlPaperPpoAlgorithmCfg(**algorithm)
    )


def _hyperparameters(algorithm: str, task: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the runner's and of the algorithm's configuration."""
    from isaaclab_rl.rsl_rl import RslRlMLPModelCfg

    common = {key: value for key, value in _HYPERPARAMETERS[algorithm].items() if not isinstance(value, dict)}
    fields = common | _HYPERPARAMETERS[algorithm][task]
    rollout, batch, steps = (fields.pop(key) for key in ("rollout", "batch", "steps"))
    gaussian = RslRlMLPModelCfg.GaussianDistributionCfg(init_std=1.0, std_type="log")
    network: dict[str, Any] = {"class_name": "isaaclab_bpo.models:OrthogonalMLPModel"}
    network |= {"hidden_dims": [256, 256], "activation": "relu"}
    runner = {
        "device": "cpu",  # the environments are there, and the networks are small
        "num_steps_per_env": rollout // NUM_ENVS,
        "max_iterations": steps // rollout,
        "save_interval": 500,
        "init_at_random_ep_len": False,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": RslRlMLPModelCfg(**network, distribution_cfg=gaussian),
        "critic": RslRlMLPModelCfg(**network),
    }
    return runner, fields | {"num_mini_batches": rollout // batch, "schedule": "fixed", "desired_kl": None}
