# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Train a policy with BPO or PPO, like ``isaaclab_bpo train``."""

import sys

from isaaclab_bpo.cli.main import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
