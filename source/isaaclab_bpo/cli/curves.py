# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""TensorBoard without the plug-ins of other packages, of which a single one that fails ends it.

Isaac Lab installs Open3D, whose plug-in needs libusb, which a plain system lacks.
"""

from __future__ import annotations

from collections.abc import Sequence

from .run_folder import ROOT


def run(arguments: Sequence[str]) -> int:
    """Serve the curves of all runs below the working directory; return the exit code.

    Args:
        arguments: TensorBoard's, which win.
    """
    from tensorboard import default, program

    board = program.TensorBoard(plugins=default.get_static_plugins())
    board.configure(("tensorboard", "--logdir", str(ROOT), *arguments))
    return board.main()
