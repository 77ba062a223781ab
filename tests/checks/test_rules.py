# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The rules of values: what they accept, that they ask rsl_rl, and that asking changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rsl_rl.models import MLPModel
from torch import nn

from isaaclab_bpo.checks.configuration import CNN_RULES, DISTRIBUTION_RULES, MODEL_RULES, RUNNER_RULES
from isaaclab_bpo.checks.rules import (
    DEVICE,
    FUNCTION,
    NAME,
    built_by,
    class_named,
    interval,
    list_of,
    one_or_list_of,
)
from isaaclab_bpo.rules import Rule, integer


@pytest.mark.parametrize(
    ("rule", "valid", "invalid"),
    [
        (list_of(integer(1), "integers"), [[1], (2, 3)], [[], [0], 1, "12", None]),
        (one_or_list_of(integer(1)), [1, [1, 2]], [0, [], [0], None]),
        (interval(0.0), [(0.0, 1), [0.1, 2.0]], [(1.0, 1.0), (-1, 1), (1,), 3, ("a", "b"), (0.0, float("inf"))]),
        (class_named(MLPModel, "MLPModel"), [MLPModel, "CNNModel", "rsl_rl.models:RNNModel"], ["PPO", "os:path", 3]),
        (DEVICE, ["cpu", "cuda:1", "meta"], ["gpu", 0, None, ""]),
        (FUNCTION, [len, "os.path:join", "os.path.join"], ["nonsense", "os:nonsense", "os:sep", 3, None]),
        (NAME, ["a"], ["", None, 3]),
        (
            RUNNER_RULES["logger"],
            ["wandb", {"class_name": "WandbLogWriter"}],
            ["print", {}, None, ["wandb"], *({"class_name": name} for name in ("mine:Writer", "os:path", "Writr", 3))],
        ),
    ],
)
def test_rules_tell_valid_from_invalid(rule: Rule, valid: list[Any], invalid: list[Any]) -> None:
    is_valid, text = rule
    assert text
    assert [value for value in valid if not is_valid(value)] == []
    assert [value for value in invalid if is_valid(value)] == []


@pytest.mark.parametrize(
    ("rule", "choices"),
    [
        (MODEL_RULES["rnn_type"], ["lstm", "gru", "LSTM", "GRU"]),
        (DISTRIBUTION_RULES["std_type"], ["scalar", "log"]),
        (CNN_RULES["padding"], ["none", "zeros", "reflect", "replicate", "circular"]),
        (CNN_RULES["norm"], ["none", "batch", "layer", ["none", "layer"]]),
        (CNN_RULES["global_pool"], ["none", "max", "avg"]),
        (RUNNER_RULES["torch_compile_mode"], [None, "default", "max-autotune-no-cudagraphs"]),
    ],
)
def test_choices_are_those_with_which_rsl_rl_builds(rule: Rule, choices: list[Any]) -> None:
    is_valid, _ = rule
    state = torch.get_rng_state()
    assert all(is_valid(choice) for choice in choices)
    assert not any(is_valid(choice) for choice in ("nonsense", "", 3, True, ["nonsense"]))
    assert torch.equal(torch.get_rng_state(), state)  # a seeded run is the same, checked or not


def test_what_a_library_learns_to_accept_is_valid() -> None:
    modules: dict[str, type[nn.Module]] = {"old": nn.Identity}
    is_valid, _ = built_by(lambda name: name in modules and modules[name](), "a module")
    assert not is_valid("new")
    modules["new"] = nn.Softmax
    assert is_valid("new")
