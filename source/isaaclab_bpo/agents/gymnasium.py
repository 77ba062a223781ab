# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO and PPO on environments of Gymnasium, by what is seen and done in them (``data/gymnasium.toml``).

Where there are images, networks and hyperparameters are those of the paper's runs on Atari. PPO has BPO's hidden layer
of 256 after the encoder, too, which theirs lacks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from isaaclab_rl.rsl_rl import RslRlOnPolicyRunnerCfg

    from .rsl_rl_bpo_cfg import RslRlBpoRunnerCfg

NUM_ENVS = 8
"""Environments that collect a rollout."""

_HYPERPARAMETERS = tomllib.loads((Path(__file__).parent / "data" / "gymnasium.toml").read_text(encoding="utf-8"))


def bpo_cfg(
    env_id: str, images: bool, nvec: list[int] | None, groups: Sequence[str] = ("policy",)
) -> RslRlBpoRunnerCfg:
    """Return the configuration of BPO.

    Args:
        env_id: Id of the environment, which names the experiment.
        images: Whether there are images among the observations.
        nvec: How many actions there are to choose from in each factor of a discrete action space; an empty list stands
            for a single factor, however large, and None for continuous actions.
        groups: Observation groups that all networks see.
    """
    from .rsl_rl_bpo_cfg import RslRlBpoAlgorithmCfg, RslRlBpoRunnerCfg

    runner, algorithm = _fields("bpo", images, nvec, groups)
    name = f"{_experiment_name(env_id)}_bpo"
    return RslRlBpoRunnerCfg(**runner, experiment_name=name, algorithm=RslRlBpoAlgorithmCfg(**algorithm))


def ppo_cfg(
    env_id: str, images: bool, nvec: list[int] | None, groups: Sequence[str] = ("policy",)
) -> RslRlOnPolicyRunnerCfg:
    """Return the configuration of PPO; arguments as for :func:`bpo_cfg`."""
    from isaaclab_rl.rsl_rl import RslRlOnPolicyRunnerCfg

    from .rsl_rl_bpo_cfg import RslRlPaperPpoAlgorithmCfg

    runner, algorithm = _fields("ppo", images, nvec, groups)
    return RslRlOnPolicyRunnerCfg(
        **runner, experiment_name=_experiment_name(env_id), algorithm=RslRlPaperPpoAlgorithmCfg(**algorithm)
    )


def _experiment_name(env_id: str) -> str:
    """Return the name of an environment's folder."""
    return env_id.lower().replace("/", "_")


def _fields(
    algorithm: str, images: bool, nvec: list[int] | None, groups: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the runner's and of the algorithm's configuration."""
    from isaaclab_rl.rsl_rl import RslRlMLPModelCfg

    from .rsl_rl_bpo_cfg import RslRlCategoricalCfg, RslRlNatureCNNModelCfg

    preset = _HYPERPARAMETERS["images" if images else "vectors"]
    fields = {"desired_kl": None} | {key: value for key, value in preset.items() if not isinstance(value, dict)}
    fields |= preset[algorithm]
    network = {key: fields.pop(key) for key in ("hidden_dims", "activation")}
    num_steps, steps = fields.pop("num_steps_per_env"), fields.pop("steps")
    model = RslRlNatureCNNModelCfg if images else RslRlMLPModelCfg
    distribution = (
        RslRlMLPModelCfg.GaussianDistributionCfg(init_std=1.0, std_type="log")
        if nvec is None
        else RslRlCategoricalCfg(nvec=nvec or None)
    )
    runner = {
        # Small networks are faster beside the environments
        "device": "cuda:0" if images and torch.cuda.is_available() else "cpu",
        "num_steps_per_env": num_steps,
        "max_iterations": steps // (NUM_ENVS * num_steps),
        "save_interval": 500,
        "init_at_random_ep_len": False,
        "obs_groups": {"actor": list(groups), "critic": list(groups)},
        "actor": model(**network, distribution_cfg=distribution),
        "critic": model(**network),
    }
    return runner, fields
