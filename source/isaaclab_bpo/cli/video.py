# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``--video`` needs beyond Isaac Lab: a camera on the robot, films of Gymnasium's tasks, a look at the file."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from gymnasium.vector import VectorEnv
    from isaaclab.envs import ManagerBasedRLEnv


def prepare(args: argparse.Namespace, env_cfg: Any) -> None:
    """Give an environment configuration a camera that follows the robot.

    Isaac Lab's fixed camera looks at the origin of the world, where on generated terrain no robot is. Without Isaac
    Sim, whose viewport Isaac Lab films by default, Newton's OpenGL viewer films off-screen.

    Args:
        args: The parsed arguments with ``--video``; without Isaac Sim, the viewer is named in them.
        env_cfg: The resolved configuration.

    Raises:
        UserError: If a video cannot be written here.
    """
    from isaaclab.assets import ArticulationCfg
    from isaaclab.managers import EventTermCfg
    from isaaclab_visualizers.newton import NewtonGLVisualizerCfg

    if args.frontend != "torch":
        raise UserError(f"--video needs --frontend torch, not {args.frontend!r}")
    if importlib.util.find_spec("moviepy") is None or importlib.util.find_spec("moviepy.editor") is None:
        raise UserError("--video needs moviepy < 2: install the extra isaaclab_bpo[isaaclab] or isaaclab[video]")

    robot = next((name for name, cfg in vars(env_cfg.scene).items() if isinstance(cfg, ArticulationCfg)), None)
    if robot is not None and hasattr(env_cfg, "events"):
        env_cfg.events.follow_robot = EventTermCfg(
            func=follow_robot,
            mode="interval",
            interval_range_s=(0.0, 0.0),  # every step
            is_global_time=True,
            params={"asset_name": robot},
        )
    if not args.visualizer and importlib.util.find_spec("isaacsim") is None:
        args.visualizer = ["newton_gl"]  # Newton loads what robots look like only for a viewer that is named here
        width, height = args.video_size
        env_cfg.sim.visualizer_cfgs = [
            NewtonGLVisualizerCfg(headless=True, window_width=width, window_height=height, streaming_view=False)
        ]


def follow_robot(env: ManagerBasedRLEnv, env_ids: torch.Tensor | None, asset_name: str) -> None:
    """Point the camera at the robot of environment 0, from a distance that suits its height.

    Args:
        env: The environment.
        env_ids: The environments that the event is for; the camera has one target, so it is not used.
        asset_name: Name of the robot in the scene.
    """
    robot = env.scene[asset_name]
    x, y, z = robot.data.root_pos_w.torch[0].tolist()
    distance = 0.25 + 1.1 * robot.cfg.init_state.pos[2]  # [m], from the height of the root above the ground
    # looking down at 40 degrees, steeper than any terrain rises, so the camera stays above ground
    env.sim.set_camera_view((x + distance, y - distance, z + 1.2 * distance), (x, y, z))


@contextlib.contextmanager
def film(path: Path, env: VectorEnv) -> Iterator[Callable[[], None]]:
    """Film the first copy of an environment of Gymnasium.

    Args:
        path: The file to write.
        env: The environment, with the render mode "rgb_array".

    Yields:
        A function that adds what the environment shows now.

    Raises:
        UserError: If the environment cannot be drawn here.
    """
    import gymnasium
    import imageio_ffmpeg
    import numpy as np

    def draw() -> np.ndarray:
        try:
            return np.ascontiguousarray(env.render()[0])  # type: ignore[index]
        except (gymnasium.error.Error, ImportError, RuntimeError) as error:  # of a library or a display that is missing
            raise UserError(f"--video cannot draw the environment: {error}") from None

    height, width, _ = draw().shape
    path.parent.mkdir(parents=True, exist_ok=True)
    fps = env.metadata.get("render_fps", 30)
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=fps, macro_block_size=2)
    writer.send(None)
    try:
        yield lambda: writer.send(draw())
    finally:
        writer.close()


def check(folder: Path, since: float) -> str:
    """Return a sentence that names the video in ``folder``, written after ``since`` [s since the epoch].

    Raises:
        UserError: If there is none, or it does not decode.
    """
    import imageio_ffmpeg

    videos = [path for path in folder.glob("*.mp4") if path.stat().st_mtime >= since]
    if not videos:
        raise UserError(f"--video left no video in {str(folder)!r}: the messages above say why")
    video = max(videos, key=lambda path: path.stat().st_mtime)
    try:
        frames, _ = imageio_ffmpeg.count_frames_and_secs(str(video))
    except RuntimeError:  # ffmpeg's complaint about a file that is no video
        frames = 0
    if not frames:
        raise UserError(f"--video left {str(video)!r}, which holds no frames")
    return f"Video: {video} ({frames} frames)"
