# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The console command, where the package is on the path without being installed."""

from isaaclab_bpo.cli.main import main

main()
