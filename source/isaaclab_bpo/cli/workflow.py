# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training and playing with the runner of this package.

Isaac Lab's own entry point does the same with rsl_rl's runner, and accepts no other one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from isaaclab_rl.entrypoints import common
from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import checkpoint_load_cfg
from isaaclab_rl.utils.wandb import announce_new_run, resolve_wandb_entity
from rsl_rl.runners import OnPolicyRunner

from isaaclab_bpo.algorithms import RankLostError
from isaaclab_bpo.compare.report import format_interval
from isaaclab_bpo.runners import DurableRunner, EnvironmentFailedError, Preemption, guarded, keep_traceback

from . import video
from .command import Command
from .contract import write_contract
from .demo import finish
from .errors import UserError, fail
from .progress import training_line
from .run import Run, launched
from .run_folder import run_folder
from .summary import summary

EPISODES = 100
"""How many episodes are evaluated by default."""

CANNOT_GO_ON = (
    OSError,
    FloatingPointError,
    RankLostError,
)
"""What ends a training with a sentence: a full disk, values that are not finite, a lost rank."""


def train(command: Command) -> None:
    """Train what a checked command line asks for.

    Raises:
        SystemExit: If the agent or its checkpoint does not fit the task, the newest state could not be saved, or the
            run was preempted.
    """
    args, env_cfg, agent_cfg = command.args, command.env_cfg, command.agent_cfg
    flags = {"cuda_matmul_allow_tf32": True, "cudnn_allow_tf32": True}
    with (
        common.scoped_torch_backend_flags(**flags, cudnn_deterministic=False, cudnn_benchmark=True),
        launched(command) as run,
        contextlib.ExitStack() as starting,  # before the simulation ends, which may end the process
    ):
        starting.enter_context(Preemption(exit_now=True))  # there is nothing to save yet
        rank = _prepare_rank(command)
        checkpoint = run.fetch_checkpoint()
        if checkpoint is not None:
            run.adopt_networks(checkpoint)
        folder = starting.enter_context(run_folder(agent_cfg.experiment_name, agent_cfg.run_name, args.run_timestamp))
        rank_folder = folder if rank == 0 else folder / f"rank_{rank}"
        env = run.make_env(rank_folder)
        runner = run.make_runner(common.wrap_sensor_capture(env, str(rank_folder), args), folder)
        if checkpoint is not None:
            parts = checkpoint_load_cfg(args.resume_optimizer_state, runner_class=agent_cfg.class_name)
            run.load(runner, checkpoint, parts)
        runner.add_git_repo_to_log(__file__)
        if rank == 0:
            common.write_run_manifest(str(folder), library="rsl_rl", task=args.task, metadata={"agent": args.agent})
        common.dump_train_configs(str(rank_folder), env_cfg, agent_cfg)
        if agent_cfg.logger == "wandb":
            announce_new_run(agent_cfg.wandb_project, resolve_wandb_entity())

        iterations = agent_cfg.max_iterations
        if isinstance(runner, DurableRunner) and (left := runner.iterations_left(iterations)) != iterations:
            print(f"[isaaclab_bpo] The run of {checkpoint} was cut short: {left} iterations are left.")
            iterations = left
        run.screen.close()
        in_line = rank == 0 and sys.stdout.isatty() and not (args.verbose or args.info)
        try:
            with training_line(runner.logger, folder / "train.log") if in_line else contextlib.nullcontext():
                starting.close()  # not before: learning takes over the signals at once
                _learn(runner, iterations, agent_cfg.init_at_random_ep_len)
        finally:
            if rank == 0:
                print(summary(command, folder, runner.logger.rewbuffer), flush=True)


def _learn(runner: OnPolicyRunner, iterations: int, init_at_random_ep_len: bool) -> None:
    """Train for some iterations, and leave with a sentence if the run cannot go on."""
    try:
        runner.learn(iterations, init_at_random_ep_len=init_at_random_ep_len)
    except CANNOT_GO_ON as error:
        fail("train.py", error, code=1)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _prepare_rank(command: Command) -> int:
    """Set device and seed of this process, and return its rank."""
    args, env_cfg, agent_cfg = command.args, command.env_cfg, command.agent_cfg
    rank = int(os.getenv("RANK", "0"))
    if args.distributed:
        common.validate_distributed_device(args)
        agent_cfg.device = env_cfg.sim.device
        agent_cfg.seed = (agent_cfg.seed + rank) % 2**32  # NumPy takes no larger one
    env_cfg.seed = agent_cfg.seed
    return rank


@contextlib.contextmanager
def _loaded(command: Command) -> Iterator[tuple[Run, OnPolicyRunner, Path]]:
    """Launch the simulation and load the policy that a command line names; yield with them its checkpoint."""
    with launched(command) as run:
        command.env_cfg.seed = command.agent_cfg.seed
        checkpoint = run.fetch_checkpoint()
        assert checkpoint is not None  # it is the latest one unless another one is named
        run.adopt_networks(checkpoint)
        runner = run.make_runner(run.make_env(checkpoint.parent, checkpoint))
        run.load(runner, checkpoint, {"actor": True, "iteration": True} if isinstance(runner, DurableRunner) else None)
        try:
            with guarded(runner.env, runner.alg.storage.observations):
                yield run, runner, checkpoint
        except EnvironmentFailedError as error:
            keep_traceback(error, checkpoint.parent)
            raise


def play(command: Command) -> None:
    """Play what a checked command line asks for, export the policy, and check the video.

    Raises:
        UserError: If there is no video where one was asked for.
        SystemExit: If the agent or its checkpoint does not fit the task.
    """
    start = time.time()
    with _loaded(command) as (run, runner, checkpoint):
        policy = runner.get_inference_policy(device=str(runner.env.device))
        _export(command, runner, checkpoint)
        run.play(runner.env, policy)
    if command.args.video:
        print(f"[isaaclab_bpo] {video.check(checkpoint.parent / 'videos' / 'play', start)}")


def demo(command: Command) -> None:
    """Film the policy that comes with the package, see :func:`play`."""
    play(command)
    print(f"[isaaclab_bpo] {finish()}.")


def evaluate(command: Command) -> None:
    """Run episodes of the policy that a checked command line names, print what they earned and write it as JSON.

    Raises:
        UserError: If the results cannot be written.
        SystemExit: If the agent or its checkpoint does not fit the task.
    """
    command.args.episodes = command.args.episodes or EPISODES
    with _loaded(command) as (run, runner, checkpoint):
        episodes = run.run_episodes(runner.env, runner.get_inference_policy(device=str(runner.env.device)))
        for name, estimate in episodes.estimates().items():
            print(f"  {name}: {format_interval(estimate)}")
        path = command.args.output or checkpoint.parent / "evaluation" / f"{checkpoint.stem}.json"
        results = {
            "task": command.args.task,
            "checkpoint": str(checkpoint),
            "seed": command.agent_cfg.seed,
            "num_envs": runner.env.num_envs,
            "episodes": len(episodes.values),
            "means": {name: dataclasses.asdict(estimate) for name, estimate in episodes.estimates().items()},
            "each": episodes.values,
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"--output {str(path)!r} cannot be written: {error.strerror}") from None
        print(f"[isaaclab_bpo] {episodes.sentence()}; all of it is in {path}.")


def _export(command: Command, runner: OnPolicyRunner, checkpoint: Path) -> None:
    """Export the policy, and what a robot's program must know of it, or say why it cannot be."""
    folder = str(checkpoint.parent / "exported")
    try:
        if shutil.disk_usage(checkpoint.parent).free < checkpoint.stat().st_size:  # of which torch would die
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        runner.export_policy_to_jit(folder)
        runner.export_policy_to_onnx(folder)
        write_contract(Path(folder), command, runner, checkpoint)
    except (OSError, RuntimeError) as error:  # torch's, of a file that it cannot open
        reason = " ".join(str(error).split("\n")[0].split())
        print(f"[isaaclab_bpo] The policy could not be exported to {folder!r}: {reason}", file=sys.stderr)
