# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What Isaac Lab loads through the entry-point group ``isaaclab.tasks``.

Importing this package prepares the machine (stand-in assets where NVIDIA's server is out of reach, OvPhysX without
CUDA), gives every rsl_rl task an agent configuration for BPO, and keeps the ids of Isaac Lab 2.x valid.
"""

from isaaclab_bpo.compatibility import serve_pinned_memory_without_cuda
from isaaclab_bpo.robots import select_assets

# Isaac Lab reads the asset root when its modules are imported, so this comes before them.
try:
    select_assets()
except (ValueError, RuntimeError) as error:  # a wrong setting, an unwritable cache: for the user of a command line
    raise SystemExit(f"[isaaclab_bpo] {error}") from None
serve_pinned_memory_without_cuda()

from .registry import AGENT_KEY, canonical_id, register  # noqa: E402

register()

__all__ = ["AGENT_KEY", "canonical_id", "register"]
