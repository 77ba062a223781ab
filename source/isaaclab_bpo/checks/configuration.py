# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a whole runner configuration may hold: runner, networks, algorithm, extensions, and all of them together.

A field without a rule is not judged, so that a configuration with a field that is new in rsl_rl is valid.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from rsl_rl.algorithms import PPO
from rsl_rl.extensions import RandomNetworkDistillation
from rsl_rl.models import CNNModel, MLPModel
from rsl_rl.modules import CNN, RNN, BetaDistribution, Distribution, GaussianDistribution
from rsl_rl.utils import compile_model, resolve_callable, resolve_nn_activation
from torch import nn

from isaaclab_bpo.algorithms.options import ConfigurationError, option_errors
from isaaclab_bpo.rules import BOOLEAN, Rule, accepted_by, errors_of, integer, known_to, number, optional, unknown_names

from .rules import DEVICE, FUNCTION, NAME, TEXT, built_by, class_named, interval, list_of, one_or_list_of

_ACTIVATION = known_to(resolve_nn_activation)
_WIDTHS = list_of((lambda value: value == -1 or integer(1)[0](value), ""), "integers >= 1 (-1: the number of inputs)")


def _is_logger(value: Any) -> bool:
    if isinstance(value, Mapping):
        is_function, _ = FUNCTION
        return is_function(value.get("class_name"))
    return value in ("tensorboard", "wandb", "neptune")


def _weight_schedule(mode: Any) -> Any:
    """Return rsl_rl's schedule of random network distillation's weight, as rsl_rl finds it."""
    return getattr(RandomNetworkDistillation, f"_{mode}_weight_schedule", None)


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
    "torch_compile_mode": optional(
        accepted_by(
            lambda mode: bool(mode) and compile_model(nn.Identity(), mode), "default or max-autotune-no-cudagraphs"
        )
    ),
    "experiment_name": NAME,
    "run_name": TEXT,
    "logger": (
        _is_logger,
        "one of tensorboard, wandb, neptune, or hold the class_name of a log writer, such as package.module:Name",
    ),
    "wandb_project": NAME,
    "neptune_project": NAME,
    "resume": BOOLEAN,
    "load_run": TEXT,
    "load_checkpoint": TEXT,
}

MODEL_RULES: dict[str, Rule] = {
    "class_name": class_named(MLPModel, "MLPModel"),
    "hidden_dims": _WIDTHS,
    "activation": _ACTIVATION,
    "obs_normalization": BOOLEAN,
    "orthogonal_init": BOOLEAN,
    # rsl_rl takes any name that it does not know for an LSTM
    "rnn_type": built_by(lambda name: type(RNN(1, 1, 1, name).rnn).__name__.lower() == name.lower(), "lstm or gru"),
    "rnn_hidden_dim": integer(1),
    "rnn_num_layers": integer(1),
}

DISTRIBUTION_RULES: dict[str, Rule] = {
    "class_name": class_named(Distribution, "GaussianDistribution"),
    "init_std": number(0.0, open_low=True),
    "std_type": built_by(lambda name: GaussianDistribution(1, std_type=name), "scalar or log"),
    "std_range": interval(0.0),
    "learn_std": BOOLEAN,
    "action_range": interval(-math.inf),
    "nvec": optional(list_of(integer(1), "integers >= 1")),
}

CNN_RULES: dict[str, Rule] = {
    "output_channels": list_of(integer(1), "integers >= 1"),
    "kernel_size": one_or_list_of(integer(1)),
    "stride": one_or_list_of(integer(1)),
    "dilation": one_or_list_of(integer(1)),
    # rsl_rl takes any name that it does not know for none
    "padding": built_by(
        lambda name: name == "none" or any(CNN((3, 3), 1, [1], 3, padding=name)[0].padding),  # type: ignore[arg-type]
        "one of none, zeros, reflect, replicate, circular",
    ),
    "norm": one_or_list_of(built_by(lambda name: CNN((3, 3), 1, [1], 3, norm=name), "one of none, batch, layer")),
    "activation": _ACTIVATION,
    "max_pool": one_or_list_of(BOOLEAN),
    "global_pool": built_by(lambda name: CNN((3, 3), 1, [1], 3, global_pool=name), "one of none, max, avg"),
    "flatten": BOOLEAN,
}

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

WEIGHT_SCHEDULE_RULES: dict[str, Rule] = {
    "mode": (lambda mode: _weight_schedule(mode) is not None, "one of constant, linear, step"),
    "initial_step": integer(0),
    "final_step": integer(0),
    "final_value": number(0.0),
}

SYMMETRY_RULES: dict[str, Rule] = {
    "use_data_augmentation": BOOLEAN,
    "use_mirror_loss": BOOLEAN,
    "data_augmentation_func": FUNCTION,
    "mirror_loss_coeff": number(0.0),
}


def configuration_errors(
    cfg: Mapping[str, Any], num_envs: int | None = None, observations: Iterable[str] | None = None
) -> list[str]:
    """Return what is wrong with the configuration of rsl_rl's on-policy runner, all errors at once.

    Args:
        cfg: The configuration, with the keys "actor", "critic" and "algorithm".
        num_envs: Number of environments, if it is to train with them.
        observations: Names of the environment's observation groups, if they are known.

    Returns:
        A sentence for each error that names the field, the value and the valid choices; empty if all is well.
    """
    required = [name for name in ("num_steps_per_env", "save_interval") if name not in cfg]
    errors = [f"{name} is not set, and it has no default." for name in required]
    errors += errors_of(cfg, RUNNER_RULES) + _observation_errors(cfg.get("obs_groups", {}), observations)
    errors += _model_errors("actor", cfg.get("actor")) + _model_errors("critic", cfg.get("critic"))
    algorithm = cfg.get("algorithm")
    if not isinstance(algorithm, Mapping):
        return [*errors, _not_fields("algorithm", algorithm)]
    errors += errors_of(algorithm, {"class_name": class_named(PPO, "PPO")}, "algorithm.")
    errors += [f"algorithm.{error}" for error in option_errors(algorithm)]
    if (rnd := algorithm.get("rnd_cfg")) is not None:
        errors += _rnd_errors("algorithm.rnd_cfg", rnd)
    if (symmetry := algorithm.get("symmetry_cfg")) is not None:
        errors += _section_errors("algorithm.symmetry_cfg", symmetry, SYMMETRY_RULES, ("data_augmentation_func",))
        if _is_recurrent(cfg):
            errors.append("algorithm.symmetry_cfg needs networks without memory: rsl_rl has no symmetry for RNNModel.")
    if algorithm.get("share_cnn_encoders") is True and not all(issubclass(it, CNNModel) for it in _model_classes(cfg)):
        errors.append("algorithm.share_cnn_encoders=True needs CNNModel for actor and critic.")
    errors += _mixed_precision_errors(cfg)
    return errors if num_envs is None else errors + _mini_batch_errors(cfg, num_envs)


def check_configuration(
    cfg: Mapping[str, Any], num_envs: int | None = None, observations: Iterable[str] | None = None
) -> None:
    """Refuse a configuration with any of :func:`configuration_errors`, whose arguments it takes.

    Raises:
        ConfigurationError: If anything is wrong with it; names all errors.
    """
    if errors := configuration_errors(cfg, num_envs, observations):
        raise ConfigurationError(" ".join(errors))


def check_mini_batches(cfg: Mapping[str, Any], num_envs: int) -> None:
    """Refuse a configuration, valid otherwise, whose mini-batches do not fit the environments.

    Args:
        cfg: Configuration of rsl_rl's on-policy runner.
        num_envs: Number of environments.

    Raises:
        ConfigurationError: If there are too many mini-batches.
    """
    if errors := _mini_batch_errors(cfg, num_envs):
        raise ConfigurationError(" ".join(errors))


def _not_fields(path: str, value: Any) -> str:
    return f"{path}={value!r} is not valid: it must hold the fields of a configuration."


def _section_errors(path: str, value: Any, rules: Mapping[str, Rule], required: Iterable[str] = ()) -> list[str]:
    """Judge the fields of a part of the configuration."""
    if not isinstance(value, Mapping):
        return [_not_fields(path, value)]
    missing = [f"{path}.{name} is not set, and it has no default." for name in required if name not in value]
    return missing + errors_of(value, rules, f"{path}.")


def _observation_errors(groups: Any, observations: Iterable[str] | None) -> list[str]:
    """Judge which observation groups each network sees."""
    if not isinstance(groups, Mapping):
        return [f"obs_groups={groups!r} is not valid: it must map actor and critic to lists of observation groups."]
    errors = errors_of(groups, dict.fromkeys(groups, list_of(NAME, "observation groups")), "obs_groups.")
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
    for model_class in _model_classes({"actor": model}):
        errors += unknown_names(model, model_class, ["class_name"], prefix=f"{name}.")
    if (distribution := model.get("distribution_cfg")) is not None:
        errors += _section_errors(f"{name}.distribution_cfg", distribution, DISTRIBUTION_RULES, ("class_name",))
    elif name == "actor":
        errors.append("actor.distribution_cfg=None is not valid: the actor needs a distribution to explore with.")
    if (cnn := model.get("cnn_cfg")) is not None:
        # One encoder for all observation groups, or one for each
        per_group = isinstance(cnn, Mapping) and cnn and all(isinstance(value, Mapping) for value in cnn.values())
        for path, part in {f".{group}": part for group, part in cnn.items()}.items() if per_group else [("", cnn)]:
            errors += _section_errors(f"{name}.cnn_cfg{path}", part, CNN_RULES, ("output_channels", "kernel_size"))
    return errors


def _rnd_errors(path: str, rnd: Any) -> list[str]:
    errors = _section_errors(path, rnd, RND_RULES)
    schedule = rnd.get("weight_schedule") if isinstance(rnd, Mapping) else None
    if schedule is None:
        return errors
    path += ".weight_schedule"
    required = ["mode"]
    if isinstance(schedule, Mapping) and (function := _weight_schedule(schedule.get("mode"))):
        # What rsl_rl passes on from the configuration
        parameters = inspect.signature(function).parameters.values()
        required += [p.name for p in parameters if p.name not in ("self", "step") and p.kind is not p.VAR_KEYWORD]
    found = _section_errors(path, schedule, WEIGHT_SCHEDULE_RULES, required)
    if not found and "initial_step" in required and schedule["initial_step"] >= schedule["final_step"]:
        first, last = schedule["initial_step"], schedule["final_step"]
        found = [f"{path}.initial_step={first} is not valid: it must be less than final_step={last}."]
    return errors + found


def _model_classes(cfg: Mapping[str, Any]) -> list[type]:
    """Return the classes of actor and critic, where they are valid."""
    models = [model for name in ("actor", "critic") if isinstance(model := cfg.get(name), Mapping)]
    valid, _ = MODEL_RULES["class_name"]
    return [resolve_callable(model["class_name"]) for model in models if valid(model.get("class_name"))]  # type: ignore


def _is_recurrent(cfg: Mapping[str, Any]) -> bool:
    return any(model.is_recurrent for model in _model_classes(cfg))


def _mixed_precision_errors(cfg: Mapping[str, Any]) -> list[str]:
    """Judge whether actions can be sampled in mixed precision."""
    actor = cfg.get("actor")
    distribution = actor.get("distribution_cfg") if isinstance(actor, Mapping) else None
    is_named, _ = DISTRIBUTION_RULES["class_name"]
    if (
        cfg["algorithm"].get("use_mixed_precision") is not True
        or cfg.get("device") != "cpu"
        or not isinstance(distribution, Mapping)
        or not is_named(name := distribution.get("class_name"))
        or not issubclass(resolve_callable(name), BetaDistribution)  # type: ignore[arg-type]
    ):
        return []
    return [
        "algorithm.use_mixed_precision=True is not valid with actor.distribution_cfg.class_name="
        f"{name!r} on the CPU, where torch cannot sample it in bfloat16: set it to false."
    ]


def _mini_batch_errors(cfg: Mapping[str, Any], num_envs: int) -> list[str]:
    """Judge whether a rollout has something for every mini-batch."""
    batches, steps = cfg["algorithm"].get("num_mini_batches"), cfg.get("num_steps_per_env", 0)
    is_count, _ = integer(1)
    if not is_count(batches) or not is_count(steps):
        return []
    # rsl_rl deals out whole trajectories to recurrent networks, and single samples to all others
    recurrent = _is_recurrent(cfg)
    samples, unit = (num_envs, "environments") if recurrent else (num_envs * steps, "samples of a rollout")
    if batches > samples:
        return [
            f"algorithm.num_mini_batches={batches} is not valid: it must be at most {samples}, the number of {unit} "
            f"with {num_envs} environments{'' if recurrent else f' and num_steps_per_env={steps}'}."
        ]
    if num_envs * steps // batches < 2:
        return [
            f"algorithm.num_mini_batches={batches} is not valid: it leaves 1 sample in a mini-batch, and advantages "
            "need at least 2 to be normalized."
        ]
    return []
