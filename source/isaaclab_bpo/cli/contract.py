# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a robot's program must know of an exported policy: ``policy.json``, and the same in the ONNX file's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch
from isaaclab.utils import to_dict
from rsl_rl.runners import OnPolicyRunner

from isaaclab_bpo.runners import plain

from .command import Command

FORMAT = 1
"""Number of the layout of the file, which a program can check."""


def write_contract(folder: Path, command: Command, runner: OnPolicyRunner, checkpoint: Path) -> None:
    """Write ``policy.json`` beside the exported policy, and the same into the metadata of its ONNX file.

    Args:
        folder: Where the policy was exported to.
        command: What it is played with.
        runner: What has the policy and the environment.
        checkpoint: Where the policy comes from.
    """
    text = json.dumps(contract(command, runner, checkpoint), indent=1)
    (folder / "policy.json").write_text(text + "\n", encoding="utf-8")
    path = folder / "policy.onnx"
    model = onnx.load(path, load_external_data=False)
    onnx.helper.set_model_props(model, {"isaaclab_bpo": text})
    onnx.save(model, path)


def contract(command: Command, runner: OnPolicyRunner, checkpoint: Path) -> dict[str, Any]:
    """Return what inputs and outputs of the policy mean, and where it comes from. Arguments as above."""
    wrapped: Any = runner.env
    env, actor = wrapped.unwrapped, runner.alg.get_policy()
    physics = getattr(getattr(wrapped.cfg, "sim", None), "physics", None)
    described = {
        "format": FORMAT,
        "task": command.args.task,
        "engine": type(physics).__name__ if physics is not None else None,
        "checkpoint": checkpoint.name,
        "iteration": runner.current_learning_iteration,
        "commits": dict(_commits(checkpoint.parent)),
        "versions": {name: version(name) for name in ("isaaclab_bpo", "rsl-rl-lib", "torch")},
        "normalizer": "in the policy" if getattr(actor, "obs_normalization", False) else None,
        "clip_actions": command.agent_cfg.clip_actions,
    }
    images = getattr(actor, "obs_groups_2d", [])  # which rsl_rl's networks keep apart from the vectors
    rollout: Any = runner.alg.storage.observations  # to ask the environment would draw noise
    shapes = {name: list(rollout[name].shape[2:]) for name in (*actor.obs_groups, *images)}
    if not hasattr(env, "observation_manager"):  # neither Gymnasium's nor direct environments tell more
        return described | {"observations": shapes, "num_actions": wrapped.num_actions}
    from isaaclab.assets import BaseArticulation  # slow, and no task of Gymnasium needs it

    robots = {name: asset for name, asset in env.scene.articulations.items() if isinstance(asset, BaseArticulation)}
    return described | {
        "control_period": env.step_dt,
        "physics_period": env.physics_dt,
        "robots": {
            name: {"joint_names": robot.joint_names, "default_joint_pos": _row(robot.data.default_joint_pos.torch)}
            for name, robot in robots.items()
        },
        "observations": list(_observations(env, actor.obs_groups)),
        "images": {name: shapes[name] for name in images},
        "actions": list(_actions(env)),
        "commands": {name: _command(env.command_manager.get_term(name)) for name in env.command_manager.active_terms},
    }


def _observations(env: Any, groups: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what each part of the policy's input of vectors is, in their order."""
    manager, start = env.observation_manager, 0
    for group in groups:
        cfg = getattr(env.cfg.observations, group)
        for name, shape in zip(manager.active_terms[group], manager.group_obs_term_dim[group], strict=True):
            term, size = getattr(cfg, name), torch.Size(shape).numel()
            yield {
                "name": name,
                "group": group,
                "columns": [start, start + size],
                "function": _name(term.func),
                "clip": term.clip,
                "scale": _plain(term.scale),  # after the clip
                "history": term.history_length if cfg.history_length is None else cfg.history_length,  # oldest first
            }
            start += size


def _actions(env: Any) -> Iterator[dict[str, Any]]:
    """Yield what each part of the policy's output is, in their order: offset + scale x output, then clipped."""
    start = 0
    for name in env.action_manager.active_terms:
        term = env.action_manager.get_term(name)
        size = term.action_dim
        yield {
            "name": name,
            "type": type(term).__name__,
            "robot": term.cfg.asset_name,
            "columns": [start, start + size],
            "joint_names": getattr(term, "_joint_names", None),
            "scale": _row(getattr(term, "_scale", None)),
            "offset": _row(getattr(term, "_offset", None)),
            "clip": _row(term._clip) if term.cfg.clip is not None else None,
        }
        start += size


def _command(term: Any) -> dict[str, Any]:
    """Return what the numbers of a command are, and between which values the policy has seen them."""
    ranges = getattr(term.cfg, "ranges", None)
    return {
        "size": term.command.shape[1],
        "elements": getattr(term.cfg, "element_names", None),
        "ranges": plain(to_dict(ranges)) if is_dataclass(ranges) else None,
    }


def _row(value: Any) -> Any:
    """Return what holds in the first of all environments, as it does in the others."""
    return _plain(value[0]) if isinstance(value, torch.Tensor) else value


def _plain(value: Any) -> Any:
    """Return tensors and tuples as lists, of numbers with the seven digits that they have."""
    if isinstance(value, torch.Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _name(value: Any) -> str:
    """Return the name of a function or a class by which it can be imported, or a value's text."""
    known = hasattr(value, "__qualname__")
    return f"{value.__module__}:{value.__qualname__}" if known else str(value)


def _commits(run: Path) -> Iterator[tuple[str, str]]:
    """Yield the repositories that rsl_rl noted when the policy was trained, with their commits."""
    for file in run.glob("git/*.diff"):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        if len(lines) > 1:
            yield file.stem, lines[1]
