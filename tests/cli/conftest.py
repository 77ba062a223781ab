# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A process that translates command lines, for all tests of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.runs import Ask
from cli.starts import Start, serve, starter
from e2e.process import environment

# Imports Isaac Lab once and translates one command line after the other, as the command does with its only one.
WORKER = """
import json, os, sys

from isaaclab_bpo.robots import select_assets
select_assets("auto")  # as the command for a robot does, before Isaac Lab reads where they are
from isaaclab_bpo.cli.command import translate
from isaaclab_bpo.cli.errors import UserError
from isaaclab_bpo.runners import plain
from isaaclab.utils import to_dict
sys.path.append(sys.argv[1])  # the last place, so that its entry point is found after ours
for line in sys.stdin:
    folder, action, argv = json.loads(line)
    os.chdir(folder)
    try:
        command = translate(action, argv)
        given = len([token for token in argv if "=" in token and not token.startswith("-")])
        answer = dict(
            args=vars(command.args),
            overrides=command.overrides,
            added=command.overrides[given:],
            notes=command.notes,
            checkpoint=command.args.checkpoint,
            num_envs=command.args.num_envs or command.env_cfg.scene.num_envs,
            max_iterations=command.agent_cfg.max_iterations,
            agent=plain(to_dict(command.agent_cfg)),
        )
    except UserError as error:
        answer = dict(error=str(error))
    print("ANSWER", json.dumps(answer), flush=True)
"""


USERS_TASK = """
import gymnasium
import isaaclab_tasks

kwargs = gymnasium.spec("IsaacContrib-Velocity-Flat-UnitreeGo1").kwargs
keys = ("env_cfg_entry_point", "rsl_rl_cfg_entry_point")
gymnasium.register("Users-Go1", "isaaclab.envs:ManagerBasedRLEnv", kwargs={key: kwargs[key] for key in keys})
"""


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    project = tmp_path_factory.mktemp("project")
    (project / "users_tasks.py").write_text(USERS_TASK)
    info = project / "users_tasks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: users_tasks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[isaaclab.tasks]\nusers_tasks = users_tasks\n")
    process = subprocess.Popen(
        (sys.executable, "-c", WORKER, str(project)),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate()


@pytest.fixture
def ask(worker: subprocess.Popen[str], tmp_path: Path) -> Ask:
    """Return a function that translates a command line given in the folder ``tmp_path``."""

    def ask(action: str, *argv: str) -> dict:
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(json.dumps([str(tmp_path), action, argv]), file=worker.stdin, flush=True)
        for line in worker.stdout:
            if line.startswith("ANSWER "):
                return json.loads(line.removeprefix("ANSWER "))
        raise AssertionError("the worker ended")

    return ask


@pytest.fixture(scope="session")
def server() -> Iterator[subprocess.Popen[str]]:
    process = serve()
    yield process
    process.communicate()


@pytest.fixture
def start(server: subprocess.Popen[str], tmp_path: Path) -> Start:
    """Return a function that starts the command in the folder ``tmp_path``."""
    return starter(server, tmp_path)
