# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Carries out ``docker/Dockerfile`` in a root file system of its own, without a container engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from e2e.process import ROOT

DOCKERFILE = ROOT / "docker" / "Dockerfile"
UBUNTU = "https://archive.ubuntu.com/ubuntu"
SCRIPT = "/usr/share/debootstrap/scripts/gutsy"  # that of every later Ubuntu; Debian's debootstrap knows few by name

# The mounts end with the namespace.
ENTER = """
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
shift
exec chroot "$@"
"""


def instructions(*stages: str) -> list[tuple[str, str]]:
    """Return the instructions of stages of the Dockerfile, in its order."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found, stage = [], ""
    for line in filter(None, text.splitlines()):
        name, arguments = line.split(maxsplit=1)
        if name == "FROM":
            stage = arguments.split()[-1]
        elif stage in stages:
            found.append((name, arguments))
    return found


def context() -> list[str]:
    """Return the files and folders that ``.dockerignore`` leaves in the build's context."""
    return re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), flags=re.MULTILINE)


class Container:
    """A root file system, what the Dockerfile sets for its processes, and a way to run them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        self.workdir = "/"
        self.user = "0:0"
        self.entrypoint: list[str] = []
        self.healthcheck: list[str] = []

    def bootstrap(self) -> None:
        """Install Ubuntu 24.04, the system of the CUDA image, and give it this machine's way to the internet."""
        # Debian has no key of Ubuntu's: trust the connection.
        options = ("--variant=minbase", "--no-check-gpg", "--include=ca-certificates", "--components=main,universe")
        subprocess.run(("debootstrap", *options, "noble", str(self.root), UBUNTU, SCRIPT), check=True)
        for name in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"):
            if Path(name).exists():
                shutil.copy(name, self.root / name[1:])
        # The cache of .venv's installation, as links: uv then links, too, and neither downloads nor copies 9 GB.
        cache = subprocess.run(("uv", "cache", "dir"), check=True, capture_output=True, text=True).stdout.strip()
        (self.root / "root" / ".cache").mkdir(parents=True)
        if Path(cache).exists():
            subprocess.run(("cp", "--archive", "--link", cache, str(self.root / "root/.cache/uv")))

    def build(self) -> None:
        """Carry out the stages of the kit-less image in one root file system."""
        for name, arguments in instructions("system", "builder", "kitless"):
            match name:
                case "RUN":
                    done = self.run("sh", "-c", re.sub(r"^(--\S+\s+)*", "", arguments))
                    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
                case "COPY" if not arguments.startswith("--from=builder"):  # whose files are here
                    for path in context() if arguments == ". ." else [arguments.split()[0]]:
                        self._copy(path)
                case "WORKDIR":
                    self.workdir = arguments
                    (self.root / arguments[1:]).mkdir(parents=True)
                case "ENV":
                    self.variables |= dict(setting.split("=", maxsplit=1) for setting in arguments.split())
                case "USER":
                    self.user = arguments
                case "ENTRYPOINT":
                    self.entrypoint = json.loads(arguments)
                case "HEALTHCHECK":
                    self.healthcheck = json.loads(arguments[arguments.index("[") :])

    def run(self, *command: str, network: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as the Dockerfile's user, in its folder, with its variables."""
        namespaces = ("--mount", "--pid", "--fork", "--kill-child", *(() if network else ("--net",)))
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        enter = ("unshare", *namespaces, "bash", "-euc", ENTER, "bash", str(self.root))
        chroot = (f"--userspec={self.user}", str(self.root), "sh", "-c", 'cd "$0" && exec "$@"', self.workdir)
        return subprocess.run(
            (*enter, *chroot, *command),
            env={**proxies, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def _copy(self, path: str) -> None:
        target = self.root / self.workdir[1:] / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, target)
