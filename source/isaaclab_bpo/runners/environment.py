# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What an environment returns while it is learned from: what can be understood is taken, all else is a sentence."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.utils import check_nan
from tensordict import TensorDict, TensorDictBase


class EnvironmentFailedError(RuntimeError):
    """The environment raised an error, the cause of this one, or returned what nobody can learn from."""


@contextlib.contextmanager
def guarded(env: VecEnv, rollout: TensorDict) -> Iterator[None]:
    """Let an environment return what rsl_rl expects, or raise an :class:`EnvironmentFailedError`.

    * A mapping of observations becomes a ``TensorDict``, and their numbers get the floating-point type they had.
    * Rewards become floating-point numbers. They, "dones" and "time_outs" may be arrays of shape (num_envs, 1).
    * Extras may be missing. What is not a number in their "log" or "episode" is left out, which is said once.

    Args:
        env: The environment.
        rollout: Observations as they were when the storage was made, batch size (steps, num_envs).
    """
    reader, own = _Reader(env, rollout), dict(env.__dict__)
    for name, read in {"step": reader.read_step, "get_observations": reader.read_observations}.items():
        setattr(env, name, _guard(getattr(env, name), read))
    try:
        yield
    except ValueError as error:
        if traceback.extract_tb(error.__traceback__)[-1].name != check_nan.__name__:
            raise
        raise EnvironmentFailedError(str(error).split(". ")[0]) from None
    finally:
        for name in ("step", "get_observations"):
            delattr(env, name)
            if name in own:
                setattr(env, name, own[name])


def keep_traceback(error: EnvironmentFailedError, folder: Path) -> None:
    """Write where the environment failed into a file of the run, and say so in the error, if it raised one itself."""
    file = folder / "environment_error.txt"
    if error.__cause__ is not None:
        with contextlib.suppress(OSError):
            file.write_text("".join(traceback.format_exception(error.__cause__)), encoding="utf-8")
            error.args = (f"{error}. Its traceback is in {str(file)!r}",)


def _guard(function: Callable[..., Any], read: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function that reads what another one returns."""

    def call(*args: Any) -> Any:
        try:
            result = function(*args)
        except (Exception, SystemExit) as error:  # whatever a simulator does, the run has not ended well
            reason = " ".join(str(error).split())
            raise EnvironmentFailedError(f"the environment raised {type(error).__name__}: {reason}") from error
        return read(result)

    return call


class _Reader:
    """Reads what an environment returns."""

    def __init__(self, env: VecEnv, rollout: TensorDict) -> None:
        self._num_envs, self._device = env.num_envs, env.device
        self._groups: dict[str, Any] = {str(name): group[0] for name, group in rollout.items()}
        self._said: set[str] = set()

    def read_step(self, result: Any) -> tuple[TensorDictBase, torch.Tensor, torch.Tensor, dict[str, Any]]:
        if not isinstance(result, tuple) or len(result) != 4:
            count = f"{len(result)} values" if isinstance(result, tuple) else f"a {type(result).__name__}"
            raise EnvironmentFailedError(
                f"the environment's step returned {count}: it must return observations, rewards, dones and extras"
            )
        obs, rewards, dones, extras = result
        rewards = self._per_env("rewards", rewards)
        if not rewards.is_floating_point():
            rewards = rewards.float()
        return self.read_observations(obs), rewards, self._per_env("dones", dones), self._read_extras(extras)

    def read_observations(self, obs: Any) -> TensorDictBase:
        if not isinstance(obs, TensorDictBase | Mapping):
            raise EnvironmentFailedError(
                f"the environment's observations are a {type(obs).__name__}: they must be a TensorDict of groups"
            )
        changed = {}
        for name, former in self._groups.items():
            group = obs.get(name)
            if not isinstance(group, torch.Tensor):
                raise EnvironmentFailedError(f"the environment's observations have no group {name!r} any more")
            if group.shape != former.shape:
                raise EnvironmentFailedError(
                    f"observation group {name!r} has shape {tuple(group.shape)} now, and had {tuple(former.shape)}"
                )
            if group.dtype != former.dtype:
                if not former.is_floating_point():
                    raise EnvironmentFailedError(
                        f"observation group {name!r} is of type {group.dtype} now, and was {former.dtype}"
                    )
                changed[name] = group.to(former.dtype)
        if isinstance(obs, TensorDictBase):
            return obs.copy().update(changed) if changed else obs
        return TensorDict({**obs, **changed}, batch_size=[self._num_envs], device=self._device)

    def _per_env(self, name: str, value: Any) -> torch.Tensor:
        """Return one value for each environment, shape (num_envs,)."""
        try:
            tensor = torch.as_tensor(value, device=None if isinstance(value, torch.Tensor) else self._device)
        except (TypeError, ValueError, RuntimeError):
            raise EnvironmentFailedError(f"the environment's {name} are a {type(value).__name__}") from None
        if tensor.numel() != self._num_envs or max(tensor.shape, default=1) != self._num_envs:
            raise EnvironmentFailedError(
                f"the environment's {name} have shape {tuple(tensor.shape)}: it must be ({self._num_envs},)"
            )
        return tensor.reshape(-1)

    def _read_extras(self, extras: Any) -> dict[str, Any]:
        if not isinstance(extras, Mapping | None):
            raise EnvironmentFailedError(f"the environment's extras are a {type(extras).__name__}: give a dict")
        read = {name: value for name, value in (extras or {}).items() if value is not None}
        if "time_outs" in read:
            time_outs = read["time_outs"]
            if isinstance(time_outs, bool) or getattr(time_outs, "shape", None) == ():  # of all environments
                time_outs = [bool(time_outs)] * self._num_envs
            read["time_outs"] = self._per_env("time_outs", time_outs)
        for name in ("log", "episode"):
            if name in read:
                read[name] = self._read_log(read[name])
        return read

    def _read_log(self, log: Any) -> dict[str, Any]:
        """Return what rsl_rl's logger can average."""
        read: dict[str, Any] = {}
        for name, value in log.items() if isinstance(log, Mapping) else [("extras", log)]:
            if (isinstance(value, torch.Tensor) and value.dim() <= 1) or isinstance(value, int | float):
                read[str(name)] = value
                continue
            try:
                read[str(name)] = torch.as_tensor(value, dtype=torch.float32).flatten()
            except (TypeError, ValueError, RuntimeError):
                if name not in self._said:
                    self._said.add(name)
                    print(f"[isaaclab_bpo] {name!r} is not logged: it is a {type(value).__name__}.", file=sys.stderr)
        return read
