# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The image of ``docker/``: its files, and what its instructions make of a clean root file system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.dockerfile import DOCKERFILE, UBUNTU, Container, instructions
from e2e.process import ROOT

TOOLS = Path(sys.executable).parent


def test_linters_have_nothing_to_say() -> None:
    subprocess.run((TOOLS / "hadolint", DOCKERFILE), check=True)
    scripts = (".ci/run", "isaaclab.sh", "docker/install.sh", "docker/cluster/job.sh")
    subprocess.run((TOOLS / "shellcheck", *scripts), cwd=ROOT, check=True)


def test_compose_file_is_about_the_dockerfile() -> None:
    compose = yaml.safe_load((DOCKERFILE.parent / "compose.yaml").read_text())
    train = compose["services"]["train"]
    assert (DOCKERFILE.parent / train["build"]["context"] / train["build"]["dockerfile"]).samefile(DOCKERFILE)
    system = dict(instructions("system"))
    assert {volume.split(":")[1] for volume in train["volumes"]} == set(yaml.safe_load(system["VOLUME"]))
    assert f"ARG BASE={train['build']['args']['BASE'].removeprefix('${BASE:-').removesuffix('}')}\n" in (
        DOCKERFILE.read_text()
    )
    assert (ROOT / train["entrypoint"][-1]).is_file()


def ubuntu_is_reachable() -> bool:
    try:
        return urllib.request.urlopen(f"{UBUNTU}/dists/noble/Release", timeout=10).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("needs root, and debootstrap: apt-get install debootstrap")
    if not ubuntu_is_reachable():
        pytest.skip(f"needs {UBUNTU}")
    container = Container(tmp_path_factory.mktemp("image"))
    container.root.parent.chmod(0o755)  # the image's user must get through
    container.root.chmod(0o755)
    container.bootstrap()
    container.build()
    yield container
    # In the background: 200 000 links take a while to remove.
    subprocess.run(("sh", "-c", 'rm -rf "$0" >/dev/null 2>&1 &', container.root), check=True)


@pytest.mark.sim
def test_image_is_healthy_and_trains_without_root_and_network(container: Container) -> None:
    assert container.user == "1000:1000"
    done = container.run(*container.healthcheck)
    assert done.returncode == 0, done.stderr

    train = ("-p", "scripts/rsl_rl/train.py", "--task", "Isaac-Velocity-Flat-Unitree-Go1-v0")
    done = container.run(*container.entrypoint, *train, "--num_envs", "4", "--max_iterations", "1", network=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Stand-in robots" in done.stdout
    (checkpoint,) = (container.root / container.workdir[1:]).glob("logs/rsl_rl/*/*/model_*.pt")
    assert checkpoint.stat().st_uid == 1000
    assert (container.root / "cache" / "isaaclab_bpo").is_dir()
