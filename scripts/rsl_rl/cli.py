# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``train.py`` and ``play.py`` share: a command line of ours becomes one of Isaac Lab's, checked beforehand.

:func:`translate` reads the command line, fills in what a machine without CUDA needs, and refuses what cannot work with
one sentence, before the simulator starts. Only the standard library is imported at module level: a misspelt algorithm
is reported at once.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

Action = Literal["train", "play"]

AGENTS = {"bpo": "rsl_rl_bpo_cfg_entry_point", "ppo": "rsl_rl_cfg_entry_point"}
"""The key of the agent configuration in a task's registration, for each ``--algo``."""

NUM_ENVS_WITHOUT_CUDA: dict[Action, int] = {"train": 64, "play": 4}
"""Environments that a laptop simulates at a usable speed."""

JOINT_ORDER = {"isaaclab_physx": "physx", "isaaclab_ov": "physx", "isaaclab_newton": "mjwarp"}
"""The order of a robot's joints in the engines of each Isaac Lab package, by its name in ``joint_ordering``."""


class UserError(Exception):
    """A mistake in the command line; the message is the one sentence that the user reads."""


def fail(program: str, error: UserError) -> NoReturn:
    """Print ``error`` to stderr and leave with exit code 2."""
    print(f"{program}: error: {error}", file=sys.stderr)
    raise SystemExit(2)


@dataclass
class Command:
    """A checked command line for Isaac Lab and what was found out on the way."""

    argv: list[str]
    """Arguments for ``run_train_cli`` or ``run_play_cli``."""
    args: argparse.Namespace
    """The arguments as Isaac Lab parses them."""
    checkpoint: Path | None = None
    """The local checkpoint that training resumes from or play loads."""
    notes: list[str] = field(default_factory=list)
    """What was chosen for the user, to be said in one line."""


def translate(action: Action, argv: list[str]) -> Command:
    """Turn our command line into a checked one of Isaac Lab's ``train`` or ``play``.

    Args:
        action: Which of the two.
        argv: The user's arguments, without the program's name.

    Returns:
        The command for Isaac Lab.

    Raises:
        UserError: If the command cannot work.
        SystemExit: If argparse rejects the arguments, or after ``--help``.
    """
    own, passed_on = _own_parser().parse_known_args(argv)
    if own.assets is not None:
        os.environ["ISAACLAB_BPO_ASSETS"] = own.assets

    from isaaclab_bpo.robots import select_assets

    try:
        select_assets()  # before Isaac Lab looks at the choice
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error)) from error

    from isaaclab.cli import load_external_tasks

    load_external_tasks()
    import isaaclab_tasks  # noqa: F401  # registers Isaac Lab's tasks

    import isaaclab_bpo.tasks  # noqa: F401  # ours, also where the package is on the path without being installed

    args, overrides = _parse(action, passed_on)
    command = Command(argv=["--rl_library", "rsl_rl", *passed_on], args=args)
    args.agent = _agent(own.algo, args.agent)
    if args.external_callback is not None:  # the callback registers the task: there is nothing to check before it ran
        command.argv += ["--agent", args.agent]
        return command

    args.task = _task(action, args.task, args.agent)
    command.argv += ["--task", args.task, "--agent", args.agent]
    _check_numbers(args)
    devices = _devices(args, overrides)
    command.argv += devices
    overrides += [token for token in devices if "=" in token]
    command.checkpoint = _checkpoint(action, args, overrides)
    if command.checkpoint is not None:
        command.argv += ["--checkpoint", str(command.checkpoint)]

    for token in _engine(args, overrides, command):
        command.argv.append(token)
        overrides.append(token)
    if not _cuda() and args.num_envs is None and _value(overrides, "env.scene.num_envs") is None:
        args.num_envs = NUM_ENVS_WITHOUT_CUDA[action]
        command.argv += ["--num_envs", str(args.num_envs)]
    _check_configuration(action, args, overrides)
    if not _cuda():
        command.notes.insert(0, _without_cuda(args))
    return command


def announce(command: Command) -> None:
    """Say in one line what was chosen for the user."""
    if command.notes:
        print(f"[isaaclab_bpo] {'; '.join(command.notes)}.", flush=True)


##
# The arguments.
##


def _own_parser() -> argparse.ArgumentParser:
    """Return a parser of the arguments that Isaac Lab does not know."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    _add_own_arguments(parser)
    return parser


def _add_own_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("isaaclab_bpo")
    group.add_argument("--algo", choices=tuple(AGENTS), help="Algorithm, short for its --agent. Default: bpo.")
    group.add_argument(
        "--assets",
        choices=("auto", "nvidia", "standin"),
        help="Robot files: NVIDIA's, the stand-ins of this package, or NVIDIA's where they can be reached (auto).",
    )
    group.add_argument("--rl_library", choices=("rsl_rl",), help="Implied.")


def _parse(action: Action, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse ``argv`` with the arguments of Isaac Lab's own command; ours are listed in its help.

    Returns:
        The parsed arguments and the Hydra overrides.
    """
    from isaaclab.app import add_launcher_args
    from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import add_rsl_rl_args
    from isaaclab_rl.entrypoints.common import add_common_play_args, add_common_train_args
    from isaaclab_tasks.utils import setup_preset_cli

    parser = argparse.ArgumentParser(
        prog=f"{action}.py", description=f"{action.capitalize()} with BPO or PPO. All other arguments are Isaac Lab's."
    )
    _add_own_arguments(parser)
    add_common_args = add_common_train_args if action == "train" else add_common_play_args
    add_common_args(parser, agent_default=None, agent_help="Key of the agent configuration. Default: that of --algo.")
    parser.add_argument("--external_callback", help="Fully qualified path to an externally defined callback.")
    if action == "train":
        parser.add_argument("--resume_optimizer_state", action=argparse.BooleanOptionalAction, default=True)
    add_rsl_rl_args(parser)
    add_launcher_args(parser)
    args, rest = setup_preset_cli(parser, argv)
    return args, [token for token in rest if "=" in token and not token.startswith("-")]


def _agent(algo: str | None, agent: str | None) -> str:
    """Return the key of the agent configuration that ``--algo`` and ``--agent`` ask for."""
    if agent is None:
        return AGENTS[algo or "bpo"]
    if algo is not None and AGENTS[algo] != agent:
        raise UserError(f"--algo {algo} means --agent {AGENTS[algo]} but --agent is {agent!r}: give one of the two")
    return agent


def _task(action: Action, name: str | None, agent: str) -> str:
    """Return the id of a registered task that has the ``agent`` configuration, in Isaac Lab 3.0's naming.

    Isaac Lab 3.0 plays under the id that it trained under. A Play id of 2.x is only kept to train in that environment.
    """
    import gymnasium as gym
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    from isaaclab_bpo.tasks import canonical_id

    tasks = {key: spec.kwargs for key, spec in gym.registry.items() if "env_cfg_entry_point" in spec.kwargs}
    if name is None:
        raise UserError("--task is missing: give the id of a task, for example --task Isaac-Velocity-Rough-G1-v0")
    task = name.split(":")[-1]
    if action == "play" or not task.endswith("-Play-v0"):
        task = canonical_id(task)
    if task not in tasks:
        raise UserError(f"--task {name!r} is not a registered task{_similar(name, tasks)}")
    if agent not in tasks[task]:
        agents = sorted(key for key in tasks[task] if key.startswith("rsl_rl_") and key.endswith("_cfg_entry_point"))
        if not agents:
            raise UserError(f"--task {task!r} has no rsl_rl configuration, so neither BPO nor PPO can train it")
        raise UserError(f"--task {task!r} has no agent configuration {agent!r}: valid are {', '.join(agents)}")
    try:
        load_quietly(load_cfg_from_registry, task, agent)
    except ValueError as error:  # a PPO configuration that BPO cannot take over
        raise UserError(f"--task {task!r} has no configuration for --agent {agent}: {error}") from error
    return task


def _check_numbers(args: argparse.Namespace) -> None:
    """Refuse counts that are out of range."""
    for name, least in {"num_envs": 1, "max_iterations": 0, "video_length": 1, "video_interval": 0}.items():
        value = getattr(args, name, None)
        if value is not None and value < least:
            raise UserError(f"--{name} {value} is out of range: it must be at least {least}")


def _similar(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that offers the closest of ``names``."""
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f": did you mean {' or '.join(close)}?" if close else ""


def _value(overrides: list[str], key: str) -> str | None:
    """Return the last value that ``overrides`` give to ``key``."""
    return next((token.split("=", 1)[1] for token in reversed(overrides) if token.startswith(f"{key}=")), None)


##
# The machine.
##


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _devices(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Return arguments that put simulation and agent on one device: the CPU where there is no CUDA.

    Isaac Lab gives ``--device`` to the simulation only; the agent's is ``agent.device``.
    """
    explicit = args.device if getattr(args, "device_explicit", False) else None
    agent_device = _value(overrides, "agent.device")
    if not _cuda():
        for name, device in {"--device": explicit, "agent.device": agent_device}.items():
            if device is not None and device.startswith("cuda"):
                raise UserError(f"{name} {device!r} needs a CUDA device and this machine has none: use cpu")
        if getattr(args, "distributed", False):
            raise UserError("--distributed needs CUDA devices and this machine has none")
        explicit = args.device = explicit or "cpu"
    if explicit is None or getattr(args, "distributed", False):
        return []
    return ["--device", explicit, *([] if agent_device is not None else [f"agent.device={explicit}"])]


def _without_cuda(args: argparse.Namespace) -> str:
    """Set the number of threads for a small run on the CPU and describe the run."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)  # the networks are small: more threads would only wait for each other
    threads = torch.get_num_threads()
    envs = "" if args.num_envs is None else f", {args.num_envs} environments (--num_envs)"
    return f"no CUDA device: CPU, {threads} torch thread{'s' * (threads > 1)} (OMP_NUM_THREADS){envs}"


##
# The checkpoint and the physics engine it knows.
##


def _checkpoint(action: Action, args: argparse.Namespace, overrides: list[str]) -> Path | None:
    """Return the local checkpoint that ``--checkpoint`` names, or None if there is none to look at."""
    from isaaclab_tasks.utils import get_checkpoint_path

    name = args.checkpoint or ("latest" if action == "play" else None)
    if name is None or name == "pretrained" or "://" in name or name.startswith("wandb:"):
        return None
    if name in ("latest", "best"):
        path = _newest(name, args, overrides)
    elif Path(name).is_dir():
        try:
            path = Path(get_checkpoint_path(str(Path(name).parent), Path(name).name, r"model_.*\.pt"))
        except ValueError:
            raise UserError(f"--checkpoint {name!r} is a folder without a file model_*.pt") from None
    else:
        path = Path(name)
    if not path.is_file():
        raise UserError(f"--checkpoint {name!r} does not exist: give a file, a run's folder or 'latest'")
    _check_readable(path)
    return path


def _newest(selector: str, args: argparse.Namespace, overrides: list[str]) -> Path:
    """Return the checkpoint that ``latest`` or ``best`` selects among the runs of the task, under any of its ids."""
    import gymnasium as gym
    from isaaclab_rl.entrypoints.common import resolve_checkpoint_selector

    from isaaclab_bpo.tasks import canonical_id

    experiment = args.experiment_name or _value(overrides, "agent.experiment_name")
    if experiment is None:
        experiment = _resolve(args, [], play_mode=False)[1].experiment_name
    root = Path("logs", "rsl_rl", experiment).resolve()
    found = []
    for task in (key for key in gym.registry if canonical_id(key) == canonical_id(args.task)):
        with contextlib.suppress(ValueError):  # no run of that id
            found.append(
                resolve_checkpoint_selector(
                    str(root),
                    selector,
                    library="rsl_rl",
                    task=task,
                    checkpoint_pattern=r"model_.*\.pt",
                    metadata={"agent": args.agent},
                )
            )
    if not found:
        raise UserError(
            f"--checkpoint {selector!r} finds no run of {args.task} with agent {args.agent} in {str(root)!r}: "
            "train one first, start in the folder that holds its logs/, or name a checkpoint"
        )
    return max((Path(path) for path in found), key=lambda path: (path.parent / "run.json").stat().st_mtime)


def _check_readable(path: Path) -> None:
    """Refuse a file that is not a whole checkpoint of plain data, before rsl_rl unpickles it without restrictions."""
    import pickle
    import zipfile

    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError, KeyError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"--checkpoint {str(path)!r} is not a checkpoint of rsl_rl or was cut short while saving ({reason}): "
            "name another one"
        ) from None


def _engine(args: argparse.Namespace, overrides: list[str], command: Command) -> list[str]:
    """Choose a physics engine where the user did not, and a joint order that the checkpoint's policy knows.

    PhysX numbers joints breadth-first and Newton depth-first, so a policy must act in the order that it was trained
    with: a checkpoint is run with its own engine or, if another one is asked for, with its own engine's joint order.

    Returns:
        Overrides to add.
    """
    from isaaclab_tasks.utils.hydra import collect_presets
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    env_cfg = load_quietly(load_cfg_from_registry, args.task, "env_cfg_entry_point")
    engines = collect_presets(env_cfg).get("sim.physics", {})
    usable = [name for name, cfg in engines.items() if _installed(cfg)]
    run = _run_configuration(command.checkpoint)
    added = []

    presets = (_value(overrides, "presets") or "").split(",")
    chosen = any(_value(overrides, key) is not None for key in ("physics", "env.sim.physics"))
    if engines and not chosen and not any(name in engines for name in presets):
        if run is not None:
            trained = run["sim"]["physics"]
            same = [name for name in usable if _manager(engines[name]) == _manager(trained)]
            kin = [name for name in usable if _joint_order(engines[name]) == _joint_order(trained)]
            preferred = [*same, *kin, *usable]
        else:
            preferred = [] if _cuda() else ["ovphysx"]
            preferred += ["default", "ovphysx", "newton_mjwarp"]
        engine = next((name for name in preferred if name in usable), "default")
        if _manager(engines[engine]) != _manager(engines["default"]):
            added.append(f"physics={engine}")
            command.notes.append(f"physics={engine}{' as in training' if run is not None else ''}")

    if run is not None:
        env_cfg = _resolve(args, [*_selectors(args, overrides), *added], play_mode=False)[0]
        added += _joint_ordering(env_cfg, run, overrides, command)
    return added


def _joint_ordering(env_cfg: Any, run: dict[str, Any], overrides: list[str], command: Command) -> list[str]:
    """Return overrides that number the joints of every robot as in the run that trained the policy."""
    from isaaclab.assets import ArticulationCfg

    added = []
    for name, asset in vars(env_cfg.scene).items():
        if not isinstance(asset, ArticulationCfg) or name not in run["scene"]:
            continue
        for kind in ("joint_ordering", "body_ordering"):
            trained = run["scene"][name].get(kind) or _joint_order(run["sim"]["physics"])
            key = f"env.scene.{name}.{kind}"
            if _value(overrides, key) is None and trained not in (None, _joint_order(env_cfg.sim.physics)):
                added.append(f"{key}={trained}")
    if added:
        command.notes.append("joints ordered as in training")
    return added


def _run_configuration(checkpoint: Path | None) -> dict[str, Any] | None:
    """Return the environment configuration that Isaac Lab stored with the run of ``checkpoint``."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads plain YAML; Python objects in it (tuples, slices), which we do not need, become None."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
    file = checkpoint.parent / "params" / "env.yaml" if checkpoint is not None else None
    if file is None or not file.is_file():
        return None
    run = yaml.load(file.read_text(encoding="utf-8"), Loader)  # a SafeLoader
    return run if "scene" in run and "physics" in run.get("sim", {}) else None  # Isaac Lab 2.x stored no engine


def _manager(physics: Any) -> tuple[str, ...]:
    """Return the classes of manager and solver of a physics configuration, an object or a mapping read from YAML."""
    read = Mapping.get if isinstance(physics, Mapping) else getattr
    solver = read(physics, "solver_cfg", None)
    return tuple(str(read(cfg, "class_type", None)) for cfg in (physics, solver) if cfg is not None)


def _joint_order(physics: Any) -> str | None:
    """Return the name of the joint order of a physics configuration's engine."""
    return JOINT_ORDER.get(_manager(physics)[0].split(".")[0])


def _installed(physics: Any) -> bool:
    """Whether the engine of a physics configuration can start here."""
    needs = {"PhysxCfg": "isaacsim", "PhysxAutoCfg": "isaacsim", "OvPhysxCfg": "ovphysx"}.get(type(physics).__name__)
    return needs is None or importlib.util.find_spec(needs) is not None


##
# The configuration.
##


def load_quietly(load: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call one of Isaac Lab's configuration loaders without the lines that it prints: it will be called again."""
    with contextlib.redirect_stdout(io.StringIO()):
        return load(*args, **kwargs)


def _resolve(args: argparse.Namespace, overrides: list[str], play_mode: bool) -> tuple[Any, Any]:
    """Return the task's environment and agent configuration with ``overrides`` applied."""
    from isaaclab_tasks.utils import resolve_task_config

    return load_quietly(resolve_task_config, args.task, args.agent, play_mode=play_mode, overrides=overrides)


def _selectors(args: argparse.Namespace, overrides: list[str]) -> list[str]:
    """Return the overrides that choose presets, after checking that the presets exist."""
    from isaaclab_tasks.utils.hydra import collect_presets
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry
    from isaaclab_tasks.utils.preset_cli import enumerate_task_presets
    from isaaclab_tasks.utils.preset_target import PresetTarget

    presets = load_quietly(enumerate_task_presets, args.task) or {}
    aliases = PresetTarget.all_legacy_aliases()
    paths = {
        f"{section}.{path}"
        for section, key in {"env": "env_cfg_entry_point", "agent": args.agent}.items()
        for path in collect_presets(load_quietly(load_cfg_from_registry, args.task, key))
    }
    chosen = []
    for token in overrides:
        key, value = token.split("=", 1)
        targets = [target for target in PresetTarget if target.value == key]
        for name in value.split(",") if targets else []:
            of_target = set(presets.get(targets[0], []))
            valid = of_target.union(*presets.values()) if targets[0] is PresetTarget.DOMAIN else of_target
            if aliases.get(name, name) not in valid:
                choices = ", ".join(sorted(valid)) or "none"
                raise UserError(f"{key}={name} is not a preset of {args.task}: valid are {choices}")
        if targets or key in paths:
            chosen.append(token)
    return chosen


def _check_configuration(action: Action, args: argparse.Namespace, overrides: list[str]) -> None:
    """Refuse overrides of unknown fields, bad hyperparameters, and robots without a file."""
    from isaaclab_bpo.agents import check_agent_cfg
    from isaaclab_bpo.robots import missing_standin

    play_mode = action == "play" and not args.train_env_cfg
    selectors = _selectors(args, overrides)
    env_cfg, agent_cfg = _resolve(args, selectors, play_mode)
    for token in overrides:
        if token not in selectors:
            _check_override(token, {"env": env_cfg, "agent": agent_cfg})
    env_cfg, agent_cfg = _resolve(args, overrides, play_mode)
    if env_cfg.scene.num_envs < 1:
        raise UserError(f"env.scene.num_envs={env_cfg.scene.num_envs} is out of range: it must be at least 1")
    problems = check_agent_cfg(agent_cfg)
    if problems:
        raise UserError("; ".join(problems))
    missing = missing_standin(env_cfg)
    if missing is not None:
        raise UserError(
            f"--task {args.task!r} needs {missing}, NVIDIA's asset server is out of reach and this package has no "
            "stand-in for it: connect to the server, or set ISAACSIM_ASSET_ROOT to a local copy of NVIDIA's assets"
        )


def _check_override(token: str, configurations: dict[str, Any]) -> None:
    """Refuse an override of a field that does not exist or holds another type."""
    key, text = token.split("=", 1)
    if key.startswith(("+", "~", "hydra.")):  # Hydra's own language
        return
    section, *path = key.split(".")
    if section not in configurations or not path:
        raise UserError(
            f"{token!r} is not an override: they start with env. or agent., or are physics=, renderer= or presets="
        )
    node = configurations[section]
    for depth, name in enumerate(path):
        fields = _fields(node)
        if name not in fields:
            where = ".".join([section, *path[:depth]])
            raise UserError(f"{token!r} names an unknown field: {where} has no {name!r}{_similar(name, fields)}")
        node = fields[name]
    if isinstance(node, (int, float)) and not isinstance(node, bool) and not _is_number(text):
        raise UserError(f"{token!r} needs a number: {key} is {node!r} by default")


def _fields(node: Any) -> dict[str, Any]:
    """Return the fields of a configuration object, mapping or list by name."""
    if isinstance(node, Mapping):
        return {str(key): value for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return {str(index): value for index, value in enumerate(node)}
    if not hasattr(node, "__dataclass_fields__"):
        return {}
    return {name: getattr(node, name) for name in {*node.__dataclass_fields__, *vars(node)}}


def _is_number(text: str) -> bool:
    if text.lower() in ("none", "null"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
