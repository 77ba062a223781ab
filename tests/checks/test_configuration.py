# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Invalid configurations: every field, alone and many together, on both roads to the algorithm."""

from __future__ import annotations

import copy
import functools
import math
import random
from typing import Any

import pytest
import torch
from isaaclab_rl.rsl_rl import RslRlCNNModelCfg, RslRlRndCfg, RslRlRNNModelCfg, RslRlSymmetryCfg
from rsl_rl.runners import OnPolicyRunner

from conftest import RecordFault
from isaaclab_bpo.agents.g1 import G1RoughBpoRunnerCfg
from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.checks import ConfigurationError
from isaaclab_bpo.cli.agent_cfg import check_agent_cfg
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
    "actor.distribution_cfg.std_range": [(1.0, 0.1), (-1.0, 1.0), (0.1,), 3, None, ("a", "b")],
    "algorithm.class_name": ["Nonsense", "Distillation", "MLPModel", None, 3],
    **{f"algorithm.{name}": COUNT for name in ("num_learning_epochs", "num_mini_batches")},
    **{f"algorithm.{name}": POSITIVE for name in ("learning_rate", "max_grad_norm", "temperature")},
    **{
        f"algorithm.{name}": NOT_NEGATIVE for name in ("entropy_coef", "value_loss_coef", "median_loss_coef", "tv_coef")
    },
    **{f"algorithm.{name}": FRACTION for name in ("gamma", "lam")},
    **{f"algorithm.{name}": CHOICE for name in ("median", "loss", "schedule", "optimizer")},
    "algorithm.desired_kl": [0.0, -1.0, "0.01", math.nan],
    "algorithm.median_temperature": [0.0, -1.0, "1", math.inf],
    "algorithm.clip_param": [0.0, -0.2, 1.5, "0.2", math.nan, None],
    "algorithm.ratio_lower": [-0.1, 1.0, "0.5", 0.5],
    "algorithm.ratio_upper": [1.0, 0.5, "2", math.inf, 2.0],
    **{
        f"algorithm.{name}": SWITCH
        for name in (
            *("online_advantage", "online_median", "refresh_targets", "use_clipped_value_loss", "use_mixed_precision"),
            *("normalize_advantage_per_mini_batch", "share_cnn_encoders", "joint_grad_clipping"),
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


def isaaclab_cfg(extension: str | None) -> G1RoughBpoRunnerCfg:
    cfg = G1RoughBpoRunnerCfg()
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


def test_rsl_rls_own_runner_refuses_them_too(record_fault: RecordFault) -> None:
    """The road of the unmodified Isaac Lab command: whatever the runner itself does not read before."""
    env = PointMass(num_envs=4)
    runners = [path for path in INVALID if path not in ("algorithm.class_name", "device")]
    for path in runners:
        for value in INVALID[path]:
            cfg = runner_cfg() | {"multi_gpu": None}
            put(cfg, path, value)
            with pytest.raises(ValueError, match="=") as error:
                BPO.construct_algorithm(env.get_observations(), env, cfg, "cpu")
            record_fault("invalid configuration, rsl_rl's runner", names(str(error.value), path), True, 0)


def test_sections_of_wrong_types_are_named() -> None:
    env = PointMass(num_envs=4)
    for path in ("actor", "critic", "algorithm.rnd_cfg", "algorithm.symmetry_cfg", "actor.distribution_cfg"):
        for value in ("text", 3, [1]):
            cfg = runner_cfg() | {"multi_gpu": None}
            put(cfg, path, value)
            with pytest.raises(ConfigurationError, match=path):
                BPO.construct_algorithm(env.get_observations(), env, cfg, "cpu")


@pytest.mark.parametrize(
    ("changes", "num_envs", "sentence"),
    [
        ({"algorithm.num_mini_batches": 97}, 4, "num_mini_batches=97 is not valid: it must be at most 96"),
        ({"algorithm.num_mini_batches": 96}, 4, "num_mini_batches=96 is not valid: it leaves 1 sample"),
        ({"algorithm.clip_param": None}, 4, "clip_param=None needs ratio_lower and ratio_upper"),
        ({"algorithm.share_cnn_encoders": True}, 4, "share_cnn_encoders=True needs CNNModel"),
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
