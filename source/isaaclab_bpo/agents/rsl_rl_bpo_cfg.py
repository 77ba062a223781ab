# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of BPO for Isaac Lab's rsl_rl workflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, Literal

import torch
from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg
from isaaclab_tasks.utils import PresetCfg, preset


@configclass
class RslRlBpoAlgorithmCfg(RslRlPpoAlgorithmCfg):
    """Configuration of the BPO algorithm. Defaults are what the paper uses for all robots."""

    class_name: str = "isaaclab_bpo.algorithms:BPO"
    """The algorithm class."""

    # BPO

    temperature: float = 0.01
    """Softness λ > 0 of the optimal ratio ρ*, in units of return."""

    median: Literal["critic", "batch", "value"] = "critic"
    """Estimator of the median μ of Q: a critic of its own, V + the batch's median advantage, or V itself."""

    median_head: Literal["separate", "shared"] = "separate"
    """Whether the median critic is a network of its own, or a second output layer of the critic."""

    loss: Literal["atv", "tv", "log_tv", "mse", "kl"] = "atv"
    """Divergence between policy and optimum: advantage-weighted total variation (the paper's), or a variant."""

    online_advantage: bool = True
    """Whether |Q - V| with the current V weights the loss, or else the advantages of the rollout, normalized."""

    online_median: bool = True
    """Whether ρ* takes the median from the current networks, or from those with which the targets were computed."""

    refresh_targets: bool = True
    """Whether values, returns and advantages are computed anew at the start of every epoch after the first."""

    median_temperature: float | None = None
    """Smoothing T > 0 of the median critic's loss, in units of return; None is 1 with clip_param, else λ."""

    median_loss_coef: float = 1.0
    """Coefficient of the median critic's loss."""

    tv_coef: float = 0.0
    """Coefficient of an additional, unweighted total variation."""

    joint_grad_clipping: bool = False
    """Whether max_grad_norm bounds the gradients of all networks together, or those of each network."""

    ratio_lower: float | None = None
    """Lower ratio bound c_l in [0, 1), set together with ratio_upper and with clip_param=null."""

    ratio_upper: float | None = None
    """Upper ratio bound c_h > 1; μ is then the quantile of Q at level (c_h - 1)/(c_h - c_l)."""

    accelerate: bool | None = None
    """Whether to take the faster path, the same up to rounding; None takes it where it is known to help (the CPU)."""

    max_consecutive_skips: int = 100
    """Training stops when as many mini-batches in a row had to be skipped, because something was not finite."""

    # PPO

    num_learning_epochs: int = 5
    num_mini_batches: int = 4
    learning_rate: float = 1.0e-3
    schedule: str = "adaptive"
    gamma: float = 0.99
    lam: float = 0.95
    entropy_coef: float = 0.0
    desired_kl: float = 0.01
    max_grad_norm: float = 1.0
    value_loss_coef: float = 1.0
    use_clipped_value_loss: bool = False

    clip_param: float | None = 0.2  # type: ignore[assignment]
    """Half-width ε of the ratio bounds [1 - ε, 1 + ε]; None if ratio_lower and ratio_upper set them."""


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

    Networks, schedule and all hyperparameters that the algorithms share are kept; those of BPO alone take their
    defaults, and the value loss is not clipped. The experiment's name gets the suffix ``_bpo``.

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
