# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Environments that misbehave in the middle of a training: it goes on, or ends with a sentence and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tensordict import TensorDict

from conftest import RecordFault
from isaaclab_bpo.runners import DurableRunner, EnvironmentFailedError, read
from point_mass import PointMass, runner_cfg

Bend = Callable[[TensorDict, torch.Tensor, torch.Tensor, dict], Any]


class Bent(PointMass):
    """Bends what it returns, in the second iteration for the first time."""

    def __init__(self, bend: Bend) -> None:
        super().__init__(num_envs=8)
        self.bend, self.num_steps = bend, 0

    def step(self, actions: torch.Tensor) -> Any:
        self.num_steps += 1
        returned = super().step(actions)
        return self.bend(*returned) if self.num_steps > 12 else returned


def with_obs(change: Callable[[torch.Tensor], torch.Tensor]) -> Bend:
    return lambda obs, r, d, x: (obs.copy().update({"policy": change(obs["policy"])}), r, d, x)


def with_rewards(change: Callable[[torch.Tensor], Any]) -> Bend:
    return lambda obs, r, d, x: (obs, change(r), d, x)


def with_dones(change: Callable[[torch.Tensor], Any]) -> Bend:
    return lambda obs, r, d, x: (obs, r, change(d), x)


def with_extras(**changes: Any) -> Bend:
    return lambda obs, r, d, x: (obs, r, d, x | changes)


def raising(error: BaseException) -> Bend:
    def bend(*_: Any) -> None:
        raise error

    return bend


HARMLESS: dict[str, Bend] = {
    "double observations": with_obs(torch.Tensor.double),
    "half observations": with_obs(torch.Tensor.half),
    "integer observations": with_obs(torch.Tensor.long),
    "observations with a gradient": with_obs(lambda obs: obs.clone().requires_grad_()),
    "observations in another order": with_obs(lambda obs: obs.T.contiguous().T),
    "observations in a dict": lambda obs, r, d, x: (dict(obs.items()), r, d, x),
    "one more group": lambda obs, r, d, x: (obs.copy().update({"new": r}), r, d, x),
    "integer rewards": with_rewards(torch.Tensor.long),
    "boolean rewards": with_rewards(torch.Tensor.bool),
    "double rewards": with_rewards(torch.Tensor.double),
    "rewards of shape (N, 1)": with_rewards(lambda r: r.unsqueeze(1)),
    "rewards of shape (1, N)": with_rewards(lambda r: r.unsqueeze(0)),
    "rewards of NumPy": with_rewards(torch.Tensor.numpy),
    "a list of rewards": with_rewards(torch.Tensor.tolist),
    "float dones": with_dones(torch.Tensor.float),
    "boolean dones": with_dones(torch.Tensor.bool),
    "dones of shape (N, 1)": with_dones(lambda d: d.unsqueeze(1)),
    "dones of NumPy": with_dones(torch.Tensor.numpy),
    "a list of dones": with_dones(torch.Tensor.tolist),
    "an episode that never ends": with_dones(torch.zeros_like),
    "an episode that ends at every step": with_dones(torch.ones_like),
    "no extras": lambda obs, r, d, x: (obs, r, d, None),
    "empty extras": lambda obs, r, d, x: (obs, r, d, {}),
    "extras without a log": lambda obs, r, d, x: (obs, r, d, {"time_outs": x["time_outs"]}),
    "time-outs that are None": with_extras(time_outs=None),
    "one time-out for all": with_extras(time_outs=True),
    "boolean time-outs": with_extras(time_outs=torch.zeros(8, dtype=torch.bool)),
    "time-outs of shape (N, 1)": with_extras(time_outs=torch.zeros(8, 1)),
    "time-outs of NumPy": with_extras(time_outs=torch.zeros(8).numpy()),
    "a log that is None": with_extras(log=None),
    "a log of texts": with_extras(log={"terrain": "stairs"}),
    "a log that is a text": with_extras(log="nothing"),
    "a log of tensors of all shapes": with_extras(log={"a": torch.ones(3, 2), "b": torch.tensor(3), "c": [1, 2]}),
    "an episode's log of texts": with_extras(episode={"terrain": "stairs"}),
}

FATAL: dict[str, tuple[Bend, str]] = {
    "observations of another width": (
        with_obs(lambda obs: obs[:, :3]),
        r"observation group 'policy' has shape \(8, 3\) now, and had \(8, 4\)",
    ),
    "fewer environments": (lambda obs, r, d, x: (obs[:-1], r, d, x), r"has shape \(7, 4\) now, and had \(8, 4\)"),
    "a group that is gone": (lambda obs, r, d, x: (obs.exclude("policy"), r, d, x), "have no group 'policy' any more"),
    "observations that are a tensor": (lambda obs, r, d, x: (obs["policy"], r, d, x), "observations are a Tensor"),
    "one reward": (with_rewards(torch.Tensor.mean), r"rewards have shape \(\): it must be \(8,\)"),
    "three rewards each": (with_rewards(lambda r: r.repeat(3, 1).T), r"rewards have shape \(8, 3\)"),
    "a reward too few": (with_rewards(lambda r: r[1:]), r"rewards have shape \(7,\)"),
    "a text for rewards": (with_rewards(str), "rewards are a str"),
    "a done too few": (with_dones(lambda d: d[1:]), r"dones have shape \(7,\)"),
    "dones that are None": (with_dones(lambda d: None), "dones are a NoneType"),
    "dones that are NaN": (with_dones(lambda d: d * torch.nan), "dones returned by the environment contain NaN"),
    "a time-out too few": (with_extras(time_outs=torch.zeros(7)), r"time_outs have shape \(7,\)"),
    "extras that are a list": (lambda obs, r, d, x: (obs, r, d, [x]), "extras are a list"),
    "three values": (lambda obs, r, d, x: (obs, r, d), "returned 3 values: it must return observations, rewards"),
    "five values of Gymnasium": (lambda obs, r, d, x: (obs, r, d, d, x), "returned 5 values"),
    "nothing": (lambda obs, r, d, x: None, "returned a NoneType"),
    "an error": (raising(RuntimeError("it fell\nover")), "raised RuntimeError: it fell over"),
    "a missing key": (raising(KeyError("joint")), "raised KeyError: 'joint'"),
    "no memory": (raising(MemoryError()), "raised MemoryError"),
    "its own exit": (raising(SystemExit(0)), "raised SystemExit: 0"),
}


@pytest.mark.parametrize("algorithm", ["PPO", "isaaclab_bpo.algorithms:BPO"])
@pytest.mark.parametrize("kind", HARMLESS)
def test_training_goes_on(kind: str, algorithm: str, tmp_path: Path, record_fault: RecordFault) -> None:
    runner = DurableRunner(Bent(HARMLESS[kind]), runner_cfg(algorithm=algorithm), str(tmp_path))
    runner.learn(3)
    actor = runner.alg.save()["actor_state_dict"].values()
    record_fault(
        "environment returns other types and shapes", True, all(bool(value.isfinite().all()) for value in actor), 0
    )


@pytest.mark.parametrize("kind", FATAL)
def test_training_ends_with_a_sentence_and_is_saved(kind: str, tmp_path: Path, record_fault: RecordFault) -> None:
    bend, sentence = FATAL[kind]
    runner = DurableRunner(Bent(bend), runner_cfg() | {"save_interval": 1000}, str(tmp_path))
    with pytest.raises(EnvironmentFailedError, match=sentence) as caught:
        runner.learn(3)
    assert f"What was learned before is saved: {str(tmp_path / 'model_0.pt')!r}" in str(caught.value)
    assert "\n" not in str(caught.value)
    is_kept = (tmp_path / "environment_error.txt").is_file()
    assert is_kept is ("raised" in sentence)
    actor = read(tmp_path / "model_0.pt")["actor_state_dict"].values()
    record_fault("environment fails", True, all(bool(value.isfinite().all()) for value in actor), 0)


def test_what_could_not_be_saved_is_not_called_saved(tmp_path: Path) -> None:
    (tmp_path / "model_0.pt").mkdir()  # where no file can be
    runner = DurableRunner(
        Bent(raising(RuntimeError("it fell"))), runner_cfg() | {"save_interval": 1000}, str(tmp_path)
    )
    with pytest.raises(EnvironmentFailedError, match=r"What was learned before could not be saved: .*Is a directory"):
        runner.learn(3)


def test_nothing_is_saved_where_nothing_was_learned(tmp_path: Path) -> None:
    env = Bent(raising(RuntimeError("at once")))
    env.num_steps = 12
    with pytest.raises(EnvironmentFailedError, match="at once"):
        DurableRunner(env, runner_cfg(), str(tmp_path)).learn(3)
    assert not list(tmp_path.glob("model_*.pt"))
    assert "at once" in (tmp_path / "environment_error.txt").read_text()


def test_the_environment_is_its_own_again_afterwards() -> None:
    env = PointMass()
    DurableRunner(env, runner_cfg()).learn(1)
    assert "step" not in vars(env)
    assert "get_observations" not in vars(env)
    env.step = bent = Bent(with_dones(torch.ones_like)).step  # type: ignore[method-assign]
    runner = DurableRunner(env, runner_cfg())
    env.num_envs = 8
    with pytest.raises(EnvironmentFailedError):
        runner.learn(1)
    assert env.step is bent


def test_what_is_not_logged_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    DurableRunner(Bent(HARMLESS["a log of texts"]), runner_cfg()).learn(3)
    assert capsys.readouterr().err.count("'terrain' is not logged: it is a str") == 1
