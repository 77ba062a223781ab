# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The folder of a run: what it may be called, that no two runs share one, and that a refused start leaves none."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import UserError

ROOT = Path("logs", "rsl_rl")
"""Where runs are saved, below the working directory."""

ATTEMPTS = 1000
"""Starts in a second, with room to spare."""

LONGEST = 240
"""Bytes that the name of a run's folder may have; file systems allow 255, and a number may be added."""


def check_run_folder(args: argparse.Namespace, agent_cfg: Any) -> None:
    """Refuse names of which no folder can be made, or none that ``--checkpoint latest`` finds, and a folder in use."""
    names = {"experiment_name": agent_cfg.experiment_name, "run_name": agent_cfg.run_name}
    names["run_timestamp"] = args.run_timestamp or ""
    for option, name in names.items():
        if name in (".", "..") or "/" in name or "\\" in name or not name.isprintable():
            raise UserError(
                f"--{option} {name!r} cannot name a folder: it must hold no separators and no control characters"
            )
    folder = ROOT / names["experiment_name"] / _name(args.run_timestamp or "2000-01-01_00-00-00", names["run_name"])
    for option, name in {"experiment_name": folder.parent.name, "run_name": folder.name}.items():
        if (length := len(os.fsencode(name))) > LONGEST:
            raise UserError(f"--{option} makes a folder's name of {length} bytes: shorten it to {LONGEST}")
    _check_is_writable(folder.parent.resolve())

    continued = args.checkpoint is not None and Path(args.checkpoint).resolve().parent == folder.resolve()
    if args.run_timestamp is not None and not continued and any(folder.glob("model_*.pt")):
        raise UserError(
            f"--run_timestamp {args.run_timestamp!r} names {str(folder)!r}, where a run has left checkpoints: continue "
            f"it with --checkpoint {folder}, or choose another name"
        )


def _check_is_writable(folder: Path) -> None:
    """Refuse a folder in which no run can be saved."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        reason = "not writable" if existing.is_dir() else "a file"
        raise UserError(
            f"runs are saved in {str(folder)!r}, and {str(existing)!r} is {reason}: start in another folder"
        )


@contextlib.contextmanager
def run_folder(experiment: str, run: str, timestamp: str | None) -> Iterator[Path]:
    """Make the folder of a run, which the first of several ranks does, and remove it if the start is refused.

    Args:
        experiment: Name of the folder above it.
        run: What follows the time in its name; may be empty.
        timestamp: What takes the place of the time; then the folder may be there already.

    Yields:
        The folder, absolute. One that is named by the time belongs to nobody else.

    Raises:
        UserError: If it cannot be made.
    """
    above, is_new = (ROOT / experiment).resolve(), False
    folder = above / _name(timestamp or "", run)
    if int(os.environ.get("RANK", "0")) == 0:
        try:
            if timestamp is None:
                folder, is_new = _make(above, run), True
            else:
                is_new = not folder.exists()
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"runs are saved in {str(above)!r}, where no folder can be made: {error}") from None
    try:
        if timestamp is None and os.environ.get("WORLD_SIZE", "1") != "1":
            folder = above / _from_first_rank(folder.name)
        yield folder
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # not empty
                for path in folder.parents[: len(ROOT.parts) + 1]:
                    path.rmdir()
        raise


def _make(above: Path, run: str) -> Path:
    """Make a folder that did not exist, named by the time and, if others start in the same second, a number."""
    time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(1, ATTEMPTS):
        folder = above / _name(time if number == 1 else f"{time}-{number}", run)
        # another start took it, or was refused and removed the empty folders above
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            folder.mkdir(parents=True)
            return folder
    raise OSError(f"{ATTEMPTS} names are in use")


def _from_first_rank(name: str) -> str:
    """Return the name that the first rank gives, over the store that torchrun keeps for its processes."""
    from torch.distributed import TCPStore  # type: ignore[reportPrivateImportUsage]

    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        raise UserError("processes that torchrun did not start need --run_timestamp NAME, the same for all of them")
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    key = f"isaaclab_bpo/run_folder/{os.environ.get('TORCHELASTIC_RESTART_COUNT')}"
    if os.environ["RANK"] == "0":
        store.set(key, name)
    return store.get(key).decode()


def _name(time: str, run: str) -> str:
    return "_".join(filter(None, (time, run)))
