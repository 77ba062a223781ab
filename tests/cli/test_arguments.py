# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The arguments of a command line."""

from __future__ import annotations

import time
from pathlib import Path

from cli.runs import (
    G1,
)
from e2e.process import PLAY, TRAIN, run


def test_unknown_algorithm_is_refused_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    done = run(*TRAIN, "--task", G1, "--algo", "dpo", cwd=tmp_path)
    assert done.returncode == 2
    assert "invalid choice: 'dpo' (choose from 'bpo', 'ppo')" in done.stderr
    assert time.monotonic() - start < 15  # Isaac Lab was not even imported


def test_help_shows_our_arguments_and_isaaclabs(tmp_path: Path) -> None:
    for command in (TRAIN, PLAY):
        done = run(*command, "--help", cwd=tmp_path)
        assert done.returncode == 0
        for argument in ("--algo {bpo,ppo}", "--assets {auto,nvidia,standin}", "--num_envs", "--checkpoint", "--viz"):
            assert argument in done.stdout
