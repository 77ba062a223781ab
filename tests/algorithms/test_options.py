# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The options of BPO: their rules, and that rsl_rl's own runner refuses what breaks them, with one sentence each."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest
from rsl_rl.runners import OnPolicyRunner

from isaaclab_bpo.algorithms.options import (
    OPTION_RULES,
    BpoOptions,
    CheckedConfiguration,
    ConfigurationError,
    check_options,
    option_errors,
)
from point_mass import PointMass, runner_cfg


def test_defaults_are_valid() -> None:
    check_options(vars(BpoOptions()))
    assert option_errors({}) == []


@pytest.mark.parametrize("option", fields(BpoOptions), ids=lambda option: option.name)
def test_every_option_has_a_rule_and_a_meaning(option: Any) -> None:
    assert f"{option.name}: {option.metadata['meaning']} (default {option.default})." in str(BpoOptions.__doc__)
    (error,) = option_errors({option.name: object()})
    assert error.endswith(f"it must be {OPTION_RULES[option.name][1]}.")


def test_unknown_names_are_not_judged() -> None:
    assert option_errors({"tomorrows_option": object()}) == []


def test_a_checked_configuration_is_not_checked_again() -> None:
    cfg = runner_cfg(max_consecutive_skips=0)
    with pytest.raises(ConfigurationError, match="max_consecutive_skips=0"):
        OnPolicyRunner(PointMass(), cfg)
    OnPolicyRunner(PointMass(), CheckedConfiguration(cfg))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clip_param", -1),
        ("clip_param", 1.5),
        ("median", "foo"),
        ("loss", "foo"),
        ("temperature", 0),
        ("temperature", math.nan),
        ("num_mini_batches", 0),
        ("gamma", 1.5),
        ("median_loss_coef", -1.0),
        ("online_advantage", "yes"),
    ],
)
def test_invalid_hyperparameter_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}=.*must be"):
        OnPolicyRunner(PointMass(), runner_cfg(**{name: value}))


def test_all_invalid_hyperparameters_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"clip_param=-1 .*temperature=0 "):
        OnPolicyRunner(PointMass(), runner_cfg(clip_param=-1, temperature=0))


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        ({"clip_param": 1.0, "loss": "log_tv"}, "log_tv.*lower ratio bound above 0"),
        ({"ratio_lower": 0.5, "ratio_upper": 2.0}, "clip_param=0.2 and ratio_lower=0.5, ratio_upper=2.0 set.*two ways"),
        ({"clip_param": None, "ratio_lower": 0.5}, "needs ratio_lower and ratio_upper, but they are 0.5 and None"),
        ({"clip_param": None}, "needs ratio_lower and ratio_upper"),
        ({"clip_param": None, "ratio_lower": 1.0, "ratio_upper": 2.0}, r"ratio_lower=1.0 .* a number in \[0, 1\)"),
        ({"clip_param": None, "ratio_lower": 0.5, "ratio_upper": 1.0}, "ratio_upper=1.0 .* a finite number > 1"),
        (
            {"clip_param": None, "ratio_lower": 0.5, "ratio_upper": 2.0, "use_clipped_value_loss": True},
            "use_clipped_value_loss=True needs clip_param",
        ),
    ],
)
def test_hyperparameters_that_do_not_fit_together_are_named(hyperparameters: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        OnPolicyRunner(PointMass(), runner_cfg(**hyperparameters))
