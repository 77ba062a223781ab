# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which assets are taken: modes, probe, cache, and what the stand-ins lack."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from isaaclab_bpo import __version__
from isaaclab_bpo.robots import assets


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """A cache of one's own and no setting of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("ISAACSIM_ASSET_ROOT", "ISAACLAB_BPO_ASSETS", "ISAACSIM_ASSET_REGION_PROFILE"):
        monkeypatch.setenv(name, "")  # so that what the code sets is undone, too
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "isaaclab.utils.assets", raising=False)


@pytest.fixture(scope="module")
def built_cache(tmp_path_factory):
    """A cache with the stand-ins in it; building takes seconds, copying does not."""
    cache = tmp_path_factory.mktemp("built_cache")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        assets.build_asset_root()
    return cache


@pytest.fixture
def standins(clean, built_cache):
    """Where this test's stand-ins are, built already."""
    shutil.copytree(built_cache, os.environ["XDG_CACHE_HOME"])
    return assets.build_asset_root()


@pytest.fixture
def closed_port():
    with socket.socket() as free_port:
        free_port.bind(("127.0.0.1", 0))
        return free_port.getsockname()[1]


@pytest.fixture
def asset_server(tmp_path):
    """A web server with the file that the probe asks for, and the list of what it was asked."""
    folder = tmp_path / "server"
    (folder / "Isaac/Props/UIElements").mkdir(parents=True)
    (folder / "Isaac/Props/UIElements/arrow_x.usd").touch()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, format: str, *args):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def remember(reachable, age=0.0):
    """Write the answer of an earlier probe."""
    path = assets._cache_dir() / "asset_server.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"asset_root": assets.configured_asset_root(), "time": time.time() - age, "reachable": reachable}
    path.write_text(json.dumps(record))


def test_configured_asset_root_is_the_one_isaac_lab_finds(monkeypatch):
    program = "from isaaclab.utils.assets import NUCLEUS_ASSET_ROOT_DIR as root; print(root)"
    for profile in ("", "us", "china", "nowhere"):
        monkeypatch.setenv("ISAACSIM_ASSET_REGION_PROFILE", profile)
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert assets.configured_asset_root() == result.stdout.split()[-1], profile


def test_server_that_answers_is_reachable_and_asked_once(asset_server):
    address, asked = asset_server
    assert assets.is_reachable(address)
    assert assets.is_reachable(address)
    assert asked == ["/Isaac/Props/UIElements/arrow_x.usd"]


def test_server_without_the_assets_is_not_reachable(asset_server):
    address, _ = asset_server
    assert not assets.is_reachable(address + "/elsewhere")


def test_closed_port_is_not_reachable(closed_port):
    assert not assets.is_reachable(f"http://127.0.0.1:{closed_port}")


def test_silent_server_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not assets.is_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - start < assets.PROBE_TIMEOUT + 0.5


def test_answer_expires_and_belongs_to_its_server(asset_server, closed_port):
    address, asked = asset_server
    assert assets.is_reachable(address)
    path = assets._cache_dir() / "asset_server.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"time": time.time() - assets.PROBE_LIFETIME - 1}))
    assert assets.is_reachable(address)
    assert len(asked) == 2
    assert not assets.is_reachable(f"http://127.0.0.1:{closed_port}")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"asset_root": 3}'])
def test_broken_record_is_ignored(asset_server, content):
    address, _ = asset_server
    path = assets._cache_dir() / "asset_server.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert assets.is_reachable(address)


def test_local_folder_is_reachable_if_it_holds_assets(tmp_path):
    assert not assets.is_reachable(str(tmp_path))
    (tmp_path / "Isaac").mkdir()
    assert assets.is_reachable(str(tmp_path))


def test_no_server_configured_is_out_of_reach():
    assert not assets.is_reachable("")


def test_root_set_by_the_user_wins(monkeypatch, capsys):
    monkeypatch.setenv("ISAACSIM_ASSET_ROOT", "/mine")
    for mode in assets.ASSET_MODES:
        assets.select_assets(mode)
    assert os.environ["ISAACSIM_ASSET_ROOT"] == "/mine"
    assert capsys.readouterr().out == ""


def test_nvidia_never_takes_the_standins(capsys):
    remember(reachable=False)
    assets.select_assets("nvidia")
    assert "ISAACSIM_ASSET_ROOT" not in os.environ
    assert capsys.readouterr().out == ""


def test_standin_always_takes_them(standins, capsys):
    remember(reachable=True)
    assets.select_assets("standin")
    assert os.environ["ISAACSIM_ASSET_ROOT"] == str(standins)
    assert "not comparable with NVIDIA's assets" in capsys.readouterr().out


def test_auto_leaves_a_reachable_server_alone(capsys):
    remember(reachable=True)
    assets.select_assets()
    assert "ISAACSIM_ASSET_ROOT" not in os.environ
    assert capsys.readouterr().out == ""


def test_auto_takes_the_standins_once_and_says_so_in_one_line(standins, monkeypatch, capsys, closed_port):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed_port}")  # cuts this process off
    assets.select_assets()
    assets.select_assets()
    assert os.environ["ISAACSIM_ASSET_ROOT"] == str(standins)
    (line,) = capsys.readouterr().out.splitlines()
    assert f"{assets.configured_asset_root()} is out of reach" in line
    assert "not comparable with NVIDIA's assets" in line


def test_mode_comes_from_the_environment(standins, monkeypatch):
    monkeypatch.setenv("ISAACLAB_BPO_ASSETS", "standin")
    assets.select_assets()
    assert os.environ["ISAACSIM_ASSET_ROOT"] == str(standins)


@pytest.mark.parametrize("by_environment", [False, True])
def test_wrong_mode_gets_one_sentence(monkeypatch, by_environment):
    if by_environment:
        monkeypatch.setenv("ISAACLAB_BPO_ASSETS", "nvida")
    message = r"^--assets \(ISAACLAB_BPO_ASSETS\) is 'nvida'; choose one of auto, nvidia, standin\.$"
    with pytest.raises(ValueError, match=message):
        assets.select_assets(None if by_environment else "nvida")


def test_selecting_too_late_says_what_to_do(standins):
    program = (
        "import isaaclab.utils.assets as a; from isaaclab_bpo.robots import select_assets;"
        " import os; select_assets('standin'); print('ISAACSIM_ASSET_ROOT' in os.environ)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    message, unchanged = result.stdout.strip().splitlines()[-2:]
    assert "Call select_assets() before any isaaclab module is imported" in message
    assert unchanged == "False"


def test_cache_is_per_user_and_version(standins, tmp_path):
    assert standins.parent == tmp_path / "cache" / "isaaclab_bpo" / __version__
    assert (standins / "Isaac/IsaacLab/Robots/Unitree/G1/g1_minimal.usd").is_file()


def test_second_build_is_the_first_one(standins):
    before = standins.stat()
    assert assets.build_asset_root() == standins
    assert (standins.stat().st_ino, standins.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_processes_that_build_at_once_share_one_result():
    program = "from isaaclab_bpo.robots import build_asset_root; print(build_asset_root())"
    builders = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    roots = {builder.communicate()[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0]
    assert roots == {str(assets.build_asset_root())}
    assert [path.name for path in assets._cache_dir().iterdir()] == [assets.build_asset_root().name]


def test_unwritable_cache_gets_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(RuntimeError, match=r"cannot be written to .*; set XDG_CACHE_HOME\.$"):
        assets.build_asset_root()


def scene(usd_path, network_file=None):
    """The parts of an Isaac Lab environment configuration that name files."""
    robot = SimpleNamespace(
        spawn=SimpleNamespace(usd_path=usd_path), actuators={"legs": SimpleNamespace(network_file=network_file)}
    )
    return SimpleNamespace(scene=SimpleNamespace(num_envs=1, height_scanner=None, robot=robot))


def test_missing_asset_is_named(standins):
    assets.select_assets("standin")
    assert assets.uses_standins()
    root = os.environ["ISAACSIM_ASSET_ROOT"]
    there = f"{root}/Isaac/IsaacLab/Robots/Unitree/Go1/go1.usd"
    not_there = "Isaac/IsaacLab/Robots/ANYbotics/ANYmal-D/anymal_d.usd"
    assert assets.missing_asset(scene(there)) is None
    assert assets.missing_asset(scene(f"{root}/{not_there}")) == not_there
    assert assets.missing_asset(scene(there, f"{root}/Isaac/net.pt")) == "Isaac/net.pt"
    assert assets.missing_asset(scene("/another/robot.usd")) is None


def test_a_local_asset_root_of_the_users_is_looked_at_too(monkeypatch, tmp_path):
    usd = tmp_path / "Isaac" / "robot.usd"
    monkeypatch.setenv("ISAACSIM_ASSET_ROOT", str(tmp_path))
    assert not assets.uses_standins()
    assert assets.missing_asset(scene(str(usd))) == "Isaac/robot.usd"
    usd.parent.mkdir()
    usd.touch()
    assert assets.missing_asset(scene(str(usd))) is None


def test_nothing_is_missing_where_the_assets_are_on_a_server(monkeypatch):
    assert assets.missing_asset(scene("/mine/Isaac/robot.usd")) is None
    monkeypatch.setenv("ISAACSIM_ASSET_ROOT", "https://example.com/Assets")
    assert assets.missing_asset(scene("https://example.com/Assets/Isaac/robot.usd")) is None


def test_missing_asset_reads_isaac_labs_own_configurations(standins):
    program = """
from isaaclab_bpo.robots import missing_asset, select_assets
select_assets("standin")
from isaaclab_tasks.contrib.velocity.config.anymal_c.rough_env_cfg import AnymalCRoughEnvCfg
from isaaclab_tasks.core.velocity.config.anymal_d.rough_env_cfg import AnymalDRoughEnvCfg
print(missing_asset(AnymalCRoughEnvCfg()), missing_asset(AnymalDRoughEnvCfg()))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "None Isaac/IsaacLab/Robots/ANYbotics/ANYmal-D/anymal_d.usd"


def test_configuration_made_too_early_gets_the_standins_paths(standins):
    """In a process that imported Isaac Lab first, as its own commands do."""
    program = """
import os
import isaaclab.sim
from isaaclab.markers.config import FRAME_MARKER_CFG
from isaaclab_tasks.contrib.velocity.config.anymal_c.flat_env_cfg import AnymalCFlatEnvCfg
from isaaclab_tasks.core.velocity.config.anymal_d.rough_env_cfg import AnymalDRoughEnvCfg
from isaaclab_bpo.robots import missing_asset, select_assets, uses_standins

for _ in range(2):  # two environments
    ours, other = AnymalCFlatEnvCfg(), AnymalDRoughEnvCfg()
    select_assets("standin", ours)
    print(uses_standins(), missing_asset(ours))
    for path in (
        ours.scene.robot.spawn.usd_path,
        ours.scene.robot.actuators["legs"].network_file,
        ours.commands.base_velocity.goal_vel_visualizer_cfg.markers["arrow"].usd_path,
        isaaclab.sim.GroundPlaneCfg(size=(1.0, 1.0)).usd_path,
        FRAME_MARKER_CFG.markers["frame"].usd_path,
        other.scene.robot.spawn.usd_path,
    ):
        print(path.startswith(os.environ["ISAACSIM_ASSET_ROOT"]), os.path.exists(path))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first_line, *lines = result.stdout.splitlines()
    assert "not comparable with NVIDIA's assets" in first_line
    assert lines == 2 * (["True None"] + 5 * ["True True"] + ["False False"])
