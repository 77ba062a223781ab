# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of BPO for Isaac Lab's rsl_rl workflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import torch
from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg
from isaaclab_tasks.utils import PresetCfg, preset

from isaaclab_bpo.algorithms.options import BpoOptions, PpoOptions

MAX_ENTROPY_COEF = 0.001
"""Largest coefficient of the entropy on the paper's robots. With PPO's settings, and so 0.01, BPO did not learn Go1."""


@configclass
class RslRlBpoAlgorithmCfg(BpoOptions, RslRlPpoAlgorithmCfg):  # pyright: ignore[reportIncompatibleVariableOverride]
    """Configuration of the BPO algorithm. Defaults are what the paper uses for all robots, but for ``desired_kl``."""

    class_name: str = "isaaclab_bpo.algorithms:BPO"
    """The algorithm class."""

    num_learning_epochs: int = 5
    num_mini_batches: int = 4
    learning_rate: float = 1.0e-3
    schedule: str = "adaptive"
    gamma: float = 0.99
    lam: float = 0.95
    entropy_coef: float = 0.0
    max_grad_norm: float = 1.0
    value_loss_coef: float = 1.0


@configclass
class RslRlPaperPpoAlgorithmCfg(PpoOptions, RslRlPpoAlgorithmCfg):
    """Configuration of PPO with the options of the paper's runs."""

    class_name: str = "isaaclab_bpo.algorithms:PPO"
    """The algorithm class."""


@configclass
class RslRlCategoricalCfg(RslRlMLPModelCfg.DistributionCfg):
    """Configuration of discrete actions."""

    class_name: str = "isaaclab_bpo.models:CategoricalDistribution"
    """The distribution class."""

    nvec: list[int] | None = None
    """How many actions there are to choose from in each factor; None is one factor, of all columns."""


@configclass
class RslRlNatureCNNModelCfg(RslRlMLPModelCfg):
    """Configuration of networks that see images."""

    class_name: str = "isaaclab_bpo.models:NatureCNNModel"
    """The model class."""

    orthogonal_init: bool = True
    """Whether layers are initialized orthogonally, as in the paper's runs on Atari."""


@configclass
class RslRlBpoRunnerCfg(RslRlOnPolicyRunnerCfg):
    """Configuration of rsl_rl's on-policy runner with BPO. The device is the CPU where there is no CUDA device."""

    algorithm: RslRlBpoAlgorithmCfg = RslRlBpoAlgorithmCfg()  # type: ignore[assignment]
    """The algorithm configuration."""

    check_for_nan: bool = False
    """Whether rsl_rl's runner ends the run at the first NaN of the environment; BPO itself leaves such samples out."""

    keep_last: int | None = None
    """How many checkpoints to keep; None keeps all. Under :class:`isaaclab_bpo.runners.DurableRunner`."""

    def __post_init__(self) -> None:
        if not torch.cuda.is_available():
            self.device = "cpu"


def bpo_from_ppo(ppo_cfg: RslRlOnPolicyRunnerCfg | PresetCfg) -> RslRlBpoRunnerCfg | PresetCfg:
    """Return the configuration that trains with BPO what ``ppo_cfg`` trains with PPO.

    Networks, schedule and all hyperparameters that the algorithms share are kept, but the coefficient of the entropy is
    at most :data:`MAX_ENTROPY_COEF`. Those of BPO alone take their defaults, and the value loss is not clipped. The
    experiment's name gets the suffix ``_bpo``.

    Args:
        ppo_cfg: Runner configuration of a task, or a choice among several.

    Returns:
        The runner configuration for BPO, or the same choice among several.

    Raises:
        ValueError: If ``ppo_cfg`` does not configure PPO.
    """
    if isinstance(ppo_cfg, PresetCfg):
        return _map_preset(bpo_from_ppo, ppo_cfg)
    algorithm = ppo_cfg.algorithm
    if ppo_cfg.class_name != "OnPolicyRunner" or algorithm.class_name != "PPO":
        raise ValueError(
            f"BPO takes the place of PPO, but this task trains with {algorithm.class_name} under {ppo_cfg.class_name}."
        )
    bpo = RslRlBpoAlgorithmCfg(**_given(RslRlPpoAlgorithmCfg, algorithm, but=("class_name", "use_clipped_value_loss")))
    bpo.entropy_coef = min(bpo.entropy_coef, MAX_ENTROPY_COEF)
    cfg = RslRlBpoRunnerCfg(**_given(RslRlOnPolicyRunnerCfg, ppo_cfg, but=("algorithm",)), algorithm=bpo)
    cfg.experiment_name = _map_preset("{}_bpo".format, cfg.experiment_name)
    return cfg


def _given(cls: type, cfg: Any, but: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of ``cls`` that have a value in ``cfg``, except some."""
    values = {field.name: getattr(cfg, field.name) for field in fields(cls) if field.name not in but}
    return {name: value for name, value in values.items() if not isinstance(value, type(MISSING))}


def _map_preset(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to a value, or to each alternative if the value is a choice that is not made yet."""
    if isinstance(value, PresetCfg):
        return preset(**{field.name: function(getattr(value, field.name)) for field in fields(value)})
    return function(value)
