# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether the CPU computes in bfloat16.

What fails: torch's autocast takes bfloat16 on every CPU and says nothing where it has no units for it, which is eight
times slower than float32.

When to delete it: once torch warns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def cpu_features() -> Mapping[str, Any]:
    """Return the features of this CPU by their names, nothing with torch < 2.11."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def lacks_bfloat16(features: Mapping[str, Any]) -> bool:
    """Return whether a CPU, given its features, is known to have no units for bfloat16."""
    return bool(features) and not any(has for name, has in features.items() if "bf16" in name)
