# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Configurations: every invalid value, alone and with others, on each road to the algorithm; and what is not judged."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import math
import random
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import torch
from isaaclab_rl.rsl_rl import (
    RslRlCNNModelCfg,
    RslRlMLPModelCfg,
    RslRlOnPolicyRunnerCfg,
    RslRlPpoAlgorithmCfg,
    RslRlRndCfg,
    RslRlRNNModelCfg,
    RslRlSymmetryCfg,
)
from rsl_rl.algorithms import PPO
from rsl_rl.extensions import RandomNetworkDistillation, Symmetry
from rsl_rl.models import CNNModel, MLPModel, RNNModel
from rsl_rl.modules import (
    CNN,
    BetaDistribution,
    GaussianDistribution,
    HeteroscedasticGaussianDistribution,
)
from rsl_rl.runners import OnPolicyRunner
from rsl_rl.utils.logger import Logger

from conftest import RecordFault
from isaaclab_bpo.agents import RslRlBpoRunnerCfg
from isaaclab_bpo.agents.robots import bpo_cfg
from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.algorithms.options import check_options
from isaaclab_bpo.checks import CheckedConfiguration, ConfigurationError, configuration_errors
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg
from isaaclab_bpo.runners import DurableRunner
from point_mass import PointMass, mirror, runner_cfg

COUNT = [0, -1, 1.5, "3", None, True, math.nan, [1]]
COUNT_FROM_0 = [-1, 1.5, "3", None, math.inf]
POSITIVE = [0.0, -1.0, math.nan, math.inf, "0.1", None, False, [0.1]]
NOT_NEGATIVE = [-0.1, math.nan, math.inf, "0", None, True]
FRACTION = [-0.1, 1.1, math.nan, "0.9", None]
SWITCH = [0, 1, "true", None, []]
CHOICE = ["nonsense", 1, None, True, ""]
WIDTHS = [[], [0], [-2], [8.5], ["8"], 8, None, "8"]
NETWORK = {
    "hidden_dims": WIDTHS,
    "activation": CHOICE,
    "obs_normalization": SWITCH,
    "orthogonal_init": SWITCH,
    "class_name": ["Nonsense", "PPO", 3],
}

INVALID: dict[str, list[Any]] = {
    **dict.fromkeys(("num_steps_per_env", "save_interval"), COUNT),
    "keep_last": [0, -1, 1.5, "3", True],
    "max_iterations": COUNT_FROM_0,
    "seed": [-2, 2**32, 0.5, "1", None],
    "device": ["gpu", 0, None, ""],
    "clip_actions": [0.0, -1.0, "1", math.nan],
    "logger": ["print", 3, None, {}],
    "torch_compile_mode": ["fast", "reduce-overhead", 1, True],
    "obs_groups": [["policy"], {"actor": []}, {"actor": "policy"}, {"critic": [3]}, {"actor": ["nonsense"]}],
    "experiment_name": ["", 3, None],
    **dict.fromkeys(("check_for_nan", "init_at_random_ep_len", "resume"), SWITCH),
    **{f"{model}.{name}": values for model in ("actor", "critic") for name, values in NETWORK.items()},
    "actor.distribution_cfg": [None, "gaussian", 3],
    "actor.distribution_cfg.class_name": ["Nonsense", "MLPModel", None],
    "actor.distribution_cfg.init_std": POSITIVE,
    "actor.distribution_cfg.std_type": CHOICE,
    "actor.distribution_cfg.nvec": [[], [0, 2], [2.0], 3, "3"],
    "actor.distribution_cfg.std_range": [(1.0, 0.1), (-1.0, 1.0), (0.1,), 3, None, ("a", "b")],
    "algorithm.class_name": ["Nonsense", "Distillation", "MLPModel", None, 3],
    **{f"algorithm.{name}": COUNT for name in ("num_learning_epochs", "num_mini_batches", "max_consecutive_skips")},
    **{f"algorithm.{name}": POSITIVE for name in ("learning_rate", "max_grad_norm", "temperature")},
    **{f"algorithm.{name}": NOT_NEGATIVE for name in ("entropy_coef", "value_loss_coef", "median_loss_coef")},
    **{f"algorithm.{name}": FRACTION for name in ("gamma", "lam")},
    **{f"algorithm.{name}": CHOICE for name in ("median", "median_head", "loss", "schedule", "optimizer")},
    "algorithm.accelerate": [0, 1, "true", []],
    "algorithm.desired_kl": [0.0, -1.0, "0.01", math.nan],
    "algorithm.adam_eps": [0.0, -1e-5, "1e-5", math.inf],
    "algorithm.median_temperature": [0.0, -1.0, "1", math.inf],
    "algorithm.clip_param": [0.0, -0.2, 1.5, "0.2", math.nan, None],
    "algorithm.ratio_lower": [-0.1, 1.0, "0.5", 0.5],
    "algorithm.ratio_upper": [1.0, 0.5, "2", math.inf, 2.0],
    **{
        f"algorithm.{name}": SWITCH
        for name in (
            *("online_advantage", "refresh_targets", "use_clipped_value_loss", "use_mixed_precision"),
            *("normalize_advantage_per_mini_batch", "share_cnn_encoders", "joint_grad_clipping"),
            "reshuffle",
        )
    },
}
"""Invalid values of fields. The last value of the ratio bounds is valid, but not beside clip_param."""

EXTENSIONS: dict[str, tuple[str, Any, dict[str, list[Any]]]] = {
    "rnd": (
        "algorithm.rnd_cfg",
        lambda: RslRlRndCfg(
            weight_schedule=RslRlRndCfg.LinearWeightScheduleCfg(final_value=0.0, initial_step=1, final_step=9)
        ),
        {
            "weight": NOT_NEGATIVE,
            "num_outputs": COUNT,
            "predictor_hidden_dims": WIDTHS,
            "target_hidden_dims": WIDTHS,
            "learning_rate": POSITIVE,
            "reward_normalization": SWITCH,
            "weight_schedule": [3, "linear"],
            "weight_schedule.mode": CHOICE,
            "weight_schedule.final_step": [-1, 0.5, 0, 1],
        },
    ),
    "symmetry": (
        "algorithm.symmetry_cfg",
        lambda: RslRlSymmetryCfg(data_augmentation_func=mirror),
        {
            "data_augmentation_func": [None, "nonsense", "os:nonsense", 3],
            "use_mirror_loss": SWITCH,
            "mirror_loss_coeff": NOT_NEGATIVE,
        },
    ),
    "rnn": (
        "critic",
        lambda: RslRlRNNModelCfg(
            hidden_dims=[8], activation="elu", rnn_type="lstm", rnn_hidden_dim=8, rnn_num_layers=1
        ),
        {"rnn_type": CHOICE, "rnn_hidden_dim": COUNT, "rnn_num_layers": COUNT},
    ),
    "cnn": (
        "critic",
        lambda: RslRlCNNModelCfg(
            hidden_dims=[8],
            activation="elu",
            cnn_cfg=RslRlCNNModelCfg.CNNCfg(output_channels=[4], kernel_size=3, activation="elu"),
        ),
        {
            "cnn_cfg.output_channels": [[], [0], 4, None],
            "cnn_cfg.kernel_size": [0, -1, [0], "3", None],
            "cnn_cfg.padding": CHOICE,
            "cnn_cfg.norm": CHOICE,
            "cnn_cfg.global_pool": CHOICE,
            "cnn_cfg.flatten": SWITCH,
        },
    ),
}
CASES = [(None, path, value) for path, values in INVALID.items() for value in values]
CASES += [
    (name, f"{prefix}.{path}", value)
    for name, (prefix, _, fields) in EXTENSIONS.items()
    for path, values in fields.items()
    for value in values
]


def put(cfg: Any, path: str, value: Any) -> None:
    """Set a field of a configclass, or of nested dictionaries."""
    *parents, leaf = path.split(".")
    if isinstance(cfg, dict):
        functools.reduce(lambda node, name: node[name], parents, cfg)[leaf] = copy.deepcopy(value)
    else:
        setattr(functools.reduce(getattr, parents, cfg), leaf, copy.deepcopy(value))


@functools.cache
def g1_cfg() -> RslRlBpoRunnerCfg:
    cfg = bpo_cfg("Isaac-Velocity-Rough-G1")
    assert isinstance(cfg, RslRlBpoRunnerCfg)
    return cfg


def isaaclab_cfg(extension: str | None) -> RslRlBpoRunnerCfg:
    cfg = copy.deepcopy(g1_cfg())
    if extension is not None:
        path, make, _ = EXTENSIONS[extension]
        put(cfg, path, make())
    return cfg


def names(problem: str, path: str) -> bool:
    """Whether a sentence is about a field; that of a section may stand for its fields."""
    return path.rsplit(".", 1)[-1] in problem and "\n" not in problem and problem.endswith((".", "?"))


def test_corpus_is_large() -> None:
    assert len(CASES) >= 300


@pytest.mark.parametrize("extension", [None, *EXTENSIONS])
def test_valid_configurations_pass(extension: str | None) -> None:
    assert check_agent_cfg(isaaclab_cfg(extension), 4096, ["policy"]) == []


def test_every_invalid_value_is_named(record_fault: RecordFault) -> None:
    for extension, path, value in CASES:
        cfg = isaaclab_cfg(extension)
        put(cfg, path, value)
        problems = check_agent_cfg(cfg, 4096, ["policy"])
        assert problems, (path, value)
        record_fault("invalid configuration", all(names(problem, path) for problem in problems), True, 0)


def test_all_invalid_values_are_named_at_once() -> None:
    rng = random.Random(0)
    fields = [path for path in INVALID if path.count(".") < 2 and not path.endswith(("_lower", "_upper", "clip_param"))]
    for _ in range(50):
        chosen = rng.sample([path for path in fields if path != "actor.distribution_cfg"], 5)
        cfg = isaaclab_cfg(None)
        for path in chosen:
            put(cfg, path, rng.choice(INVALID[path]))
        problems = check_agent_cfg(cfg, 4096, ["policy"])
        for path in chosen:
            assert any(problem.startswith(f"agent.{path}") for problem in problems), (path, problems)


def test_the_runner_refuses_them_too(record_fault: RecordFault) -> None:
    env = PointMass(num_envs=4)
    for path, values in INVALID.items():
        for value in values:
            cfg = runner_cfg()
            put(cfg, path, value)
            with pytest.raises(ConfigurationError, match="=") as error:
                DurableRunner(env, cfg)
            record_fault("invalid configuration, our runner", names(str(error.value), path), True, 0)


def test_rsl_rls_own_runner_refuses_invalid_options_too(record_fault: RecordFault) -> None:
    """The road of the unmodified Isaac Lab command, on which the algorithm judges its options itself."""
    env = PointMass(num_envs=4)
    options = [path for path in INVALID if path.startswith("algorithm.") and path != "algorithm.class_name"]
    assert len(options) > 20
    for path in options:
        for value in INVALID[path]:
            cfg = runner_cfg()
            put(cfg, path, value)
            with pytest.raises(ConfigurationError, match="=") as error:
                OnPolicyRunner(env, cfg)
            record_fault("invalid configuration, rsl_rl's runner", names(str(error.value), path), True, 0)


def test_sections_of_wrong_types_are_named() -> None:
    env = PointMass(num_envs=4)
    for path in ("actor", "critic", "algorithm.rnd_cfg", "algorithm.symmetry_cfg", "actor.distribution_cfg"):
        for value in ("text", 3, [1]):
            cfg = runner_cfg()
            put(cfg, path, value)
            with pytest.raises(ConfigurationError, match=path):
                DurableRunner(env, cfg)


@pytest.mark.parametrize(
    ("changes", "num_envs", "sentence"),
    [
        ({"algorithm.num_mini_batches": 97}, 4, "num_mini_batches=97 is not valid: it must be at most 96"),
        ({"algorithm.num_mini_batches": 96}, 4, "num_mini_batches=96 is not valid: it leaves 1 sample"),
        ({"algorithm.clip_param": None}, 4, "clip_param=None needs ratio_lower and ratio_upper"),
        ({"algorithm.share_cnn_encoders": True}, 4, "share_cnn_encoders=True needs CNNModel"),
        (
            {
                "device": "cpu",
                "algorithm.use_mixed_precision": True,
                "actor.distribution_cfg.class_name": "BetaDistribution",
            },
            4,
            "use_mixed_precision=True is not valid with actor.distribution_cfg.class_name='BetaDistribution' on the",
        ),
    ],
)
def test_fields_that_do_not_fit_together_are_named(changes: dict, num_envs: int, sentence: str) -> None:
    cfg = isaaclab_cfg(None)  # 24 steps
    for path, value in changes.items():
        put(cfg, path, value)
    (problem,) = check_agent_cfg(cfg, num_envs, ["policy"])
    assert sentence in problem


def test_recurrent_networks_need_an_environment_per_mini_batch_and_no_symmetry() -> None:
    cfg = isaaclab_cfg("rnn")
    assert "at most 3, the number of environments" in check_agent_cfg(cfg, 3, ["policy"])[0]
    assert check_agent_cfg(cfg, 4, ["policy"]) == []
    cfg.algorithm.symmetry_cfg = RslRlSymmetryCfg(data_augmentation_func=mirror)
    (problem,) = check_agent_cfg(cfg, 4, ["policy"])
    assert "symmetry_cfg needs networks without memory" in problem


def test_playing_needs_no_environment_per_mini_batch() -> None:
    torch.manual_seed(0)
    OnPolicyRunner(PointMass(num_envs=1), runner_cfg("lstm")).get_inference_policy()


##
# Each road checks once.
##


def calls(function: Callable, action: Callable[[], object]) -> int:
    """Return how often a function of ours is called while an action runs."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code is function.__code__

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def run(cfg: dict) -> None:
    DurableRunner(PointMass(num_envs=4), cfg).learn(1)


def test_a_configuration_is_checked_once_by_the_runner() -> None:
    assert calls(configuration_errors, lambda: run(runner_cfg())) == 1
    assert calls(check_options, lambda: run(runner_cfg())) == 0


def test_a_checked_configuration_is_not_checked_again() -> None:
    assert calls(configuration_errors, lambda: run(CheckedConfiguration(runner_cfg()))) == 0
    assert calls(check_options, lambda: run(CheckedConfiguration(runner_cfg()))) == 0


def test_rsl_rls_own_runner_checks_options_once() -> None:
    assert calls(check_options, lambda: OnPolicyRunner(PointMass(num_envs=4), runner_cfg())) == 1
    assert calls(configuration_errors, lambda: OnPolicyRunner(PointMass(num_envs=4), runner_cfg())) == 0


##
# What rsl_rl and Isaac Lab may hold, and which of it is judged.
##


COMPUTED = {
    *("obs", "obs_groups", "obs_set", "output_dim", "input_dim", "input_channels", "num_states", "env"),
    *("actor", "critic", "storage", "cnns", "device", "multi_gpu_cfg"),
}
"""Arguments that rsl_rl computes, or passes on from elsewhere, and no configuration sets."""


def parameters(*classes: type) -> set[str]:
    """Names of the arguments of some classes that a configuration sets."""
    return {name for each in classes for name in inspect.signature(each).parameters} - COMPUTED


def keys(*readers: Callable) -> set[str]:
    """Names that some of rsl_rl's functions and classes read from the runner's configuration."""
    pattern = r"""\bcfg(?:\[|\.get\()"(\w+)\""""
    found = {name for reader in readers for name in re.findall(pattern, inspect.getsource(reader))}
    assert {"obs_groups", "save_interval", "logger"} <= found
    return found - {"multi_gpu"}  # which the runner sets


def cfg_fields(*classes: type) -> set[str]:
    """Fields of some of Isaac Lab's configclasses."""
    return {field.name for each in classes for field in dataclasses.fields(each)}


def full_cfg() -> dict[str, Any]:
    """A valid configuration with every section there is."""
    cfg = runner_cfg("cnn", rnd_cfg={"weight": 0.1, "weight_schedule": {"mode": "constant"}})
    cfg["algorithm"]["symmetry_cfg"] = {"data_augmentation_func": mirror}
    return cfg


MODELS = (MLPModel, RNNModel, CNNModel)
DISTRIBUTIONS = (GaussianDistribution, HeteroscedasticGaussianDistribution, BetaDistribution)
MODEL_CFGS = (RslRlMLPModelCfg, RslRlRNNModelCfg, RslRlCNNModelCfg)
DISTRIBUTION_CFGS = (
    RslRlMLPModelCfg.DistributionCfg,
    RslRlMLPModelCfg.GaussianDistributionCfg,
    RslRlMLPModelCfg.HeteroscedasticGaussianDistributionCfg,
)
SCHEDULE_CFGS = (RslRlRndCfg.LinearWeightScheduleCfg, RslRlRndCfg.StepWeightScheduleCfg)

SECTIONS: dict[str, tuple[set[str], set[str]]] = {
    "actor": (parameters(*MODELS), set()),
    "critic": (parameters(*MODELS), set()),
    "actor.distribution_cfg": (parameters(*DISTRIBUTIONS), set()),
    "actor.cnn_cfg": (parameters(CNN), set()),
    "algorithm": (parameters(PPO), {"grad_reduce_bucket_mb"}),
    "algorithm.rnd_cfg": (parameters(RandomNetworkDistillation), set()),
    "algorithm.symmetry_cfg": (parameters(Symmetry), set()),
    "": (keys(OnPolicyRunner, PPO.construct_algorithm, Logger), set()),
}
"""For each section of rsl_rl's configuration what it may hold, and what of it has no rule."""

DEPRECATED = {"stochastic", "init_noise_std", "noise_std_type", "state_dependent_std"}
"""Fields that Isaac Lab takes out before rsl_rl's models see them."""

ISAACLAB_SECTIONS: dict[str, tuple[set[str], set[str]]] = {
    "actor": (cfg_fields(*MODEL_CFGS) - DEPRECATED, set()),
    "critic": (cfg_fields(*MODEL_CFGS) - DEPRECATED, set()),
    "actor.distribution_cfg": (cfg_fields(*DISTRIBUTION_CFGS), set()),
    "actor.cnn_cfg": (cfg_fields(RslRlCNNModelCfg.CNNCfg), set()),
    "algorithm": (cfg_fields(RslRlPpoAlgorithmCfg), set()),
    "algorithm.rnd_cfg": (cfg_fields(RslRlRndCfg), set()),
    "algorithm.rnd_cfg.weight_schedule": (cfg_fields(*SCHEDULE_CFGS), set()),
    "algorithm.symmetry_cfg": (cfg_fields(RslRlSymmetryCfg), set()),
    "": (cfg_fields(RslRlOnPolicyRunnerCfg), {"class_name", "empirical_normalization", "policy"}),
}
"""The same of Isaac Lab's configclasses. The command judges the runner's class_name; the others are deprecated."""


@pytest.mark.parametrize("sections", [SECTIONS, ISAACLAB_SECTIONS], ids=["rsl_rl", "isaaclab"])
def test_every_field_has_a_rule_or_is_known_to_have_none(sections: dict[str, tuple[set[str], set[str]]]) -> None:
    for section, (fields, without_rule) in sections.items():
        unjudged = set()
        for name in fields:
            cfg, path = full_cfg(), f"{section}.{name}".lstrip(".")
            put(cfg, path, object())  # which no rule accepts
            if not any(error.startswith(path) for error in configuration_errors(cfg)):
                unjudged.add(name)
        assert unjudged == without_rule, section


@pytest.mark.parametrize("section", sorted({*SECTIONS, *ISAACLAB_SECTIONS} - {"actor", "critic", "algorithm"}))
@pytest.mark.parametrize("value", [3, "text", None, {"class_name": "New", "coefficient": 0.5}])
def test_fields_and_sections_that_are_new_in_rsl_rl_pass(section: str, value: Any) -> None:
    cfg = full_cfg()
    put(cfg, f"{section}.new".lstrip("."), value)
    assert configuration_errors(cfg, 4, ["policy", "camera"]) == []


class Newer(PPO):
    """A class as a later rsl_rl may have it."""

    def __init__(self, *args: Any, new: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class OfSomebody(BPO):
    """A class that reads its settings in a way of its own."""

    @staticmethod
    def construct_algorithm(obs: Any, env: Any, cfg: dict, device: str) -> BPO:
        raise NotImplementedError


@pytest.mark.parametrize("algorithm", [Newer, OfSomebody])
def test_settings_that_a_class_takes_pass(algorithm: type) -> None:
    cfg = full_cfg()
    cfg["algorithm"] = {"class_name": f"{__name__}:{algorithm.__name__}", "gamma": 0.9, "new": 0.5}
    assert configuration_errors(cfg, 4, ["policy", "camera"]) == []


MISSPELT = {
    "algorithm.clip_parm": "did you mean clip_param?",
    "algorithm.temprature": "did you mean temperature?",
    "algorithm.learn_rate": "did you mean learning_rate?",
    "algorithm.gama": "did you mean gamma?",
    "algorithm.medain": "did you mean median?",
    "algorithm.zzz": "algorithm.zzz is not a setting of BPO.",
    "actor.hidden_dim": "did you mean hidden_dims?",
    "critic.activaton": "did you mean activation?",
}


@pytest.mark.parametrize("path", MISSPELT)
def test_settings_that_no_class_takes_are_named_with_the_nearest(path: str) -> None:
    cfg = full_cfg()
    put(cfg, path, 0.5)
    (error,) = configuration_errors(cfg, 4, ["policy", "camera"])
    assert error.startswith(f"{path} is not a setting")
    assert MISSPELT[path] in error


@pytest.mark.parametrize("name", ["num_steps_per_env", "save_interval"])
def test_missing_settings_are_named(name: str) -> None:
    cfg = full_cfg()
    del cfg[name]
    (error,) = configuration_errors(cfg)
    assert error == f"{name} is not set, and it has no default."


def test_options_of_bpo_are_named_as_such_to_ppo() -> None:
    cfg = full_cfg()
    cfg["algorithm"] = {"class_name": "PPO", "temperature": 0.1, "median": "batch"}
    assert configuration_errors(cfg) == [
        "algorithm.temperature is not a setting of PPO, it is one of BPO.",
        "algorithm.median is not a setting of PPO, it is one of BPO.",
    ]
