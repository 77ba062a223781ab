# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Chooses between NVIDIA's asset server and the stand-in assets.

Isaac Lab reads ``ISAACSIM_ASSET_ROOT`` when ``isaaclab.utils.assets`` is imported, so no module of it is imported here
before the choice is made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from isaaclab_bpo import __version__

ASSET_MODES = ("auto", "nvidia", "standin")
"""What ``--assets`` and ``ISAACLAB_BPO_ASSETS`` accept."""

PROBE_TIMEOUT = 3.0
"""How long the asset server has to answer [s], name resolution included."""

PROBE_LIFETIME = 3600.0
"""How long an answer, or its absence, is remembered [s]."""

_PROBE_FILE = "Isaac/Props/UIElements/arrow_x.usd"  # a few kB that every velocity task loads
_CHINA_ASSET_ROOT = "https://simready-cn.s3.oss-cn-shanghai.aliyuncs.com/Assets/Isaac/6.2"  # as in isaaclab 3.0.0


def select_assets(mode: str | None = None, env_cfg: Any = None) -> None:
    """Let Isaac Lab load the stand-in assets if NVIDIA's are out of reach.

    An ``ISAACSIM_ASSET_ROOT`` that is set already, by the user or by an earlier call, is left alone.

    Args:
        mode: ``"auto"`` takes the stand-ins if the asset server does not answer, ``"nvidia"`` never, ``"standin"``
            always. ``None`` reads the environment variable ``ISAACLAB_BPO_ASSETS``, default ``"auto"``.
        env_cfg: Configuration of the environment that is about to be made, needed where Isaac Lab is imported
            already: its paths are changed to those of the stand-ins.

    Raises:
        ValueError: If the mode is none of these.
        RuntimeError: If the stand-ins are wanted and cannot be built.
    """
    if mode is None:
        mode = os.environ.get("ISAACLAB_BPO_ASSETS") or "auto"
    if mode not in ASSET_MODES:
        raise ValueError(f"--assets (ISAACLAB_BPO_ASSETS) is {mode!r}; choose one of {', '.join(ASSET_MODES)}.")
    if not os.environ.get("ISAACSIM_ASSET_ROOT") and (
        mode == "standin" or (mode == "auto" and not is_reachable(configured_asset_root()))
    ):
        root = build_asset_root()
        reason = "as asked" if mode == "standin" else f"{configured_asset_root() or 'the asset server'} is out of reach"
        if env_cfg is None and "isaaclab.utils.assets" in sys.modules:
            print(
                f"[isaaclab_bpo] No stand-in robots although {reason}: Isaac Lab has chosen its assets already."
                f" Call select_assets() before any isaaclab module is imported, or set ISAACSIM_ASSET_ROOT={root}.",
                flush=True,
            )
            return
        os.environ["ISAACSIM_ASSET_ROOT"] = str(root)
        print(
            f"[isaaclab_bpo] Stand-in robots ({reason}): results are not comparable with NVIDIA's assets."
            " Force either with --assets nvidia|standin or ISAACLAB_BPO_ASSETS.",
            flush=True,
        )
    if env_cfg is not None and uses_standins():
        _redirect_to_standins(env_cfg)


def _redirect_to_standins(env_cfg: Any) -> None:
    """Change the paths that Isaac Lab made from the asset root when it was imported."""
    import isaaclab.markers.config
    import isaaclab.sim
    from isaaclab.utils.assets import ISAAC_NUCLEUS_DIR

    isaac = str(_asset_root_path() / "Isaac")
    if isaac == ISAAC_NUCLEUS_DIR:  # the choice was made in time
        return

    def redirect(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(f"{ISAAC_NUCLEUS_DIR}/"):
            return isaac + value.removeprefix(ISAAC_NUCLEUS_DIR)
        if isinstance(value, list):
            return [redirect(item) for item in value]
        if isinstance(value, dict):
            return {key: redirect(item) for key, item in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            vars(value).update(redirect(vars(value)))
        return value

    redirect(env_cfg)
    # Outside the configuration: what a terrain makes itself, its plane and, for debugging, its frames.
    plane = isaaclab.sim.GroundPlaneCfg
    isaaclab.sim.GroundPlaneCfg = functools.partial(plane, usd_path=redirect(plane().usd_path))
    redirect(vars(isaaclab.markers.config))


def build_asset_root() -> Path:
    """Build the stand-in assets unless this user has them already.

    They lie under ``${XDG_CACHE_HOME:-~/.cache}/isaaclab_bpo/<version>/``, named by a hash of what they are built from.
    They are built aside, in a process of their own, and moved into place at once: any number of processes may do
    this at the same time, and none ever sees half of them.

    Returns:
        A folder that can serve as ``ISAACSIM_ASSET_ROOT``.

    Raises:
        RuntimeError: If the cache folder cannot be written or the builder fails.
    """
    root = _asset_root_path()
    if root.is_dir():
        return root
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        workplace = tempfile.TemporaryDirectory(prefix=".building-", dir=root.parent)
    except OSError as error:
        raise RuntimeError(
            f"The stand-in assets cannot be written to {root.parent} ({error.strerror}); set XDG_CACHE_HOME."
        ) from error
    with workplace:
        built = Path(workplace.name, "assets")
        # A process of its own: USD's Python modules must not be loaded before Isaac Sim has brought its own.
        command = [sys.executable, "-P", str(Path(__file__).with_name("builder.py")), str(built)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            reason = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
            raise RuntimeError(f"The stand-in assets could not be built: {reason}")
        try:
            built.replace(root)
        except OSError:
            if not root.is_dir():  # no other process was first
                raise
    return root


def missing_asset(env_cfg: Any) -> str | None:
    """Find what a scene needs and a local asset root lacks.

    Args:
        env_cfg: A resolved Isaac Lab environment configuration.

    Returns:
        The first USD file or actuator net of the scene's entities that does not exist, relative to the asset root;
        ``None`` if there is none, or if ``ISAACSIM_ASSET_ROOT`` is no local folder.
    """
    root = os.environ.get("ISAACSIM_ASSET_ROOT")
    if not root or urlsplit(root).scheme:
        return None
    for entity in vars(env_cfg.scene).values():
        actuators = getattr(entity, "actuators", None) or {}
        paths = [getattr(getattr(entity, "spawn", None), "usd_path", None)]
        paths += [getattr(actuator, "network_file", None) for actuator in actuators.values()]
        for path in paths:
            if isinstance(path, str) and Path(path).is_relative_to(root) and not Path(path).exists():
                return str(Path(path).relative_to(root))
    return None


def uses_standins() -> bool:
    """Tell whether Isaac Lab loads the stand-in assets."""
    return Path(os.environ.get("ISAACSIM_ASSET_ROOT", "")) == _asset_root_path()


def configured_asset_root() -> str:
    """Find the asset server as Isaac Lab does when ``ISAACSIM_ASSET_ROOT`` is not set.

    Returns:
        The China mirror if ``ISAACSIM_ASSET_REGION_PROFILE`` says ``china``, else the setting
        ``persistent.isaac.asset_root.default`` (formerly ``cloud``) of ``isaaclab.python.kit``; empty without it.
    """
    if os.environ.get("ISAACSIM_ASSET_REGION_PROFILE") == "china":
        return _CHINA_ASSET_ROOT
    spec = importlib.util.find_spec("isaaclab")
    if spec is None or spec.origin is None:
        return ""
    experience = Path(spec.origin).parent / "apps" / "isaaclab.python.kit"
    text = experience.read_text(encoding="utf-8") if experience.is_file() else ""
    settings = re.findall(r'^\s*persistent\.isaac\.asset_root\.(default|cloud)\s*=\s*"([^"]*)"', text, re.MULTILINE)
    roots = dict(settings)  # the last of each, as in Isaac Lab
    return roots.get("default", roots.get("cloud", ""))


def is_reachable(asset_root: str) -> bool:
    """Tell whether an asset server can be used from here.

    Args:
        asset_root: Address of a web server, which gets :data:`PROBE_TIMEOUT` to deliver one small file and whose
            answer is remembered for :data:`PROBE_LIFETIME`; a local folder; or an ``omniverse://`` address, which
            only Omniverse's own client can ask and which is trusted.

    Returns:
        Whether assets can be loaded from there.
    """
    scheme = urlsplit(asset_root).scheme
    if scheme not in ("http", "https"):
        return scheme == "omniverse" or Path(asset_root, "Isaac").is_dir()
    record_path = _cache_dir() / "asset_server.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(record_path.read_text(encoding="utf-8"))
        if record["asset_root"] == asset_root and 0.0 <= time.time() - record["time"] < PROBE_LIFETIME:
            return bool(record["reachable"])
    reachable = _probe(f"{asset_root.rstrip('/')}/{_PROBE_FILE}")
    record = {"asset_root": asset_root, "time": time.time(), "reachable": reachable}
    with contextlib.suppress(OSError):  # a read-only cache costs a probe per start, nothing else
        record_path.parent.mkdir(parents=True, exist_ok=True)
        scratch_path = record_path.with_suffix(f".{os.getpid()}")
        scratch_path.write_text(json.dumps(record), encoding="utf-8")
        scratch_path.replace(record_path)
    return reachable


def _probe(url: str) -> bool:
    """Ask for a file's header. In a thread, because the system's name resolution knows no time limit."""
    answers: list[bool] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        with (
            contextlib.suppress(OSError, ValueError),
            urllib.request.urlopen(request, timeout=PROBE_TIMEOUT) as response,
        ):
            answers.append(response.status == 200)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_TIMEOUT)
    return answers == [True]


def _cache_dir() -> Path:
    """Return the folder of this user and this version."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache_home, "isaaclab_bpo", __version__).absolute()


def _asset_root_path() -> Path:
    """Return where the stand-in assets are or will be."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in [package / "builder.py", *sorted((package / "data").glob("*.toml"))]:
        digest.update(path.read_bytes())
    return _cache_dir() / f"assets-{digest.hexdigest()[:12]}"
