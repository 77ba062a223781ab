# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training and playing with the runner of this package, built on Isaac Lab's functions.

Isaac Lab's own entry point does the same with rsl_rl's runner, and accepts no other one.
"""

from __future__ import annotations

import contextlib
import os
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import gymnasium
import torch
from isaaclab.app import LoadingScreen, launch_simulation
from isaaclab.envs import DirectMARLEnvCfg
from isaaclab.utils import to_dict
from isaaclab.utils.assets import retrieve_file_path
from isaaclab.utils.seed import configure_seed
from isaaclab_rl.entrypoints import common
from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import checkpoint_load_cfg, update_rsl_rl_cfg
from isaaclab_rl.rsl_rl import (
    RslRlVecEnvWrapper,
    check_rsl_rl_version,
    create_rsl_rl_runner,
    handle_deprecated_rsl_rl_cfg,
)
from isaaclab_rl.utils.wandb import (
    announce_new_run,
    is_wandb_checkpoint,
    resolve_wandb_checkpoint,
    resolve_wandb_entity,
)
from isaaclab_tasks.utils import resolve_task_config
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner

from isaaclab_bpo.algorithms import RankLostError
from isaaclab_bpo.checks import ConfigurationError
from isaaclab_bpo.envs import make_gym_vec_env
from isaaclab_bpo.runners import CheckpointError, DurableRunner, Preemption
from isaaclab_bpo.tasks.gym_tasks import GymEnvCfg

from .command import Command, fail, parse
from .configuration import Action, UserError


def train(command: Command) -> None:
    """Train what a checked command line asks for.

    Args:
        command: The command.

    Raises:
        SystemExit: If the agent or its checkpoint does not fit the task, the newest state could not be saved, or the
            run was preempted.
    """
    flags = {"cuda_matmul_allow_tf32": True, "cudnn_allow_tf32": True}
    with (
        common.scoped_torch_backend_flags(**flags, cudnn_deterministic=False, cudnn_benchmark=True),
        contextlib.ExitStack() as starting,
        _launched("train", command) as run,
    ):
        starting.enter_context(Preemption(exit_now=True))  # there is nothing to save yet
        args, agent_cfg = run.args, run.agent_cfg
        rank = int(os.getenv("RANK", "0"))
        if args.max_iterations is not None:
            agent_cfg.max_iterations = args.max_iterations
        if args.distributed:
            common.validate_distributed_device(args)
            agent_cfg.device = run.env_cfg.sim.device
            agent_cfg.seed += rank
        run.env_cfg.seed = agent_cfg.seed

        name = args.run_timestamp or datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        folder = run.experiment / "_".join(filter(None, (name, agent_cfg.run_name)))
        rank_folder = folder if rank == 0 else folder / f"rank_{rank}"
        if rank == 0:
            common.write_run_manifest(str(folder), library="rsl_rl", task=args.task, metadata={"agent": args.agent})
        checkpoint = run.checkpoint()
        env = run.make_env(rank_folder)
        runner = run.make_runner(common.wrap_sensor_capture(env, str(rank_folder), args), folder)
        if checkpoint is not None:
            parts = checkpoint_load_cfg(args.resume_optimizer_state, runner_class=agent_cfg.class_name)
            run.load(runner, checkpoint, parts)
        runner.add_git_repo_to_log(__file__)
        common.dump_train_configs(str(rank_folder), run.env_cfg, agent_cfg)
        if agent_cfg.logger == "wandb":
            announce_new_run(agent_cfg.wandb_project, resolve_wandb_entity())

        iterations = agent_cfg.max_iterations
        if isinstance(runner, DurableRunner) and (left := runner.iterations_left(iterations)) != iterations:
            print(f"[isaaclab_bpo] The run of {checkpoint} was cut short: {left} iterations are left.")
            iterations = left
        run.screen.close()
        starting.close()
        with contextlib.suppress(KeyboardInterrupt):
            try:
                runner.learn(iterations, init_at_random_ep_len=agent_cfg.init_at_random_ep_len)
            except (OSError, FloatingPointError, RankLostError) as error:  # a full disk, or values that are not finite
                fail("train.py", error, code=1)
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()


def play(command: Command) -> None:
    """Play what a checked command line asks for, and export the policy.

    Args:
        command: The command.

    Raises:
        SystemExit: If the agent or its checkpoint does not fit the task.
    """
    with _launched("play", command) as run:
        run.env_cfg.seed = run.agent_cfg.seed
        checkpoint = run.checkpoint()
        if checkpoint is None:
            raise UserError(f"no checkpoint is published for --task {run.args.task}: name one with --checkpoint")
        env = run.make_env(checkpoint.parent, checkpoint)
        runner = run.make_runner(env)
        run.load(runner, checkpoint)
        policy = runner.get_inference_policy(device=str(runner.env.device))
        runner.export_policy_to_jit(str(checkpoint.parent / "exported"))
        runner.export_policy_to_onnx(str(checkpoint.parent / "exported"))
        run.play(runner.env, policy)


@dataclass
class _Run:
    """A launched simulation and what it runs."""

    action: Action
    args: Namespace
    env_cfg: Any
    agent_cfg: Any
    screen: LoadingScreen
    cleanup: contextlib.ExitStack

    @property
    def experiment(self) -> Path:
        """Folder of the runs with the same experiment name."""
        return Path("logs", "rsl_rl", self.agent_cfg.experiment_name).resolve()

    def checkpoint(self) -> Path | None:
        """Return the local file of the checkpoint, downloaded if need be."""
        name = self.args.checkpoint
        if name is None:
            return None
        if is_wandb_checkpoint(name):
            return Path(resolve_wandb_checkpoint(name))
        if name == "pretrained":
            published = common.resolve_published_checkpoint("rsl_rl", self.args.task, self.env_cfg)
            return None if published is None else Path(published)
        return Path(retrieve_file_path(name))

    def make_env(self, folder: Path, checkpoint: Path | None = None) -> Any:
        """Create the environment, which films into ``folder`` if it is to."""
        self.env_cfg.log_dir = str(folder)
        common.apply_video_recording(
            self.env_cfg,
            str(folder),
            self.args,
            subdir=self.action,
            checkpoint_path=None if checkpoint is None else str(checkpoint),
        )
        self.screen.stage("Creating environment")
        is_marl = isinstance(self.env_cfg, DirectMARLEnvCfg)
        env = common.create_isaaclab_env(self.args.task, self.env_cfg, self.args, convert_marl_to_single_agent=is_marl)
        self.cleanup.callback(common.close_env, env)
        return env

    def wrap(self, env: Any) -> VecEnv:
        """Return the environment as rsl_rl wants it."""
        return RslRlVecEnvWrapper(env, clip_actions=self.agent_cfg.clip_actions)

    def play(self, env: Any, policy: Any) -> None:
        """Run the policy until it is interrupted or a video is complete."""
        obs = env.get_observations()

        def step() -> None:
            nonlocal obs
            obs, _, dones, _ = env.step(policy(obs))
            policy.reset(dones)

        self.screen.close()
        common.run_playback(step, dt=env.unwrapped.step_dt, args_cli=self.args, env_cfg=self.env_cfg)

    def make_runner(self, env: Any, folder: Path | None = None) -> OnPolicyRunner:
        """Create the runner, with networks and algorithm."""
        self.screen.stage("Preparing agent")
        env = self.wrap(env)
        log_dir = None if folder is None else str(folder)
        if self.agent_cfg.class_name != "OnPolicyRunner":  # distillation
            runner = create_rsl_rl_runner(env, self.agent_cfg, log_dir)
        else:
            try:
                runner = DurableRunner(env, to_dict(self.agent_cfg), log_dir, self.agent_cfg.device)
            except ConfigurationError as error:  # what only the environment could tell
                raise UserError(str(error)) from None
        if self.args.deterministic:  # not before: it would disturb the initialization
            configure_seed(self.env_cfg.seed, torch_deterministic=True)
        return runner

    def load(self, runner: OnPolicyRunner, checkpoint: Path, parts: dict[str, bool] | None = None) -> None:
        """Load a checkpoint, or parts of it, into the runner."""
        print(f"[INFO]: Loading model checkpoint from: {checkpoint}")
        try:
            runner.load(str(checkpoint), load_cfg=parts, map_location=self.agent_cfg.device)
        except CheckpointError as error:
            raise UserError(f"--checkpoint {error}") from None


class _GymRun(_Run):
    """A run in an environment of Gymnasium."""

    def make_env(self, folder: Path, checkpoint: Path | None = None) -> Any:
        """Create the environment."""
        cfg = self.env_cfg
        if self.agent_cfg.init_at_random_ep_len:
            raise UserError("agent.init_at_random_ep_len=true cannot be: Gymnasium counts an episode's steps itself")
        cfg.log_dir = str(folder)
        configure_seed(cfg.seed)  # as Isaac Lab's environments do
        self.screen.stage("Creating environment")
        try:
            env = make_gym_vec_env(
                cfg.id,
                cfg.scene.num_envs,
                cfg.sim.device,
                cfg.seed,
                cfg,
                vectorization_mode=cfg.vectorization_mode,
                render_mode=cfg.render_mode,
            )
        except (gymnasium.error.Error, ValueError) as error:
            raise UserError(f"--task {self.args.task}: {error}") from None
        self.cleanup.callback(env.close)
        return env

    def wrap(self, env: Any) -> VecEnv:
        """Return the environment, which is as rsl_rl wants it."""
        return env

    def play(self, env: Any, policy: Any) -> None:
        """Run an episode in every environment and print the returns."""
        self.screen.close()
        obs = env.get_observations()
        returns = torch.zeros(env.num_envs, device=env.device)
        running = torch.ones(env.num_envs, device=env.device)
        with torch.inference_mode():
            while running.any():
                obs, rewards, dones, _ = env.step(policy(obs))
                policy.reset(dones)
                returns += running * rewards
                running *= 1 - dones
        each = ", ".join(f"{value:.1f}" for value in returns.tolist())
        print(f"[isaaclab_bpo] Mean return of {env.num_envs} episodes: {returns.mean():.1f} ({each})")


@contextlib.contextmanager
def _launched(action: Action, command: Command) -> Iterator[_Run]:
    """Resolve the configuration of a command and launch its simulation."""
    args, overrides = parse(action, command.argv)
    common.enable_cameras_for_video(args)
    rsl_rl_version = check_rsl_rl_version()
    play_mode = action == "play" and not args.train_env_cfg
    with common.startup_screen(args, num_stages=3) as screen:
        env_cfg, agent_cfg = resolve_task_config(args.task, args.agent, play_mode=play_mode, overrides=overrides)
        if isinstance(env_cfg, GymEnvCfg):
            make_run, simulation = _GymRun, contextlib.nullcontext()
        else:
            common.pre_launch_video_config(env_cfg, args)
            common.show_run_summary(screen, args, env_cfg, library="rsl_rl", action=action)
            screen.stage("Launching simulation")
            make_run, simulation = _Run, launch_simulation(env_cfg, args)
        with simulation, contextlib.ExitStack() as cleanup:
            agent_cfg = handle_deprecated_rsl_rl_cfg(update_rsl_rl_cfg(agent_cfg, args), rsl_rl_version)
            common.apply_env_overrides(args, env_cfg)
            try:
                yield make_run(action, args, env_cfg, agent_cfg, screen, cleanup)
            except UserError as error:  # here, since Isaac Lab would print its traceback and Isaac Sim end the process
                fail(f"{action}.py", error)
