# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""TensorBoard beside a package whose plug-in cannot be imported, as Open3D's on a system without libusb."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from e2e.process import ROOT, environment


def test_curves_are_served_although_a_plugin_fails(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "logs" / "rsl_rl" / "walk" / "1")) as writer:
        writer.add_scalar("Train/mean_reward", 1.0, 0)
    (tmp_path / "broken_plugin.py").write_text("raise OSError('libusb-1.0.so.0: cannot open shared object file')\n")
    info = tmp_path / "broken_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken_plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tensorboard_plugins]\nbroken = broken_plugin:Plugin\n")
    variables = environment() | {"PYTHONPATH": f"{ROOT / 'source'}:{tmp_path}"}

    plain = subprocess.run(
        (sys.executable, "-m", "tensorboard.main", "--logdir", "logs"), cwd=tmp_path, env=variables, capture_output=True
    )
    assert b"OSError: libusb" in plain.stderr

    command = (sys.executable, "-m", "isaaclab_bpo", "curves", "--port", "0", "--load_fast", "false")
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        printed = ""
        for line in process.stderr:
            printed += line
            if "http://" in line:
                break
        address = next((word for word in printed.split() if word.startswith("http://")), "")
        assert address, printed
        page = urllib.request.urlopen(address, timeout=60.0).read()
        process.terminate()
    assert b"TensorBoard" in page
