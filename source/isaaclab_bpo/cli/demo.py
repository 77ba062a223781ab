# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The demonstration: a policy that comes with the package, and the arguments of ``play`` that film it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import UserError

POLICY = Path(__file__).parent / "data" / "go1_flat.pt"
"""Go1 on flat ground; how it was trained is said in the file beside it."""

FOLDER = Path("demo")
"""What a demonstration leaves is put here, below the working directory."""

USAGE = """\
usage: isaaclab_bpo demo [ARG ...]

Quadrupeds, stand-ins of Unitree's Go1 that have learned with BPO, walk in the simulation. Green arrows are the velocity
that they are asked for, and blue ones their own. The film is demo/go1.mp4 and demo/go1.gif. All arguments of play may
be added, for example --video_length 500."""

ARGUMENTS = (
    *("--task", "IsaacContrib-Velocity-Flat-UnitreeGo1", "--assets", "standin", "--num_envs", "6", "--seed", "1"),
    *("--video", "--video_length", "200", "--video_size", "640x360", "physics=ovphysx"),
    "env.commands.base_velocity.ranges.lin_vel_x=[0.7,0.7]",
    "env.commands.base_velocity.ranges.lin_vel_y=[0.0,0.0]",
    "env.commands.base_velocity.ranges.ang_vel_z=[0.0,0.0]",
    "env.commands.base_velocity.heading_command=false",
    "env.commands.base_velocity.rel_standing_envs=0.0",
)
"""The robots are told to walk ahead, as they have learned."""


def arguments(given: Sequence[str]) -> list[str]:
    """Put the policy into a folder of its own, and return the arguments with which ``play`` shows it.

    Args:
        given: What the user adds, which wins.

    Raises:
        UserError: If the engine is missing that the policy knows, or the folder cannot be written.
    """
    if importlib.util.find_spec("ovphysx") is None:
        raise UserError("the demonstration needs OvPhysX: install the extra isaaclab_bpo[ovphysx]")
    checkpoint = FOLDER / "model_go1.pt"
    try:
        FOLDER.mkdir(exist_ok=True)
        shutil.copyfile(POLICY, checkpoint)
    except OSError as error:
        raise UserError(f"{str(FOLDER.absolute())!r} cannot be written: {error.strerror}; start elsewhere") from None
    return [*ARGUMENTS, "--checkpoint", str(checkpoint), *given]


def finish() -> str:
    """Move the newest film to its place, make a GIF of it, and return a sentence that names both.

    Raises:
        UserError: If no GIF can be made of it.
    """
    import imageio_ffmpeg

    film, gif = FOLDER / "go1.mp4", FOLDER / "go1.gif"
    newest = max((FOLDER / "videos" / "play").glob("*.mp4"), key=lambda path: path.stat().st_mtime)
    newest.replace(film)
    # 25 pictures a second in the colours that the film has
    filters = "fps=25,scale=480:-1:flags=lanczos,split[a][b];[a]palettegen=max_colors=64[p];[b][p]paletteuse"
    command = (imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(film), "-vf", filters, str(gif))
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError(f"{str(gif)!r} cannot be made: {' '.join(done.stderr.split())}")
    return f"The film is in {film}, and as a GIF in {gif}"
