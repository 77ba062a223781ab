# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The task and the agent that a command line names."""

from __future__ import annotations

import importlib.util
import re

from isaaclab_bpo.agents import AGENT_KEYS
from isaaclab_bpo.command_line import similar

from .arguments import Action
from .configuration import load
from .errors import UserError


def find_agent(algo: str | None, agent: str | None) -> str:
    """Return the key of the agent configuration that ``--algo`` and ``--agent`` ask for."""
    if agent is None:
        return AGENT_KEYS[algo or "bpo"]
    if algo is not None and AGENT_KEYS[algo] != agent:
        raise UserError(f"--algo {algo} means --agent {AGENT_KEYS[algo]} but --agent is {agent!r}: give one of the two")
    return agent


def find_task(action: Action, name: str | None, agent: str) -> str:
    """Return the id of a registered task that has the ``agent`` configuration, in Isaac Lab 3.0's naming.

    Isaac Lab 3.0 plays under the id that it trained under. A Play id of 2.x is only kept to train in that environment.
    """
    import gymnasium as gym
    from isaaclab_rl.entrypoints.common import normalize_task_name

    from isaaclab_bpo.tasks import canonical_id

    tasks = {key: spec.kwargs for key, spec in gym.registry.items() if "env_cfg_entry_point" in spec.kwargs}
    if name is None:
        raise UserError("--task is missing: give the id of a task, for example --task Isaac-Velocity-Rough-G1-v0")
    task = normalize_task_name(name)
    if action != "train" or not task.endswith("-Play-v0"):
        task = canonical_id(task)
    if task not in tasks:
        if importlib.util.find_spec("ale_py") is None and re.search("NoFrameskip-v|ALE/", task):
            raise UserError(f"--task {name!r} needs Atari's games: install the extra isaaclab_bpo[atari]")
        raise UserError(f"--task {name!r} is not a registered task{similar(name, tasks)}")
    if agent not in tasks[task]:
        agents = sorted(key for key in tasks[task] if key.startswith("rsl_rl_") and key.endswith("_cfg_entry_point"))
        if not agents:
            raise UserError(f"--task {task!r} has no rsl_rl configuration, so neither BPO nor PPO can train it")
        raise UserError(f"--task {task!r} has no agent configuration {agent!r}: valid are {', '.join(agents)}")
    try:
        load(task, agent)
    # a PPO configuration that BPO cannot take over, or an environment of Gymnasium that cannot be made
    except (ValueError, gym.error.Error) as error:
        raise UserError(f"--task {task!r} has no configuration for --agent {agent}: {error}") from error
    return task
