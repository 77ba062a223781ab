# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Play a trained policy, like ``isaaclab_bpo play``."""

import sys

from isaaclab_bpo.cli.main import main

if __name__ == "__main__":
    main(["play", *sys.argv[1:]])
