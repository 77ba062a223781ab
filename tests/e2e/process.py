# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runs the commands that users type, in processes and folders of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).parents[2]
TIMEOUT = 900  # [s]; a start takes 40 on two idle cores
TRAIN = (str(ROOT / "isaaclab.sh"), "-p", "scripts/rsl_rl/train.py")
DIAGNOSTICS = ("ratio_deviation", "clip_fraction", "above_median", "median_deviation", "kl")
PLAY = (str(ROOT / "isaaclab.sh"), "-p", "scripts/rsl_rl/play.py")


def environment() -> dict[str, str]:
    """The variables of a shell in which the tests' Python environment is active; robots are the stand-ins."""
    unset = ("ISAACSIM_ASSET_ROOT", "PYTHONHOME")
    variables = {key: value for key, value in os.environ.items() if key not in unset}
    variables["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), variables["PATH"]))
    variables["VIRTUAL_ENV"] = sys.prefix
    variables["ISAACLAB_BPO_ASSETS"] = "standin"
    variables["OMP_NUM_THREADS"] = "1"  # tests run side by side
    return variables


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in the folder ``cwd`` and return what became of it."""
    return subprocess.run(
        command, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
    )


@dataclass
class Training:
    """A finished training."""

    folder: Path
    """The run's folder."""
    output: str
    """What was printed."""

    @property
    def cwd(self) -> Path:
        """The folder that the command ran in: ``<cwd>/logs/rsl_rl/<experiment>/<run>``."""
        return self.folder.parents[3]

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint."""
        return max(self.folder.glob("model_[0-9]*.pt"), key=lambda path: int(path.stem.removeprefix("model_")))

    def load(self) -> dict:
        """Return the content of the newest checkpoint."""
        return torch.load(self.checkpoint, map_location="cpu", weights_only=True)

    def algorithm(self) -> str:
        """Return the class of the algorithm in the stored agent configuration."""
        return self._params("agent")["algorithm"]["class_name"]

    def physics(self) -> str:
        """Return the class of the physics manager in the stored environment configuration."""
        return self._params("env")["sim"]["physics"]["class_type"].rpartition(":")[2]

    def _params(self, name: str) -> dict:
        return yaml.unsafe_load((self.folder / "params" / f"{name}.yaml").read_text())  # written by the command itself


def train(*command: str, cwd: Path) -> Training:
    """Run the training ``command``, which must succeed, and return its run: the newest one in ``cwd``."""
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return newest(cwd, done.stdout)


def newest(cwd: Path, output: str) -> Training:
    """Return the newest run in ``cwd``."""
    runs = list(cwd.glob("logs/rsl_rl/*/*/run.json"))
    assert runs, output[-3000:]
    return Training(folder=max(runs, key=lambda path: path.stat().st_mtime).parent, output=output)


def check_run(training: Training, algorithm: str) -> None:
    """Check the checkpoint, the stored configuration, the printed tables and the tensorboard events of a training."""
    checkpoint = training.load()
    assert checkpoint["iter"] == 2
    assert all(torch.isfinite(value).all() for value in checkpoint["actor_state_dict"].values())
    assert training.algorithm().endswith(algorithm)

    events = EventAccumulator(str(training.folder))
    events.Reload()
    scalars = set(events.Tags()["scalars"])
    assert {"Loss/value", "Loss/surrogate", "Policy/mean_std"} <= scalars  # no reward: no episode need end so soon
    assert ("Mean median loss:" in training.output) == ("Loss/median" in scalars) == (algorithm == "BPO")
    for term in DIAGNOSTICS:
        assert (f"BPO/{term}:" in training.output) == (f"BPO/{term}" in scalars) == (algorithm == "BPO")
        assert f"Mean {term} loss:" not in training.output
    assert "Learning iteration 2/3" in training.output
    assert [event.step for event in events.Scalars("Loss/value")] == [0, 1, 2]
