# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""YAML of somebody else: read as plain data, and never run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from isaaclab_bpo.plain_yaml import read_plain_yaml


def test_plain_data_are_read() -> None:
    text = "a: 1\nb: [x, 2.5, true, null]\nc: {d: e}\n"
    assert read_plain_yaml(text) == {"a": 1, "b": ["x", 2.5, True, None], "c": {"d": "e"}}


@pytest.mark.parametrize(
    "tag", ["tuple [1, 2]", "name:os.system", "object/apply:os.mkdir [made]", "object/new:os.mkdir {args: [made]}"]
)
def test_what_would_need_python_becomes_none(tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_plain_yaml(f"a: !!python/{tag}\nb: 1\n") == {"a": None, "b": 1}
    assert list(tmp_path.iterdir()) == []


def test_no_yaml_is_an_error() -> None:
    with pytest.raises(yaml.YAMLError):
        read_plain_yaml("a: [1")
