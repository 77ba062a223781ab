# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""mjlab's own command on the tasks that the entry point adds, in an environment of its own with each rsl_rl."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from e2e.process import ROOT, run


@pytest.mark.slow
@pytest.mark.parametrize("rsl_rl", ["5.4.2", "5.5.1"])
def test_mjlabs_command_trains_with_bpo(rsl_rl: str, tmp_path: Path) -> None:
    uv, python = str(Path(sys.executable).with_name("uv")), str(tmp_path / "venv" / "bin" / "python")
    (tmp_path / "override.txt").write_text(f"rsl-rl-lib=={rsl_rl}\n")  # mjlab pins one
    packages = ("--override", "override.txt", "mjlab==1.6.0", f"torch=={version('torch')}", "--editable", str(ROOT))
    for install in (("venv", "--python", sys.executable, "venv"), ("pip", "install", "--python", python, *packages)):
        done = run(uv, *install, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]

    small = ("--env.scene.num-envs", "8", "--agent.max-iterations", "2", "--agent.logger", "tensorboard")
    given = (*small, "--agent.algorithm.temperature", "0.02", "--gpu-ids", "None")
    done = run(python, "-m", "mjlab.scripts.train", "Mjlab-Velocity-Rough-Unitree-Go1-BPO", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Mean median loss" in done.stdout
    assert "BPO/kl:" in done.stdout  # which is no loss
    assert "Mean kl loss" not in done.stdout
    (parameters,) = tmp_path.glob("logs/rsl_rl/*_bpo/*/params/agent.yaml")
    text = parameters.read_text()
    assert "clip_param: 0.3" in text  # the paper's for Go1
    assert "temperature: 0.02" in text
