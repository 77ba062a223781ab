# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What differs between rsl_rl 5.4 and 5.5, held against the installed one."""

from __future__ import annotations

import inspect

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.modules import EmpiricalNormalization
from torch import nn

from isaaclab_bpo.compatibility.rsl_rl import NORMALIZES_IN_UPDATE, buffers_in_place, complete


def test_normalizers_are_updated_where_it_says() -> None:
    assert ("update_normalization" in inspect.getsource(PPO.update)) is NORMALIZES_IN_UPDATE
    assert ("update_normalization" in inspect.getsource(PPO.process_env_step)) is not NORMALIZES_IN_UPDATE


def test_a_configuration_is_completed_and_not_changed() -> None:
    for rnd, expected in (({}, None), ({"rnd_cfg": {"weight": 1.0}}, {"weight": 1.0})):
        cfg = {"algorithm": {"class_name": "PPO", **rnd}}
        complete(cfg)
        assert cfg == {"algorithm": {"class_name": "PPO", "rnd_cfg": expected}}


def test_buffers_keep_their_memory_and_get_the_new_values() -> None:
    torch.manual_seed(0)
    inside, outside = EmpiricalNormalization(3), EmpiricalNormalization(3)
    addresses = {name: buffer.data_ptr() for name, buffer in inside.named_buffers()}
    samples = torch.randn(50, 3) * 5.0 + 1.0
    with buffers_in_place(nn.ModuleList([inside])):
        inside.update(samples)
    outside.update(samples)
    assert {name: buffer.data_ptr() for name, buffer in inside.named_buffers()} == addresses
    for name, buffer in outside.named_buffers():
        torch.testing.assert_close(inside.get_buffer(name), buffer)
