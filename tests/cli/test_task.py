# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which task and agent a command line means."""

from __future__ import annotations

from cli.runs import (
    BPO,
    Ask,
)


def test_a_users_own_task_has_a_bpo_agent(ask: Ask) -> None:
    answer = ask("train", "--task", "Users-Go1", "--algo", "bpo")
    assert answer["args"]["agent"] == BPO
