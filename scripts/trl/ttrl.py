# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Improve a language model by the majority of its own answers, like ``isaaclab_bpo ttrl``."""

import sys

from isaaclab_bpo.cli.main import main

if __name__ == "__main__":
    main(["ttrl", *sys.argv[1:]])
