# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run episodes of a trained policy, like ``isaaclab_bpo evaluate``."""

import sys

from isaaclab_bpo.cli.main import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
