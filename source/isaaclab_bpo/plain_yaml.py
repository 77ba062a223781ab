# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Reads YAML files that come from somebody else."""

from __future__ import annotations

from typing import Any

import yaml


class _PlainLoader(yaml.SafeLoader):
    pass


_PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)


def read_plain_yaml(text: str) -> Any:
    """Read plain YAML: what would need Python (tuples, slices, functions) becomes None, so no file can run code.

    Args:
        text: Contents of the file.

    Returns:
        Mappings, lists, texts, numbers, booleans and None.

    Raises:
        yaml.YAMLError: If it is no YAML.
    """
    return yaml.load(text, _PlainLoader)
