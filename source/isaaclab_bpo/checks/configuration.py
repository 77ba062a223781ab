# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a whole runner configuration may hold: runner, networks, algorithm, extensions, and all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.modules import Distribution

from isaaclab_bpo.algorithms.options import (
    BOOLEAN,
    ConfigurationError,
    Rule,
    errors_of,
    integer,
    number,
    one_of,
    option_errors,
    optional,
)

from .rules import DEVICE, FUNCTION, NAME, TEXT, class_named, interval, list_of, one_or_list_of

_is_activation, _activations = one_of(
    *("elu", "selu", "relu", "crelu", "lrelu", "tanh", "sigmoid", "softplus", "gelu", "swish", "mish", "identity")
)
_ACTIVATION: Rule = (lambda value: isinstance(value, str) and _is_activation(value.lower()), _activations)
_WIDTHS = list_of((lambda value: value == -1 or integer(1)[0](value), ""), "integers >= 1 (-1: the number of inputs)")

RUNNER_RULES: dict[str, Rule] = {
    "seed": integer(-1, 2**32 - 1),
    "device": DEVICE,
    "num_steps_per_env": integer(1),
    "max_iterations": integer(0),
    "init_at_random_ep_len": BOOLEAN,
    "save_interval": integer(1),
    "keep_last": optional(integer(1)),
    "check_for_nan": BOOLEAN,
    "clip_actions": optional(number(0.0, open_low=True)),
    "torch_compile_mode": optional(one_of("default", "max-autotune-no-cudagraphs")),
    "experiment_name": NAME,
    "run_name": TEXT,
    "wandb_project": NAME,
    "neptune_project": NAME,
    "resume": BOOLEAN,
    "load_run": TEXT,
    "load_checkpoint": TEXT,
}
"""The rules of the runner's own fields; of the logger and the observation groups see below."""

MODEL_RULES: dict[str, Rule] = {
    "class_name": class_named(MLPModel, "MLPModel"),
    "hidden_dims": _WIDTHS,
    "activation": _ACTIVATION,
    "obs_normalization": BOOLEAN,
    "rnn_type": one_of("lstm", "gru"),
    "rnn_hidden_dim": integer(1),
    "rnn_num_layers": integer(1),
}
"""The rules of a network, and with them those of a recurrent one."""

DISTRIBUTION_RULES: dict[str, Rule] = {
    "class_name": class_named(Distribution, "GaussianDistribution"),
    "init_std": number(0.0, open_low=True),
    "std_type": one_of("scalar", "log"),
    "std_range": interval(0.0),
    "learn_std": BOOLEAN,
    "action_range": interval(-math.inf),
}
"""The rules of the distribution of the actions."""

CNN_RULES: dict[str, Rule] = {
    "output_channels": list_of(integer(1), "integers >= 1"),
    "kernel_size": one_or_list_of(integer(1), "them"),
    "stride": one_or_list_of(integer(1), "them"),
    "dilation": one_or_list_of(integer(1), "them"),
    "padding": one_of("none", "zeros", "reflect", "replicate", "circular"),
    "norm": one_or_list_of(one_of("none", "batch", "layer"), "them"),
    "activation": _ACTIVATION,
    "max_pool": one_or_list_of(BOOLEAN, "them"),
    "global_pool": one_of("none", "max", "avg"),
    "flatten": BOOLEAN,
}
"""The rules of a convolutional encoder."""

RND_RULES: dict[str, Rule] = {
    "weight": number(0.0),
    "num_outputs": integer(1),
    "predictor_hidden_dims": _WIDTHS,
    "target_hidden_dims": _WIDTHS,
    "activation": _ACTIVATION,
    "state_normalization": BOOLEAN,
    "reward_normalization": BOOLEAN,
    "learning_rate": number(0.0, open_low=True),
}
"""The rules of random network distillation."""

WEIGHT_SCHEDULE_RULES: dict[str, Rule] = {
    "mode": one_of("constant", "linear", "step"),
    "initial_step": integer(0),
    "final_step": integer(0),
    "final_value": number(0.0),
}
"""The rules of the schedule of random network distillation's weight."""

SYMMETRY_RULES: dict[str, Rule] = {
    "use_data_augmentation": BOOLEAN,
    "use_mirror_loss": BOOLEAN,
    "data_augmentation_func": FUNCTION,
    "mirror_loss_coeff": number(0.0),
}
"""The rules of symmetry augmentation."""


def configuration_errors(
    cfg: Mapping[str, Any], num_envs: int | None = None, observations: Iterable[str] | None = None
) -> list[str]:
    """Return what is wrong with the configuration of rsl_rl's on-policy runner, all errors at once.

    Args:
        cfg: The configuration, with the keys "actor", "critic" and "algorithm".
        num_envs: Number of environments, if it is to train with them.
        observations: Names of the environment's observation groups, if they are known.

    Returns:
        A sentence for each problem that names the field, the value and the valid choices; empty if all is well.
    """
    errors = errors_of(cfg, RUNNER_RULES) + _logger_errors(cfg) + _observation_errors(cfg, observations)
    for name in ("actor", "critic"):
        errors += _model_errors(name, cfg.get(name))
    algorithm = cfg.get("algorithm")
    if not isinstance(algorithm, Mapping):
        return [*errors, _not_fields("algorithm", algorithm)]
    errors += errors_of(algorithm, {"class_name": class_named(PPO, "PPO")}, "algorithm.")
    errors += [f"algorithm.{problem}" for problem in option_errors(algorithm)]
    errors += _rnd_errors(algorithm.get("rnd_cfg")) + _symmetry_errors(algorithm.get("symmetry_cfg"))
    return errors + _joint_errors(cfg, algorithm, num_envs)


def check_configuration(
    cfg: Mapping[str, Any], num_envs: int | None = None, observations: Iterable[str] | None = None
) -> None:
    """Refuse a configuration with any of :func:`configuration_errors`.

    Args:
        cfg: Configuration of rsl_rl's on-policy runner.
        num_envs: Number of environments, if it is to train with them.
        observations: Names of the environment's observation groups, if they are known.

    Raises:
        ConfigurationError: If anything is wrong with it.
    """
    errors = configuration_errors(cfg, num_envs, observations)
    if errors:
        raise ConfigurationError(" ".join(errors))


def is_recurrent(cfg: Mapping[str, Any]) -> bool:
    """Whether the actor or the critic of a configuration is recurrent."""
    names = [cfg[name].get("class_name") for name in ("actor", "critic") if isinstance(cfg.get(name), Mapping)]
    return any(str(name).endswith("RNNModel") for name in names)


def _not_fields(path: str, value: Any) -> str:
    return f"{path}={value!r} is not valid: it must hold the fields of a configuration."


def _section_errors(path: str, value: Any, rules: Mapping[str, Rule], required: tuple[str, ...] = ()) -> list[str]:
    """Judge the fields of a part of the configuration."""
    if not isinstance(value, Mapping):
        return [_not_fields(path, value)]
    missing = [f"{path}.{name} is not set: it must be {rules[name][1]}." for name in required if name not in value]
    return missing + errors_of(value, rules, f"{path}.")


def _logger_errors(cfg: Mapping[str, Any]) -> list[str]:
    logger = cfg.get("logger", "tensorboard")
    known = ("tensorboard", "wandb", "neptune")
    if logger in known or (isinstance(logger, Mapping) and isinstance(logger.get("class_name"), str)):
        return []
    return [f"logger={logger!r} is not valid: it must be one of {', '.join(known)}."]


def _observation_errors(cfg: Mapping[str, Any], observations: Iterable[str] | None) -> list[str]:
    """Judge which observation groups each network sees."""
    groups = cfg.get("obs_groups", {})
    if not isinstance(groups, Mapping):
        return [f"obs_groups={groups!r} is not valid: it must map actor and critic to lists of observation groups."]
    errors = errors_of(groups, {name: list_of(NAME, "observation groups") for name in groups}, "obs_groups.")
    if errors or observations is None:
        return errors
    available = list(observations)
    return [
        f"obs_groups.{name}={list(chosen)!r} names {group!r}, which the environment does not have: "
        f"its observation groups are {', '.join(available)}."
        for name, chosen in groups.items()
        for group in chosen
        if group not in available
    ]


def _model_errors(name: str, model: Any) -> list[str]:
    errors = _section_errors(name, model, MODEL_RULES)
    if not isinstance(model, Mapping):
        return errors
    distribution = model.get("distribution_cfg")
    if distribution is not None:
        errors += _section_errors(f"{name}.distribution_cfg", distribution, DISTRIBUTION_RULES, ("class_name",))
    elif name == "actor":
        errors.append("actor.distribution_cfg=None is not valid: the actor needs a distribution to explore with.")
    cnn = model.get("cnn_cfg")
    if cnn is not None:
        per_group = isinstance(cnn, Mapping) and cnn and all(isinstance(value, Mapping) for value in cnn.values())
        parts = (
            {f"{name}.cnn_cfg.{group}": part for group, part in cnn.items()} if per_group else {f"{name}.cnn_cfg": cnn}
        )
        for path, part in parts.items():
            errors += _section_errors(path, part, CNN_RULES, ("output_channels", "kernel_size"))
    return errors


def _rnd_errors(rnd: Any) -> list[str]:
    if rnd is None:
        return []
    path = "algorithm.rnd_cfg"
    errors = _section_errors(path, rnd, RND_RULES)
    schedule = rnd.get("weight_schedule") if isinstance(rnd, Mapping) else None
    if schedule is None:
        return errors
    path += ".weight_schedule"
    mode = schedule.get("mode") if isinstance(schedule, Mapping) else None
    needed = {"linear": ("initial_step", "final_step", "final_value"), "step": ("final_step", "final_value")}
    found = _section_errors(path, schedule, WEIGHT_SCHEDULE_RULES, ("mode", *needed.get(str(mode), ())))
    if not found and mode == "linear" and schedule["initial_step"] >= schedule["final_step"]:
        found = [
            f"{path}.initial_step={schedule['initial_step']} is not valid: it must be less than "
            f"final_step={schedule['final_step']}."
        ]
    return errors + found


def _symmetry_errors(symmetry: Any) -> list[str]:
    if symmetry is None:
        return []
    return _section_errors("algorithm.symmetry_cfg", symmetry, SYMMETRY_RULES, ("data_augmentation_func",))


def _joint_errors(cfg: Mapping[str, Any], algorithm: Mapping[str, Any], num_envs: int | None) -> list[str]:
    """Judge fields that are valid each by itself but must fit together."""
    errors = []
    recurrent = is_recurrent(cfg)
    if recurrent and algorithm.get("symmetry_cfg") is not None:
        errors.append("algorithm.symmetry_cfg needs networks without memory: rsl_rl has no symmetry for RNNModel.")
    classes = [cfg[name].get("class_name") for name in ("actor", "critic") if isinstance(cfg.get(name), Mapping)]
    if algorithm.get("share_cnn_encoders") is True and not all(str(name).endswith("CNNModel") for name in classes):
        errors.append("algorithm.share_cnn_encoders=True needs CNNModel for actor and critic.")
    batches, steps = algorithm.get("num_mini_batches"), cfg.get("num_steps_per_env")
    is_count = integer(1)[0]
    if num_envs is None or batches is None or steps is None or not is_count(batches) or not is_count(steps):
        return errors
    # rsl_rl deals out whole trajectories to recurrent networks, and single samples to all others
    samples, unit = (num_envs, "environments") if recurrent else (num_envs * steps, "samples of a rollout")
    if batches > samples:
        errors.append(
            f"algorithm.num_mini_batches={batches} is not valid: it must be at most {samples}, the number of {unit} "
            f"with {num_envs} environments{'' if recurrent else f' and num_steps_per_env={steps}'}."
        )
    elif num_envs * steps // batches < 2:
        errors.append(
            f"algorithm.num_mini_batches={batches} is not valid: it leaves 1 sample in a mini-batch, and advantages "
            "need at least 2 to be normalized."
        )
    return errors
