# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which terms of the observations the columns of an observation group are, for sentences about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def observation_terms(env: Any) -> dict[str, list[str]]:
    """Return the name of the term that each column of an observation group belongs to.

    Args:
        env: An rsl_rl environment. If the environment that it wraps has an observation manager, as Isaac Lab's and
            mjlab's have, the terms are that one's; otherwise none are known.

    Returns:
        Names by group, one per column, of the groups that are concatenated from terms of one dimension.
    """
    manager = getattr(getattr(env, "unwrapped", None), "observation_manager", None)
    if manager is None:
        return {}
    terms = {}
    for group, names in manager.active_terms.items():
        shapes = manager.group_obs_term_dim[group]
        if all(len(shape) == 1 for shape in shapes):
            terms[group] = [name for name, (size,) in zip(names, shapes, strict=True) for _ in range(size)]
    return terms


def name_columns(env: Any, columns: Mapping[str, list[int]]) -> str:
    """Return observation groups with the terms of some of their columns, or the columns where no terms are known.

    Args:
        env: An rsl_rl environment.
        columns: Indices of columns by observation group.
    """
    terms = observation_terms(env)
    named = []
    for group, indices in columns.items():
        names = terms.get(group, [])
        if indices and max(indices) < len(names):
            of_columns = dict.fromkeys(repr(names[index]) for index in indices)
            named.append(f"observation group {group!r}, term {' and '.join(of_columns)}")
        else:
            first, more = ", ".join(map(str, indices[:10])), f" and {len(indices) - 10} more" if indices[10:] else ""
            named.append(f"observation group {group!r}, columns {first}{more}")
    return "; ".join(named)
