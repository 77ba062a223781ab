# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What Isaac Lab loads through the entry-point group ``isaaclab.tasks``.

Importing this package registers agents and tasks, and does nothing else.
"""

from .registry import AGENT_KEY, canonical_id, register

register()

__all__ = ["AGENT_KEY", "canonical_id", "register"]
