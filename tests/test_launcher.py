# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``isaaclab.sh``: which environment it picks, what it hands over, and what it says when it cannot."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("requirements.lock", "pyproject.toml", "setup.py", "extension.toml")
TOOLS = (
    "bash",
    "cat",
    "dirname",
    "find",
    "flock",
    "grep",
    "ls",
    "mkdir",
    "mktemp",
    "readlink",
    "rm",
    "sed",
    "sha256sum",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the launcher and of what it reads, in a folder with a space in its name."""
    project = tmp_path / "a project"
    (project / "scripts").mkdir(parents=True)
    for name in ("isaaclab.sh", *SOURCES):
        shutil.copy(ROOT / name, project)
    report = "import os, sys\nprint(os.getcwd(), sys.prefix, *sys.argv, sep='|')\n"
    (project / "scripts" / "report.py").write_text(report)
    return project


@pytest.fixture
def bare_machine(tmp_path: Path) -> dict[str, str]:
    """The environment variables of a machine without any Python or uv."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        tool = shutil.which(name)
        assert tool is not None, name
        (tools / name).symlink_to(tool)
    return {"PATH": str(tools), "HOME": str(tmp_path)}


def active_environment() -> dict[str, str]:
    """The environment variables of a shell in which the environment that runs the tests is active."""
    return {**os.environ, "VIRTUAL_ENV": sys.prefix}


def launch(project: Path, *args: str, env: dict[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / "isaaclab.sh", *args], env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def mark_installed(project: Path) -> None:
    """Make ``.venv`` what ``isaaclab.sh`` leaves behind, less the packages."""
    venv.create(project / ".venv", symlinks=True)
    digest = hashlib.sha256(b"".join((project / name).read_bytes() for name in SOURCES)).hexdigest()
    (project / ".venv" / ".isaaclab_bpo").write_text(f"{digest} {project}")


def test_active_environment_is_used_and_nothing_is_installed(project: Path) -> None:
    run = launch(project, "-p", "-c", "import sys; print(sys.prefix)", env=active_environment())
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{sys.prefix}\n", "")
    assert not (project / ".venv").exists()


def test_python_runs_in_the_callers_directory_and_finds_the_projects_scripts(project: Path, tmp_path: Path) -> None:
    run = launch(project, "-p", "scripts/report.py", "--a", "b c", env=active_environment(), cwd=tmp_path)
    assert run.stdout == f"{tmp_path}|{sys.prefix}|{project}/scripts/report.py|--a|b c\n"


def test_a_file_in_the_callers_directory_wins(project: Path, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "report.py").write_text("print('mine')\n")
    assert launch(project, "-p", "scripts/report.py", env=active_environment(), cwd=tmp_path).stdout == "mine\n"


def test_works_through_a_symbolic_link(project: Path, tmp_path: Path) -> None:
    mark_installed(project)
    link = tmp_path / "elsewhere"
    link.mkdir()
    (link / "isaaclab.sh").symlink_to(project / "isaaclab.sh")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    run = launch(link, "-p", "scripts/report.py", env=env, cwd=link)
    assert run.stdout == f"{link}|{project}/.venv|{project}/scripts/report.py\n"


def test_exit_status_is_handed_back(project: Path) -> None:
    assert launch(project, "-p", "-c", "raise SystemExit(7)", env=active_environment()).returncode == 7


def test_other_arguments_go_to_isaac_lab(project: Path) -> None:
    run = launch(project, "list_envs", "--help", env=active_environment())
    assert run.returncode == 0
    assert "List registered Isaac Lab environments" in run.stdout


def test_tests_are_this_projects(project: Path, tmp_path: Path) -> None:
    (project / "tests").mkdir()
    (project / "tests" / "test_one.py").write_text("def test_one():\n    pass\n")
    run = launch(project, "-t", "-q", "-p", "no:cacheprovider", env=active_environment(), cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


def test_complete_venv_is_used(project: Path, bare_machine: dict[str, str]) -> None:
    mark_installed(project)
    run = launch(project, "-p", "scripts/report.py", env=bare_machine, cwd=project)
    assert (run.stdout, run.stderr) == (f"{project}|{project}/.venv|scripts/report.py\n", "")


def test_venv_can_live_elsewhere(project: Path, bare_machine: dict[str, str], tmp_path: Path) -> None:
    mark_installed(project)
    elsewhere = tmp_path / "scratch disk" / "venv"
    shutil.move(project / ".venv", elsewhere)
    run = launch(project, "-p", "scripts/report.py", env={**bare_machine, "ISAACLAB_BPO_VENV": str(elsewhere)})
    assert str(elsewhere) in run.stdout


def test_unfinished_venv_is_made_afresh(project: Path, bare_machine: dict[str, str]) -> None:
    mark_installed(project)
    (project / ".venv" / ".isaaclab_bpo").write_text("unfinished")
    run = launch(project, "-p", "scripts/report.py", env=bare_machine)
    assert (run.returncode, run.stdout) == (1, "")
    assert "Installing Isaac Lab and this project into" in run.stderr
    assert not (project / ".venv" / "bin").exists()


@pytest.mark.parametrize("name", SOURCES)
def test_venv_is_updated_when_what_it_was_made_from_changes(
    project: Path, bare_machine: dict[str, str], name: str
) -> None:
    mark_installed(project)
    with (project / name).open("a") as file:
        file.write("\n# changed\n")
    run = launch(project, "-p", "scripts/report.py", env=bare_machine)
    assert (run.returncode, run.stdout) == (1, "")
    assert "Updating" in run.stderr
    assert (project / ".venv" / ".isaaclab_bpo").read_text() == "unfinished"


def test_venv_of_a_project_that_moved_is_not_used(project: Path, bare_machine: dict[str, str], tmp_path: Path) -> None:
    mark_installed(project)
    moved = project.rename(tmp_path / "moved")
    run = launch(moved, "-p", "scripts/report.py", env=bare_machine)
    assert (run.returncode, run.stdout) == (1, "")
    assert "Installing" in run.stderr


def test_failed_installation_is_not_mistaken_for_a_complete_one(project: Path, bare_machine: dict[str, str]) -> None:
    tools = Path(bare_machine["PATH"])
    (tools / "python3.12").symlink_to(Path(sys.executable).resolve())
    # Makes the environment as uv does, then fails as uv does when the network goes away.
    uv = tools / "uv"
    uv.write_text(
        "#!/usr/bin/env bash\n"
        "case $1 in\n"
        "    --version) echo uv 1.0 ;;\n"
        '    venv) python3.12 -m venv --without-pip "${@: -1}" ;;\n'
        "    *) echo 'error: connection lost'; exit 2 ;;\n"
        "esac\n"
    )
    uv.chmod(0o755)
    for _ in range(2):
        run = launch(project, "-p", "scripts/report.py", env=bare_machine)
        assert (run.returncode, run.stdout) == (1, "")
        assert "connection lost" in run.stderr
        assert "The installation failed" in run.stderr
        assert (project / ".venv" / "bin" / "python").exists()


def test_environment_of_somebody_else_is_left_alone(project: Path, bare_machine: dict[str, str]) -> None:
    venv.create(project / ".venv", symlinks=True)
    before = sorted((project / ".venv").rglob("*"))
    run = launch(project, "-p", "scripts/report.py", env=bare_machine)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        f"isaaclab.sh: {project}/.venv was not made by isaaclab.sh; "
        "remove it, or install Isaac Lab and this project into it.\n"
    )
    assert sorted((project / ".venv").rglob("*")) == before


def test_missing_python_is_one_sentence(project: Path, bare_machine: dict[str, str]) -> None:
    run = launch(project, "-p", "scripts/report.py", env=bare_machine)
    assert (run.returncode, run.stdout) == (1, "")
    assert "'apt install python3.12'" in run.stderr.splitlines()[-1]
    assert all(line.startswith("isaaclab.sh: ") for line in run.stderr.splitlines())


def test_second_start_waits_for_the_first_ones_installation(project: Path, bare_machine: dict[str, str]) -> None:
    with (project / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [project / "isaaclab.sh", "-p", "scripts/report.py"],
            env=bare_machine,
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        assert "Waiting for another isaaclab.sh" in second.stderr.readline()
        mark_installed(project)
    stdout, _ = second.communicate()
    assert stdout == f"{project}|{project}/.venv|scripts/report.py\n"


def launch_read_only(project: Path, *args: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Launch from a project that cannot be written, which holds for the superuser, too."""
    in_namespace = ("unshare", "--map-root-user", "--mount")
    if subprocess.run((*in_namespace, "true"), capture_output=True).returncode != 0:
        pytest.skip("needs a kernel that lets this user mount file systems of its own")
    code = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"'
    command = (*in_namespace, "sh", "-c", code, str(project), str(project / "isaaclab.sh"), *args)
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)


STRANGER = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


def test_installation_of_another_user_runs(project: Path) -> None:
    mark_installed(project)
    run = launch_read_only(project, "-p", "scripts/report.py", env=STRANGER)
    assert (run.returncode, run.stderr) == (0, "")
    assert f"|{project}/.venv|" in run.stdout


@pytest.mark.parametrize("state", ["absent", "outdated", "unfinished", "python in another user's home"])
def test_installation_that_cannot_be_written_says_what_to_do(project: Path, state: str) -> None:
    if state != "absent":
        mark_installed(project)
    marker, python = project / ".venv" / ".isaaclab_bpo", project / ".venv" / "bin" / "python"
    if state == "outdated":
        marker.write_text(f"0123 {project}")
    elif state == "unfinished":
        marker.write_text("unfinished")
    elif state != "absent":
        python.unlink()
        python.symlink_to("/home/somebody/.pyenv/versions/3.12.1/bin/python3.12")  # which others cannot look into
    run = launch_read_only(project, "-p", "scripts/report.py", env=STRANGER)
    assert (run.returncode, run.stdout) == (1, "")
    *others, last = run.stderr.splitlines()
    assert last.startswith(
        f"isaaclab.sh: {project}/.venv has to be installed and this user cannot write to it; set ISA"
    )
    if state.startswith("python"):
        assert "The Python of" in others[0]
        assert "/home/somebody/.pyenv/versions/3.12.1/bin/python3.12, which this user cannot run" in others[0]
        assert len(others) == 2
    else:
        assert others == []


@pytest.mark.parametrize("folder", ["/dev/null/venv", "/proc/venv", "a file"])
def test_folder_that_cannot_be_made_says_what_to_do(project: Path, bare_machine: dict, folder: str) -> None:
    (project / "a file").touch()
    run = launch(project, "-p", env=bare_machine | {"ISAACLAB_BPO_VENV": folder}, cwd=project)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert "this user cannot write to it; set ISAACLAB_BPO_VENV" in line


def test_the_environment_has_pip() -> None:
    assert "\npip==" in (ROOT / "requirements.lock").read_text()
