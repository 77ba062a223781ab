# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Reads trainings from the folders that Isaac Lab's rsl_rl workflow writes, and from files of gathered curves."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from isaaclab_bpo.plain_yaml import read_plain_yaml

POINTS = 200
"""Most points of a curve; longer ones are averaged over stretches of equal length before anything is computed."""


class UnreadableRun(Exception):
    """Why a folder or a file is left out; the message is for the user."""


@dataclass
class Run:
    """A training: what was trained, how, and its learning curve. One that was resumed is one run."""

    task: str
    algorithm: str
    seed: int
    settings: dict[str, Any]
    """Everything that could tell this run from others of the algorithm: hyperparameters, networks, physics engine."""
    folders: list[str]
    """The folders that it is in, several if it was resumed."""
    steps: list[float]
    """Environment steps, of all environments together, at each point of the curve."""
    seconds: list[float]
    """Time of collection and learning so far [s]."""
    returns: list[float]
    """Mean return of the last 100 episodes, as rsl_rl logs it."""


def read_runs(paths: Sequence[Path], exclude: Sequence[str] = ()) -> tuple[list[Run], list[str]]:
    """Read all runs in and below ``paths``.

    Args:
        paths: Folders with tensorboard event files somewhere below, and JSON files of :func:`write_runs`.
        exclude: Patterns of names of folders that are left out, with all below them.

    Returns:
        The runs, sorted by task, algorithm and seed, and a sentence for everything that is left out.
    """
    runs: list[Run] = []
    segments: list[_Segment] = []
    left_out = [f"{path} does not exist" for path in paths if not path.exists()]

    @contextmanager
    def naming(*sources: Path) -> Iterator[None]:
        try:
            yield
        except UnreadableRun as error:
            left_out.append(f"{', '.join(map(str, sources))}: {error}")

    for path in paths:
        if path.is_file():
            with naming(path):
                gathered = _read_gathered(path)
                excluded = [_excluding(map(Path, run.folders), exclude) for run in gathered]
                runs += [run for run, pattern in zip(gathered, excluded, strict=True) if pattern is None]
                left_out += sorted({f"runs of {path}: --exclude {pattern}" for pattern in excluded if pattern})
    files = (file for path in paths if path.is_dir() for file in path.rglob("events.out.tfevents.*"))
    folders = {file.parent.resolve(): file.parent for file in files}  # named as the user names them
    for resolved, folder in sorted(folders.items()):
        with naming(folder):
            if (pattern := _excluding([resolved], exclude)) is not None:
                raise UnreadableRun(f"--exclude {pattern}")
            segments.append(_read_folder(folder))
    for chain in _chains(segments):
        with naming(*(segment.folder for segment in chain)):
            runs.append(_join(chain, segments, list(folders)))
    return sorted(runs, key=lambda run: (run.task, run.algorithm, run.seed)), left_out


def _excluding(folders: Iterable[Path], patterns: Sequence[str]) -> str | None:
    """Return the pattern that leaves out one of ``folders``, if any does."""
    names = [path for folder in folders for path in (folder, *folder.parents)]
    return next((pattern for pattern in patterns if any(path.match(pattern) for path in names)), None)


def write_runs(runs: list[Run], path: Path) -> None:
    """Gather ``runs`` in one JSON file, which :func:`read_runs` reads."""
    lines = (json.dumps(asdict(run)) for run in runs)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def _read_gathered(path: Path) -> list[Run]:
    try:
        runs = [Run(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
        for run in runs:
            curve = np.array([run.steps, run.seconds, run.returns], dtype=float)
            if curve.shape[1] == 0 or not np.isfinite(curve).all():
                raise ValueError("a curve is empty or not finite")
            run.seed, run.task, run.algorithm = int(run.seed), str(run.task), str(run.algorithm)
            run.settings = dict(run.settings)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UnreadableRun(f"no file of runs that isaaclab_bpo.compare wrote ({error})") from error
    return runs


@dataclass(eq=False)
class _Segment:
    """The part of a run that one folder holds."""

    folder: Path
    task: str
    algorithm: str
    seed: int
    settings: dict[str, Any]
    resumed_from: str
    """The checkpoint that it was started from, or a pattern."""
    iterations: np.ndarray
    """Shape (n, 4): iteration, steps and seconds that it took, mean return (NaN before the first episode's end)."""

    @property
    def group(self) -> tuple[str, str, int]:
        return self.task, self.algorithm, self.seed

    def may_continue(self, folder: Path) -> bool:
        """Whether it was started from a checkpoint in ``folder``.

        Folders may have been moved, so the names of the folder and of the experiment above it suffice.
        """
        wanted = Path(self.resumed_from).parent.parts[-2:]
        return bool(wanted) and folder.resolve().parts[-len(wanted) :] == wanted


def _read_folder(folder: Path) -> _Segment:
    manifest = _read_configuration(folder / "run.json", json.loads)
    agent = _read_configuration(folder / "params" / "agent.yaml", read_plain_yaml)
    env = _read_configuration(folder / "params" / "env.yaml", read_plain_yaml)
    num_envs, num_steps = _get(env, "scene.num_envs", int), _get(agent, "num_steps_per_env", int)
    settings = {key: value for key, value in agent.items() if key.startswith(("algorithm.", "actor.", "critic."))}
    # With several GPUs, every rank but the first has a folder rank_1, rank_2, ... for its configuration
    steps_per_iteration = num_envs * num_steps * (1 + len(list(folder.glob("rank_*"))))
    settings |= {"num_envs": num_envs, "num_steps_per_env": num_steps, "physics": env.get("sim.physics.class_type")}
    return _Segment(
        folder=folder,
        task=_get(manifest, "task", str),
        algorithm=re.split("[.:]", _get(agent, "algorithm.class_name", str))[-1],
        seed=_get(agent, "seed", int),
        settings=settings,
        resumed_from=str(agent.get("load_checkpoint")),
        iterations=np.insert(_read_events(folder), 1, steps_per_iteration, axis=1),
    )


def _read_configuration(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """Return the leaves of a file of nested mappings, by their dotted names."""
    try:
        return dict(_leaves(parse(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise UnreadableRun(f"not a run of Isaac Lab 3.0, {path.name} cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError, yaml.YAMLError, RecursionError) as error:
        raise UnreadableRun(f"{path.name} is damaged") from error


def _leaves(mapping: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _get(configuration: dict[str, Any], key: str, kind: type) -> Any:
    """Return an entry that must be of type ``kind``."""
    value = configuration.get(key)
    if not isinstance(value, kind):
        raise UnreadableRun(f"{key} is {value!r} in its configuration")
    return value


def _read_events(folder: Path) -> np.ndarray:
    """Return iteration, duration and mean return in the order of the event files of a folder, shape (n, 3)."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})  # 0: all of them
    try:
        events.Reload()
    except Exception as error:  # whatever a damaged file makes of the parser
        raise UnreadableRun(f"its event files are damaged ({error})") from error
    tags = events.Tags()["scalars"]
    collection, learning, returns = (
        [(event.step, event.value) for event in events.Scalars(name)] if name in tags else []
        for name in ("Perf/collection_time", "Perf/learning_time", "Train/mean_reward")
    )
    learning_of = dict(learning)
    # NaN stands for a return that was not logged, so one that was logged as NaN becomes infinite
    return_of = {i: value if np.isfinite(value) else np.inf for i, value in returns}
    rows = [(i, t + learning_of.get(i, 0.0), return_of.get(i, np.nan)) for i, t in collection]
    if not rows:
        raise UnreadableRun("its event files hold no iteration")
    return np.array(rows)


def _chains(segments: list[_Segment]) -> Iterator[list[_Segment]]:
    """Put together the folders of each run, the first part first. Every folder is in one chain.

    A run that was resumed names a checkpoint in the folder that it continues.
    """
    next_of: dict[_Segment, _Segment] = {}
    for segment in segments:
        earlier = _earlier(segment, [it for it in segments if it.group == segment.group])
        if earlier is not None:
            next_of[earlier] = segment  # of several continuations, the last one counts; the others have no first part
    following = set(next_of.values())
    waiting = sorted(segments, key=lambda it: it in following)  # folders that name one another in a circle remain
    while waiting:
        chain = [waiting.pop(0)]
        while (segment := next_of.get(chain[-1])) in waiting:
            waiting.remove(segment)
            chain.append(segment)
        yield chain


def _earlier(segment: _Segment, segments: list[_Segment]) -> _Segment | None:
    """Return that one of ``segments`` which ``segment`` continues, if it is among them.

    Of several that may be meant, the one counts that lies nearest. A run that was resumed in its own folder continues
    no other.
    """
    if segment.may_continue(segment.folder):
        return None
    origin = Path(segment.resumed_from).parent
    found = [it for it in segments if segment.may_continue(it.folder)]
    here = segment.folder.resolve()

    def nearness(other: _Segment) -> tuple[bool, int]:
        there = other.folder.resolve()
        return there == origin, len(Path(os.path.commonpath((here, there))).parts)

    return max(found, key=nearness, default=None)


def _why_incomplete(segment: _Segment, segments: list[_Segment], folders: list[Path]) -> str:
    """Return the end of the sentence about a first part which is none."""
    if segment.may_continue(segment.folder):
        return "which is in its own folder, so what came before is not known"
    other = _earlier(segment, segments)
    if other is None:
        is_there = any(map(segment.may_continue, folders))
        return "which is left out, too" if is_there else "and the run up to there is not among the folders given"
    if other.group == segment.group:
        return "as another folder does, and of several the last one counts"
    differences = [
        f"{name} {theirs}, not {ours}"
        for name, theirs, ours in zip(("task", "algorithm", "seed"), other.group, segment.group, strict=True)
        if theirs != ours
    ]
    return f"which has {' and '.join(differences)}"


def _join(chain: list[_Segment], segments: list[_Segment], folders: list[Path]) -> Run:
    """Return the run whose parts are ``chain``; the others, and all folders, tell why a first part is missing."""
    first = chain[0]
    start = first.iterations[:, 0].min()
    if start > 0:
        reason = _why_incomplete(first, segments, folders)
        raise UnreadableRun(f"it continues {first.resumed_from!r} at iteration {start:.0f}, {reason}")
    iterations, steps, seconds, returns = np.concatenate([segment.iterations for segment in chain]).T
    # After an interruption training goes on from an earlier iteration, and writes anew what comes after it
    next_lowest = np.append(np.minimum.accumulate(iterations[:0:-1])[::-1], np.inf)
    kept = iterations < next_lowest
    steps, seconds, returns = steps[kept].cumsum(), seconds[kept].cumsum(), returns[kept]
    ended = ~np.isnan(returns)
    if not ended.any():
        raise UnreadableRun("no episode has ended in it, so it has no return")
    if not np.isfinite(returns[ended]).all():
        raise UnreadableRun("its return is not finite")
    stretches = np.array_split(np.flatnonzero(ended), min(POINTS, ended.sum()))
    return Run(
        task=first.task,
        algorithm=first.algorithm,
        seed=first.seed,
        settings=chain[-1].settings,
        folders=[str(segment.folder) for segment in chain],
        steps=[float(steps[stretch[-1]]) for stretch in stretches],
        seconds=[round(float(seconds[stretch[-1]]), 2) for stretch in stretches],
        returns=[float(f"{returns[stretch].mean():.6g}") for stretch in stretches],
    )
