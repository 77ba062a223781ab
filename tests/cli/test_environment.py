# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Environments of somebody else that raise: in the making, at the first reset, in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.starts import Start

MODULE = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Raising(CartPoleEnv):
    steps = 0

    def __init__(self, when, **kwargs):
        super().__init__(**kwargs)
        self.when = when
        self.fail("making")

    def fail(self, what):
        if what == self.when:
            raise LookupError(f"no luck\\nin {what}")

    def reset(self, **kwargs):
        self.fail("resetting")
        return super().reset(**kwargs)

    def step(self, action):
        self.steps += 1
        if self.steps > 40:
            self.fail("stepping")
        return super().step(action)

for when in ("making", "resetting", "stepping"):
    gymnasium.register(f"Raising-{when}-v0", "raising:Raising", kwargs={"when": when}, max_episode_steps=500)
"""


@pytest.mark.parametrize(("when", "code"), [("making", 2), ("resetting", 2), ("stepping", 1)])
def test_an_environment_that_raises_ends_with_a_sentence(start: Start, tmp_path: Path, when: str, code: int) -> None:
    (tmp_path / "raising.py").write_text(MODULE)
    task = ("--task", "Gym-CartPole-v1", f"env.id=raising:Raising-{when}-v0", "--num_envs", "2")
    done = start("train", *task, "--max_iterations", "5", "agent.num_steps_per_env=16", "agent.save_interval=1000")
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stdout + done.stderr
    assert f"LookupError: no luck in {when}" in done.stderr
    folders = list(tmp_path.glob("logs/rsl_rl/*/*"))
    if when != "stepping":
        assert folders == []
        return
    (folder,) = folders
    assert {"model_1.pt", "environment_error.txt"} <= {path.name for path in folder.iterdir()}  # 32 steps were learned
    assert str(folder / "model_1.pt") in done.stderr
    assert "raising.py" in (folder / "environment_error.txt").read_text()
