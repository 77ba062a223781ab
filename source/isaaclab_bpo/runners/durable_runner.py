# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's on-policy runner for runs that must not be lost."""

from __future__ import annotations

import contextlib
import math
import statistics
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO, TrainingDivergedError
from isaaclab_bpo.checks import CheckedConfiguration, check_configuration, check_mini_batches
from isaaclab_bpo.compatibility.rsl_rl import survive_code_state
from isaaclab_bpo.compatibility.training_state import restore_random_states, restore_training_state, training_state
from isaaclab_bpo.output import printing_survives
from isaaclab_bpo.storage.collectives import all_reduce

from .checkpoint import CheckpointError, fit_checkpoint
from .checkpoint_file import prune, read, write
from .configuration import plain
from .environment import EnvironmentFailedError, guarded, keep_traceback
from .log_writer import protect
from .observations import name_columns
from .preemption import INTERRUPTED, Preemption

BEST = "model_best.pt"
"""File of the state whose episodes earned the most so far."""

LOOKS_FOR_BEST = 10
"""How many times in a save interval the runner looks whether the state is the best one."""


class DurableRunner(OnPolicyRunner):
    """rsl_rl's on-policy runner, for BPO and PPO, whose runs survive what cluster, disk and user do to them.

    * Checkpoints are replaced atomically and hold all that a run needs to go on bit for bit. With ``keep_last`` in the
      configuration, older ones are deleted.
    * SIGTERM, SIGUSR1 and SIGHUP finish the iteration, save, and exit with :data:`~isaaclab_bpo.runners.PREEMPTED`;
      Ctrl-C does so with :data:`~isaaclab_bpo.runners.INTERRUPTED`.
    * An environment that fails costs the iteration, and what it returns is read as far as it can be understood.
    * The state whose last 100 episodes earned the most is kept in :data:`~isaaclab_bpo.runners.BEST`.
    * A full disk costs the checkpoints of that time, and the run only if TensorBoard or the last checkpoint cannot be
      written; a logging service and a closed terminal cost it nothing.
    * Loading a checkpoint runs no code in it, and changes nothing if it does not fit.
    * Of video games, the mean reward in the log is the score of whole games, not what the algorithm gets: clipped
      rewards, and episodes of a single life. Steps and frames are counted in "Train/steps" and "Train/frames".

    Unlike rsl_rl's runner, a resumed one goes on with the iteration after the saved one, not with its number again.
    """

    def __init__(self, env: VecEnv, train_cfg: dict, log_dir: str | None = None, device: str = "cpu") -> None:
        """Construct the runner, algorithm, and logging stack.

        Args:
            env: The environment.
            train_cfg: Runner configuration; besides rsl_rl's keys, "keep_last" is the number of checkpoints to keep.
                A :class:`~isaaclab_bpo.checks.CheckedConfiguration` is not checked again.
            log_dir: Folder of the run; None logs and saves nothing.
            device: Device of networks and storage.

        Raises:
            ConfigurationError: If anything is wrong with the configuration; names all errors.
        """
        self._plain_cfg = plain(train_cfg)  # before rsl_rl puts objects into it, and 5.4 takes names out of it
        self._came_checked = isinstance(train_cfg, CheckedConfiguration)
        if not self._came_checked:
            check_configuration(train_cfg)
        try:
            super().__init__(env, CheckedConfiguration(train_cfg), log_dir, device)
        except ValueError:
            if not self._came_checked:  # not before: to ask for observations draws noise, in Isaac Lab
                check_configuration(train_cfg, observations=list(map(str, env.get_observations().keys())))
            raise
        survive_code_state(self.logger)
        protect(self.logger)
        self._preemption = Preemption()
        # How many iterations the run was asked for, and before which one it ends
        self._run = {"asked": 0, "end": 0}
        self._has_learned = self._is_learning = False
        self._has_news = False  # whether an iteration has ended since learning began
        self._random_states: Mapping[str, Any] | None = None
        self._failed_save: OSError | None = None
        self._written: list[Path] = []  # the newest last, whatever the clock says
        self._best_return = -math.inf
        # The only method that rsl_rl's loop calls after every iteration and on every rank
        self._log, self.logger.log = self.logger.log, self._log_then_end_iteration  # type: ignore[assignment]
        self._record, self.logger.process_env_step = self.logger.process_env_step, self._record_whole_games

    @property
    def mean_return(self) -> float | None:
        """Mean return of the last episodes of this run, 100 at most, None before the first has ended."""
        returns = self.logger.rewbuffer
        return statistics.fmean(returns) if returns else None

    def iterations_left(self, asked: int) -> int:
        """Return how many iterations to learn: what is left, if a loaded run was cut short that was asked for as many.

        So the command that started a run, given again with its checkpoint, finishes the run.

        Args:
            asked: How many iterations are asked for.
        """
        left = self._run["end"] - self.current_learning_iteration - 1
        return left if self._has_learned and asked == self._run["asked"] and left > 0 else asked

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Run the learning loop.

        Args:
            num_learning_iterations: Number of iterations.
            init_at_random_ep_len: Whether to start at random points of the episodes.

        Raises:
            ConfigurationError: If the mini-batches do not fit the environments.
            OSError: If the newest state could not be saved.
            TrainingDivergedError: If nothing could be learnt for too long; the state is saved.
            EnvironmentFailedError: If the environment raises an error, or returns what cannot be learned from; the
                state after the last whole iteration is saved.
            SystemExit: After a signal, with its exit code.
        """
        with Preemption() as self._preemption:  # before all else: the signals are nobody's until then
            self._learn(num_learning_iterations, init_at_random_ep_len)

    def _learn(self, num_learning_iterations: int, init_at_random_ep_len: bool) -> None:
        """Run the learning loop while signals are noted. Arguments and errors as above."""
        if not self._came_checked:
            check_mini_batches(self._plain_cfg, self.env.num_envs)  # not before: playing may have fewer environments
        if self._has_learned and num_learning_iterations > 0:
            self.current_learning_iteration += 1
        end = self.current_learning_iteration + num_learning_iterations
        if end != self._run["end"]:
            self._run = {"asked": num_learning_iterations, "end": end}
        if self._random_states is not None:
            restore_random_states(self._random_states, self.device)
            self._random_states = None

        self._best_return = self._best_return_in_folder()
        self._is_learning, self._has_news = True, False
        rollout: TensorDict = self.alg.storage.observations  # type: ignore[assignment]
        try:
            with printing_survives(), _write_errors_once(), guarded(self.env, rollout):
                super().learn(num_learning_iterations, init_at_random_ep_len)
        except EnvironmentFailedError as error:
            if self.logger.writer is not None:
                keep_traceback(error, Path(str(self.logger.log_dir)))
            if self._has_news and (path := self._save_and_stop_logging()):
                is_saved = self._failed_save is None
                what = f"is saved: {path!r}" if is_saved else f"could not be saved: {self._failed_save}"
                error.args = (f"{error}. What was learned before {what}",)
            raise
        except TrainingDivergedError as error:
            self._save_and_stop_logging()  # the networks are still those of the last mini-batch that was used
            if error.columns:
                error.args = (f"{error} What was not finite: {name_columns(self.env, error.columns)}.",)
            raise
        finally:
            self._is_learning = False
        self._raise_failed_save()

    def save(self, path: str, infos: dict | None = None) -> None:
        """Save networks, training state, random states, configuration and versions, atomically.

        While learning, a file that cannot be written is reported, and the run goes on.

        Args:
            path: The file.
            infos: Plain data to save with it.

        Raises:
            OSError: If the file cannot be written, except while learning.
        """
        checkpoint = {
            **training_state(self.alg),
            **self.alg.save(),
            "iter": self.current_learning_iteration,
            "infos": infos,
            "mean_return": self.mean_return,
            "run": self._run,
            "cfg": self._plain_cfg,
        }
        try:
            file = Path(path)
            write(checkpoint, file)
            if self.cfg.get("keep_last") is not None:
                others = [other for other in self._written if other != file]
                self._written = [*others[-self.cfg["keep_last"] :], file]
                prune(file.parent, self.cfg["keep_last"], self._written)
        except OSError as error:
            if not self._is_learning:
                raise
            self._failed_save = error
            print(
                f"[isaaclab_bpo] {path!r} could not be saved: {error}. Earlier checkpoints are whole.", file=sys.stderr
            )
            return
        self._failed_save = None
        self.logger.save_model(path, self.current_learning_iteration)

    def load(
        self, path: str, load_cfg: dict | None = None, strict: bool = True, map_location: str | None = None
    ) -> dict:
        """Load a checkpoint of BPO or PPO, without running code in it.

        Args:
            path: The file.
            load_cfg: Which parts to load, see :meth:`rsl_rl.algorithms.PPO.load`; None for all.
            strict: Whether the networks must have the same parameters.
            map_location: Device that the tensors are put on; None for that of the runner.

        Returns:
            The plain data that was saved with it, None if there was none.

        Raises:
            CheckpointError: If it cannot be used; nothing of it is loaded then.
        """
        checkpoint = read(Path(path), map_location or self.device)
        try:
            checkpoint = fit_checkpoint(self.alg, self._plain_cfg, checkpoint, load_cfg, strict)
        except CheckpointError as error:
            raise CheckpointError(f"{path!r} cannot be loaded: {error}") from None
        if self.alg.load(checkpoint, load_cfg, strict):
            self.current_learning_iteration = checkpoint.get("iter", 0)
            self._has_learned = True
            self._run = checkpoint.get("run", self._run)
            same_seed = checkpoint.get("cfg", self._plain_cfg).get("seed") == self._plain_cfg.get("seed")
            if same_seed and not self.is_distributed:  # another seed, and every rank, must draw other numbers
                self._random_states = checkpoint.get("random_states")
        if not isinstance(self.alg, BPO) and (load_cfg is None or load_cfg.get("rnd")):  # BPO does so itself
            restore_training_state(self.alg, checkpoint)
        return checkpoint.get("infos")  # type: ignore[return-value]  # as of rsl_rl's runner

    def _log_then_end_iteration(self, **kwargs: Any) -> None:
        """Log an iteration and, if a signal has come, save and end the run."""
        frames_per_step = getattr(self.env, "frames_per_step", None)
        if frames_per_step is not None and self.logger.writer is not None:
            steps = (kwargs["it"] + 1) * self.cfg["num_steps_per_env"] * self.env.num_envs * self.gpu_world_size
            self.logger.ep_extras.append({"Train/steps": steps, "Train/frames": steps * frames_per_step})
        self._log(**kwargs)
        self._has_learned = self._has_news = True
        is_last = kwargs["it"] + 1 == kwargs["total_it"]
        if is_last or kwargs["it"] % max(1, self.cfg["save_interval"] // LOOKS_FOR_BEST) == 0:
            self._save_if_best()
        # After the last iteration the run is complete, so it must not be taken for preempted
        if (exit_code := self._requested_exit()) and not is_last:
            self._stop(exit_code)

    def _save_if_best(self) -> None:
        """Keep the state as the best one if its episodes earned more than those of any before."""
        returns, mean = self.logger.rewbuffer, self.mean_return
        if self.logger.writer is None or mean is None or len(returns) < (returns.maxlen or 0):
            return
        if mean > self._best_return:
            self._best_return = mean
            self.save(str(Path(str(self.logger.log_dir)) / BEST))

    def _best_return_in_folder(self) -> float:
        """Return what the best state in the run's folder earned, which a resumed run must surpass; -∞ without one."""
        path = Path(str(self.logger.log_dir)) / BEST
        if self.logger.log_dir is None or not path.is_file():
            return -math.inf
        try:
            return float(read(path, "cpu")["mean_return"])
        except (CheckpointError, KeyError, TypeError, ValueError):  # damaged, or somebody else's
            return -math.inf

    def _record_whole_games(
        self, rewards: torch.Tensor, dones: torch.Tensor, extras: dict, intrinsic_rewards: torch.Tensor | None = None
    ) -> None:
        """Record a step for the log, of a video game with the game's own rewards and ends."""
        if "raw_rewards" in extras:
            rewards, dones = (extras[name].to(self.device) for name in ("raw_rewards", "games_over"))
        self._record(rewards, dones, extras, intrinsic_rewards)

    def _requested_exit(self) -> int:
        """Return the exit code that a signal to any rank asks for, else 0: all end with the same iteration."""
        if not self.is_distributed:
            return self._preemption.exit_code
        requested = torch.tensor(float(self._preemption.exit_code), device=self.device)
        return int(all_reduce(requested, op=torch.distributed.ReduceOp.MAX).item())

    def _save_and_stop_logging(self) -> str | None:
        """Save after an iteration, where the process logs at all, and return the file."""
        if self.logger.writer is None:
            return None
        path = str(Path(str(self.logger.log_dir)) / f"model_{self.current_learning_iteration}.pt")
        self.save(path)
        self.logger.stop_logging_writer()
        return path

    def _stop(self, exit_code: int) -> None:
        """Save and leave the program."""
        if path := self._save_and_stop_logging():
            self._raise_failed_save()
            how = "Interrupted" if exit_code == INTERRUPTED else "Preempted"
            text = f"[isaaclab_bpo] {how} after iteration {self.current_learning_iteration}: saved {path!r}."
            print(text, file=sys.stderr)  # where rsl_rl's tables do not go
        raise SystemExit(exit_code)

    def _raise_failed_save(self) -> None:
        """Raise if the newest state is not on the disk."""
        if self._failed_save is not None:
            error, self._failed_save = self._failed_save, None
            raise error


@contextlib.contextmanager
def _write_errors_once() -> Iterator[None]:
    """Keep a thread whose file cannot be written, TensorBoard's, from printing what the main thread will raise."""
    print_traceback = threading.excepthook

    def print_others(error: threading.ExceptHookArgs) -> None:
        if not issubclass(error.exc_type, OSError):
            print_traceback(error)

    threading.excepthook = print_others
    try:
        yield
    finally:
        threading.excepthook = print_traceback
