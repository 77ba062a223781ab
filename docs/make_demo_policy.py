# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Write the policy that ``isaaclab_bpo demo`` shows: the actor of a checkpoint, and the configuration of its networks.

Usage: make_demo_policy.py CHECKPOINT
"""

from __future__ import annotations

import sys
from pathlib import Path

from isaaclab_bpo.cli.demo import POLICY
from isaaclab_bpo.runners import read, write

checkpoint = read(Path(sys.argv[1]), "cpu")
kept = {name: checkpoint[name] for name in ("actor_state_dict", "cfg", "iter", "versions") if name in checkpoint}
# What playing does not load, although a checkpoint has it
absent = {"critic_state_dict": {}, "optimizer_state_dict": {"state": {}, "param_groups": []}}
write(kept | absent, POLICY)
print(f"{POLICY}: {POLICY.stat().st_size / 1e3:.0f} kB")
