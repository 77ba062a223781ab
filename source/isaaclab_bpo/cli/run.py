# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A launched run: a simulation of Isaac Lab or environments of Gymnasium, and a runner on it."""

from __future__ import annotations

import contextlib
import math
import os
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
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
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper, create_rsl_rl_runner
from isaaclab_rl.utils.wandb import is_wandb_checkpoint, resolve_wandb_checkpoint
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from rsl_rl.utils import resolve_callable

from isaaclab_bpo.checks import CheckedConfiguration
from isaaclab_bpo.compatibility import patient_threads, serve_pinned_memory_without_cuda
from isaaclab_bpo.envs import make_gym_vec_env
from isaaclab_bpo.models import CategoricalDistribution
from isaaclab_bpo.runners import CheckpointError, DurableRunner, EnvironmentFailedError, plain
from isaaclab_bpo.tasks.gym_tasks import GymEnvCfg

from . import video
from .command import Command
from .episodes import Episodes
from .errors import UserError, fail
from .machine import has_cuda
from .progress import progress
from .saved_agent import adopt_networks


@contextlib.contextmanager
def launched(command: Command) -> Iterator[Run]:
    """Launch the simulation of a command."""
    args, env_cfg = command.args, command.env_cfg
    common.enable_cameras_for_video(args)
    with common.startup_screen(args, num_stages=3) as screen:
        if isinstance(env_cfg, GymEnvCfg):
            run_class, simulation = GymRun, contextlib.nullcontext()
        else:
            serve_pinned_memory_without_cuda()
            common.pre_launch_video_config(env_cfg, args)
            common.show_run_summary(screen, args, env_cfg, library="rsl_rl", action=command.action)
            screen.stage("Launching simulation (seconds, with Isaac Sim a minute)")
            run_class, simulation = Run, launch_simulation(env_cfg, args)
        with simulation, contextlib.ExitStack() as cleanup:
            common.apply_env_overrides(args, env_cfg)
            program = f"{command.action}.py"
            try:
                yield run_class(command, screen, cleanup)
            except UserError as error:  # here, since Isaac Lab would print its traceback and Isaac Sim end the process
                fail(program, error)
            except EnvironmentFailedError as error:
                fail(program, error, code=1)
            except (MemoryError, RuntimeError) as error:
                is_full = isinstance(error, MemoryError | torch.OutOfMemoryError)
                # torch's and Warp's, which have no type of their own on the CPU
                if not is_full and not re.search("can't allocate memory|Failed to allocate", str(error)):
                    raise
                reason = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
                fail(program, UserError(f"memory is full: give fewer environments with --num_envs ({reason})"), code=1)


@dataclass
class Run:
    """A launched simulation of Isaac Lab and what it runs."""

    command: Command
    screen: LoadingScreen
    cleanup: contextlib.ExitStack
    """Closes what was opened, before the simulation ends."""

    def fetch_checkpoint(self) -> Path | None:
        """Return the local file of the checkpoint, downloaded if need be; None if none is asked for."""
        args = self.command.args
        if args.checkpoint is None:
            return None
        try:
            if is_wandb_checkpoint(args.checkpoint):
                return Path(resolve_wandb_checkpoint(args.checkpoint))
            if args.checkpoint != "pretrained":
                return Path(retrieve_file_path(args.checkpoint))
            published = common.resolve_published_checkpoint("rsl_rl", args.task, self.command.env_cfg)
        except Exception as error:  # whatever the network, the server and their clients may raise
            reason = " ".join(str(error).split())
            raise UserError(f"--checkpoint {args.checkpoint!r} cannot be fetched: {reason}") from None
        if published is None:
            raise UserError(f"no checkpoint is published for --task {args.task}: name one with --checkpoint")
        return Path(published)

    def adopt_networks(self, checkpoint: Path) -> None:
        """Let the agent have the networks of a checkpoint that was fetched; a local file was looked at before."""
        command = self.command
        if not Path(command.args.checkpoint).is_file():
            for note in adopt_networks(command.action, checkpoint, command.agent_cfg, command.overrides):
                print(f"[isaaclab_bpo] {note}.")

    def make_env(self, folder: Path, checkpoint: Path | None = None) -> Any:
        """Create the environment, which films into ``folder`` if it is to."""
        args, env_cfg, path = self.command.args, self.command.env_cfg, None if checkpoint is None else str(checkpoint)
        env_cfg.log_dir = str(folder)
        common.apply_video_recording(env_cfg, str(folder), args, subdir=self.command.action, checkpoint_path=path)
        self.screen.stage("Creating environment (half a minute, at the first start of Newton two)")
        is_marl = isinstance(env_cfg, DirectMARLEnvCfg)
        # Gymnasium's time limit counts the steps of all environments at once, and nobody resets it
        gymnasium.spec(args.task).max_episode_steps = None
        with contextlib.nullcontext() if has_cuda() else patient_threads():
            env = common.create_isaaclab_env(args.task, env_cfg, args, convert_marl_to_single_agent=is_marl)
        self.cleanup.callback(common.close_env, env)
        return env

    def make_runner(self, env: Any, folder: Path | None = None) -> OnPolicyRunner:
        """Create the runner, with networks and algorithm."""
        self.screen.stage("Preparing agent")
        agent_cfg = self.command.agent_cfg
        log_dir = None if folder is None else str(folder)
        if agent_cfg.class_name != "OnPolicyRunner":  # distillation
            runner = create_rsl_rl_runner(self.wrap(env), agent_cfg, log_dir)
        else:
            checked = CheckedConfiguration(to_dict(agent_cfg))
            try:
                runner = DurableRunner(self.wrap(env), checked, log_dir, agent_cfg.device)
            except ValueError as error:  # observation groups that only the environment knows
                raise UserError(str(error)) from None
        if self.command.args.deterministic:  # not before: it would disturb the initialization
            configure_seed(self.command.env_cfg.seed, torch_deterministic=True)
        return runner

    def wrap(self, env: Any) -> VecEnv:
        """Return the environment as rsl_rl wants it."""
        return RslRlVecEnvWrapper(env, clip_actions=self.command.agent_cfg.clip_actions)

    def load(self, runner: OnPolicyRunner, checkpoint: Path, parts: dict[str, bool] | None = None) -> None:
        """Load a checkpoint, or parts of it, into the runner."""
        print(f"[INFO]: Loading model checkpoint from: {checkpoint}")
        try:
            runner.load(str(checkpoint), load_cfg=parts, map_location=self.command.agent_cfg.device)
        except CheckpointError as error:
            raise UserError(f"--checkpoint {error}") from None

    def play(self, env: Any, policy: Any) -> None:
        """Run the policy until a video is complete, until it is interrupted if there is a viewer, or some episodes."""
        self.screen.close()
        args, env_cfg = self.command.args, self.command.env_cfg
        if not args.video and not args.visualizer:  # nobody sees it
            print(f"[isaaclab_bpo] {self.run_episodes(env, policy).sentence()}.")
            return
        obs, step = env.get_observations(), 0
        num_frames = common.video_playback_steps(args, env_cfg)
        with contextlib.nullcontext() if num_frames is None else progress("Filming", num_frames) as show:

            def act() -> None:
                nonlocal obs, step
                obs, _, dones, _ = env.step(policy(obs))
                policy.reset(dones)
                step += 1
                if show is not None:
                    show(step)

            common.run_playback(act, dt=env.unwrapped.step_dt, args_cli=args, env_cfg=env_cfg)

    def run_episodes(self, env: Any, policy: Any) -> Episodes:
        """Run as many episodes as are asked for, by default one in each environment."""
        self.screen.close()
        episodes = Episodes(env, policy, self.command.args.episodes or env.num_envs)
        episodes.run("Episodes")
        return episodes


class GymRun(Run):
    """A run in environments of Gymnasium."""

    video: Path | None = None
    """The file to film into."""

    def make_env(self, folder: Path, checkpoint: Path | None = None) -> Any:
        """Create the environments."""
        cfg = self.command.env_cfg
        if self.command.agent_cfg.init_at_random_ep_len:
            raise UserError("agent.init_at_random_ep_len=true cannot be: Gymnasium counts an episode's steps itself")
        cfg.log_dir = str(folder)
        configure_seed(cfg.seed)  # as Isaac Lab's environments do
        self.screen.stage("Creating environment")
        if self.command.args.video:
            cfg.render_mode = "rgb_array"
            self.video = folder / "videos" / "play" / f"{checkpoint.stem if checkpoint else 'untrained'}.mp4"
            os.environ.setdefault("MUJOCO_GL", "egl")  # MuJoCo draws without a display, too
        try:
            env = make_gym_vec_env(
                cfg.id,
                cfg.scene.num_envs,
                cfg.sim.device,
                cfg.seed,
                cfg,
                vectorization_mode=cfg.vectorization_mode,
                num_threads=cfg.num_threads,
                render_mode=cfg.render_mode,
            )
        except Exception as error:  # whatever an environment of somebody else may raise
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise UserError(f"--task {self.command.args.task} cannot be made: {reason}") from None
        self.cleanup.callback(env.close)
        return env

    def wrap(self, env: Any) -> VecEnv:
        """Return the environments, which are as rsl_rl wants them."""
        return env

    def make_runner(self, env: Any, folder: Path | None = None) -> OnPolicyRunner:
        """Create the runner, unless the policy's actions are none of the environment."""
        distribution = plain(to_dict(self.command.agent_cfg))["actor"]["distribution_cfg"]
        name = distribution["class_name"]
        is_discrete = issubclass(resolve_callable(name), CategoricalDistribution)  # type: ignore[arg-type]
        if (distribution.get("nvec") or [env.num_actions] if is_discrete else None) != env.nvec:
            raise UserError(
                f"env.id={env.cfg.id} has the action space {env.unwrapped.single_action_space}, which "
                f"agent.actor.distribution_cfg, a {name}, does not fit: choose the environment with "
                f"--task, or register it with isaaclab_bpo.tasks.gym_tasks.register_gym_task({env.cfg.id!r})"
            )
        return super().make_runner(env, folder)

    def play(self, env: Any, policy: Any) -> None:
        """Run an episode in every environment, of video games a whole game, and print the returns; film the first."""
        self.screen.close()
        episodes, step = Episodes(env, policy, self.command.args.episodes or env.num_envs), 0
        last_filmed = self.command.args.video_length or math.inf
        first = episodes.left[0] - 1  # what the first environment has left after its first episode
        filming = contextlib.nullcontext() if self.video is None else video.film(self.video, env.unwrapped)
        with filming as shoot:
            while episodes.left.any():
                if shoot is not None and episodes.left[0] > first and step < last_filmed:
                    shoot()
                episodes.step()
                step += 1
        returns = [episode["return"] for episode in episodes.values]
        each = ", ".join(f"{value:.1f}" for value in returns)
        what = "return of {} episodes" if env.frames_per_step is None else "score of {} games"
        print(f"[isaaclab_bpo] Mean {what.format(len(returns))}: {statistics.fmean(returns):.1f} ({each})")
