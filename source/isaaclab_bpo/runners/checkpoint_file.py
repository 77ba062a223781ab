# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoint files: written whole or not at all, read without running code."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .checkpoint import CheckpointError


def write(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint, so that at any instant ``path`` is the whole new file, or what it was before.

    Args:
        checkpoint: Tensors and plain data.
        path: The file. The folder must exist.

    Raises:
        OSError: If it cannot be written, for example because the disk is full.
    """
    # Through memory, since torch's own writer, stopped by a full disk, aborts the process
    content = io.BytesIO()
    torch.save(checkpoint, content)
    # In the same folder, hence on the same file system; the next save overwrites what a killed one left
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, must survive a crash of the machine
    finally:
        os.close(folder)


def read(path: Path, map_location: str | None = None) -> Any:
    """Read a checkpoint of tensors and plain data.

    Args:
        path: The file.
        map_location: Device that the tensors are put on, see :func:`torch.load`.

    Returns:
        What the file holds.

    Raises:
        CheckpointError: If the file cannot be read, is not whole, or holds anything else; no code in it is run.
    """
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except Exception:  # what a damaged or hostile file provokes in torch is of many types
        raise CheckpointError(
            f"{str(path)!r} is not a whole file of tensors and plain data, as checkpoints are: it was cut short or "
            "damaged, or is something else; name another one"
        ) from None


def prune(folder: Path, keep: int, written: Sequence[Path] = ()) -> None:
    """Delete all checkpoints ``model_<iteration>.pt`` but those that were written last.

    Args:
        folder: Folder of a run.
        keep: How many to keep.
        written: The files that this process wrote, the newest last: times do not tell where a clock was set back.
    """
    checkpoints = [path for path in folder.iterdir() if re.fullmatch(r"model_\d+\.pt", path.name)]
    order = {path: index for index, path in enumerate(written)}
    checkpoints.sort(key=lambda path: (order.get(path, -1), path.stat().st_mtime_ns))
    for path in checkpoints[:-keep]:
        path.unlink(missing_ok=True)
