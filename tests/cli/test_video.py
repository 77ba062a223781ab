# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The look at a video's file."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from e2e.process import run


def check_video(folder: Path, since: float) -> str:
    """Return the mistake that play.py finds in the videos of ``folder``."""
    code = "import pathlib, sys; from isaaclab_bpo.cli import video; video.check(pathlib.Path(), float(sys.argv[1]))"
    done = run(sys.executable, "-c", code, str(since), cwd=folder)
    assert "UserError: " in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "left no video"), (b"", "holds no frames"), (b"no video", "holds no frames")]
)
def test_video_that_failed_is_an_error(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "clip_model_2_0000.mp4").write_bytes(content)
    assert complaint in check_video(tmp_path, since=0.0)


def test_video_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "clip_model_2_0000.mp4").touch()
    assert "left no video" in check_video(tmp_path, since=time.time() + 1)
