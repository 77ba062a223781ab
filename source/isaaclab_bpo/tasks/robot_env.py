# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The environments of the paper's robots, for which this package has stand-in files."""

from __future__ import annotations

from typing import Any

from isaaclab.envs import ManagerBasedRLEnv

from isaaclab_bpo.compatibility import serve_pinned_memory_without_cuda
from isaaclab_bpo.robots import select_assets


def make_robot_env(cfg: Any, **kwargs: Any) -> ManagerBasedRLEnv:
    """Make Isaac Lab's environment of a robot, with the stand-in files where NVIDIA's are out of reach.

    Args:
        cfg: Configuration of the environment, whose paths are changed to those of the stand-ins.
        **kwargs: Further arguments of the environment.

    Raises:
        SystemExit: If ``ISAACLAB_BPO_ASSETS`` is wrong or the stand-ins cannot be built; with one sentence.
    """
    try:
        select_assets(env_cfg=cfg)
    except (ValueError, RuntimeError) as error:
        raise SystemExit(f"[isaaclab_bpo] {error}") from None
    if type(cfg.sim.physics).__name__ == "OvPhysxCfg":
        serve_pinned_memory_without_cuda()
    return ManagerBasedRLEnv(cfg, **kwargs)
