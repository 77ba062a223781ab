# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What differs between rsl_rl 5.4 and 5.5, held against the installed one."""

from __future__ import annotations

import inspect
import os
import subprocess
from pathlib import Path

import pytest
import torch
from rsl_rl.algorithms import PPO
from rsl_rl.modules import EmpiricalNormalization
from torch import nn

from isaaclab_bpo.compatibility.rsl_rl import NORMALIZES_IN_UPDATE, buffers_in_place, complete
from isaaclab_bpo.runners import DurableRunner
from point_mass import PointMass, runner_cfg


def test_normalizers_are_updated_where_it_says() -> None:
    assert ("update_normalization" in inspect.getsource(PPO.update)) is NORMALIZES_IN_UPDATE
    assert ("update_normalization" in inspect.getsource(PPO.process_env_step)) is not NORMALIZES_IN_UPDATE


def test_a_configuration_is_completed_and_not_changed() -> None:
    for rnd, expected in (({}, None), ({"rnd_cfg": {"weight": 1.0}}, {"weight": 1.0})):
        cfg = {"algorithm": {"class_name": "PPO", **rnd}}
        complete(cfg)
        assert cfg == {"algorithm": {"class_name": "PPO", "rnd_cfg": expected}}


def test_buffers_keep_their_memory_and_get_the_new_values() -> None:
    torch.manual_seed(0)
    inside, outside = EmpiricalNormalization(3), EmpiricalNormalization(3)
    addresses = {name: buffer.data_ptr() for name, buffer in inside.named_buffers()}
    samples = torch.randn(50, 3) * 5.0 + 1.0
    with buffers_in_place(nn.ModuleList([inside])):
        inside.update(samples)
    outside.update(samples)
    assert {name: buffer.data_ptr() for name, buffer in inside.named_buffers()} == addresses
    for name, buffer in outside.named_buffers():
        torch.testing.assert_close(inside.get_buffer(name), buffer)


def git(folder: Path, *command: str) -> None:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    subprocess.run(("git", "-C", folder, *identity, *command), check=True, capture_output=True)


def change(repository: Path, what: str) -> None:
    """Do to a repository with a committed file what rsl_rl cannot store."""
    file = repository / "notes.txt"
    if what == "Latin-1":
        file.write_bytes("Grüße\n".encode("latin-1"))
    elif what == "Latin-1 in a name":
        Path(os.fsdecode(bytes(repository) + b"/Gr\xfc\xdfe")).write_text("new")
        git(repository, "-c", "core.quotePath=false", "add", "-A")
        git(repository, "config", "core.quotePath", "false")
    elif what == "broken index":
        (repository / ".git" / "index").write_bytes(b"nonsense")
    elif what == "no such filter":
        file.write_text("changed")
        git(repository, "config", "filter.lost.clean", "no-such-program")
        git(repository, "config", "filter.lost.required", "true")
        (repository / ".gitattributes").write_text("*.txt filter=lost\n")
    elif what == "no such diff":
        file.write_text("changed")
        git(repository, "config", "diff.external", "no-such-program")
    elif what == "somebody else's":
        for path in (repository, *repository.rglob("*")):
            os.chown(path, 65534, 65534)
    elif what == "bare":
        git(repository, "config", "core.bare", "true")


@pytest.mark.parametrize(
    "what",
    [
        "Latin-1",
        "Latin-1 in a name",
        "broken index",
        "no such filter",
        "no such diff",
        pytest.param("somebody else's", marks=pytest.mark.skipif(os.getuid() != 0, reason="needs the superuser")),
        "bare",
    ],
)
def test_run_goes_on_where_the_state_of_the_code_cannot_be_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    whole, other = tmp_path / "whole", tmp_path / "other"
    for repository in (whole, other):
        repository.mkdir()
        git(repository, "init", "-q")
        (repository / "notes.txt").write_text("committed\n")
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "first")
    (whole / "notes.txt").write_text("ä changed\n")
    change(other, what)
    runner = DurableRunner(PointMass(4), runner_cfg(), str(tmp_path / "run"))
    for repository in (other, whole):
        runner.add_git_repo_to_log(str(repository / "notes.txt"))
    runner.learn(1)
    assert (tmp_path / "run" / "model_0.pt").is_file()
    assert "ä changed" in (tmp_path / "run" / "git" / "whole.diff").read_text()
    assert not (tmp_path / "run" / "git" / "other.diff").exists()
    said = capsys.readouterr()
    assert f"[isaaclab_bpo] The state of the code of {other / 'notes.txt'} is not stored: " in said.err or (
        f"Could not find git repository in {other / 'notes.txt'}" in said.out
    )
