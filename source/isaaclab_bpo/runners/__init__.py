# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A runner that survives kills, preemption, full disks and hostile checkpoints."""

from .checkpoint import CheckpointError, check_content
from .checkpoint_file import prune, read, write
from .configuration import network_changes, plain
from .durable_runner import BEST, DurableRunner
from .environment import EnvironmentFailedError, guarded, keep_traceback
from .preemption import INTERRUPTED, PREEMPTED, Preemption

__all__ = [
    "BEST",
    "INTERRUPTED",
    "PREEMPTED",
    "CheckpointError",
    "DurableRunner",
    "EnvironmentFailedError",
    "Preemption",
    "check_content",
    "guarded",
    "keep_traceback",
    "network_changes",
    "plain",
    "prune",
    "read",
    "write",
]
