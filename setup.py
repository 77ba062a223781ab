# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``pyproject.toml`` cannot say: the version is that of ``extension.toml``.

The license is here because as an SPDX expression in ``pyproject.toml`` it needs a newer ``packaging`` than OvPhysX
allows, and the project could no longer be built inside an environment that has Isaac Lab.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from setuptools import setup

extension = tomllib.loads((Path(__file__).parent / "extension.toml").read_text(encoding="utf-8"))
setup(version=extension["package"]["version"], license="BSD-3-Clause")
