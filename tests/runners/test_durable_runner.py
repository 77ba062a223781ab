# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The runner: exact resumption, numbering, retention, conversion between BPO and PPO."""

from __future__ import annotations

import copy
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rsl_rl.runners import OnPolicyRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.algorithms.health import DIAGNOSTICS
from isaaclab_bpo.checks import CheckedConfiguration, ConfigurationError
from isaaclab_bpo.runners import BEST, PREEMPTED, DurableRunner, read
from point_mass import PointMass, mirror, runner_cfg

RND = {
    "num_outputs": 2,
    "predictor_hidden_dims": [8],
    "target_hidden_dims": [8],
    "weight": 0.1,
    "state_normalization": True,
    "reward_normalization": True,
    "weight_schedule": {"mode": "linear", "initial_step": 5, "final_step": 40, "final_value": 0.0},
}
SYMMETRY = {"use_data_augmentation": True, "data_augmentation_func": mirror}


def make_runner(cfg: dict, folder: Path | None = None, env: PointMass | None = None) -> DurableRunner:
    return DurableRunner(env or PointMass(), copy.deepcopy(cfg), None if folder is None else str(folder))


def networks(runner: OnPolicyRunner) -> dict[str, torch.Tensor]:
    """All parameters, normalizers and moments."""
    found = {}
    for name, state in runner.alg.save().items():
        if name.endswith("optimizer_state_dict"):
            moments = state["state"]
            found |= {f"{name} {i} {key}": value for i in moments for key, value in moments[i].items()}
        elif name.endswith("_state_dict"):
            found |= {f"{name} {key}": value for key, value in state.items()}
    return {name: value.clone() for name, value in found.items()}


@pytest.mark.parametrize(
    ("model", "hyperparameters"),
    [
        ("mlp", {}),
        ("mlp", {"median": "batch", "online_advantage": False}),
        ("mlp", {"rnd_cfg": RND}),
        ("mlp", {"symmetry_cfg": SYMMETRY, "optimizer": "rmsprop"}),
        ("cnn", {"share_cnn_encoders": True}),
        ("mlp", {"algorithm": "PPO"}),
    ],
    ids=["default", "batch", "rnd", "symmetry", "cnn", "ppo"],
)
def test_resumed_run_equals_an_uninterrupted_one_bit_for_bit(model: str, hyperparameters: dict, tmp_path: Path) -> None:
    cfg = runner_cfg(model, **hyperparameters)
    cfg["actor"]["obs_normalization"] = cfg["critic"]["obs_normalization"] = True
    if "rnd_cfg" in hyperparameters:
        cfg["obs_groups"]["rnd_state"] = ["policy"]

    def seeded_env() -> PointMass:
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(3)
        return PointMass(image=model == "cnn")

    straight = make_runner(cfg, tmp_path / "straight", seeded_env())
    straight.learn(6, init_at_random_ep_len=True)

    env = seeded_env()
    make_runner(cfg, tmp_path / "half", env).learn(3, init_at_random_ep_len=True)
    torch.manual_seed(99)
    resumed = make_runner(cfg, tmp_path / "rest", env)  # the environment stands where the first half left it
    resumed.load(str(tmp_path / "half" / "model_2.pt"))
    resumed.learn(3)

    assert resumed.current_learning_iteration == straight.current_learning_iteration == 5
    assert resumed.alg.learning_rate == straight.alg.learning_rate
    expected, found = networks(straight), networks(resumed)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_checkpoint_of_rsl_rls_runner_resumes_bit_for_bit_too(tmp_path: Path) -> None:
    """What the algorithm saves suffices; rsl_rl's runner does not restore the random numbers, ours does."""
    torch.manual_seed(3)
    straight = make_runner(runner_cfg())
    straight.learn(4)
    torch.manual_seed(3)
    env = PointMass()
    half = OnPolicyRunner(env, runner_cfg())
    half.learn(2)
    half.save(str(tmp_path / "model_1.pt"))
    torch.manual_seed(99)
    resumed = make_runner(runner_cfg(), env=env)
    resumed.load(str(tmp_path / "model_1.pt"))
    resumed.learn(2)
    expected, found = networks(straight), networks(resumed)
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_mini_batches_must_fit_the_environments_to_learn_but_not_to_play() -> None:
    runner = make_runner(runner_cfg("lstm"), env=PointMass(num_envs=1))
    runner.get_inference_policy()
    with pytest.raises(ConfigurationError, match="num_mini_batches=2 is not valid: it must be at most 1"):
        runner.learn(1)


def test_a_checked_configuration_is_believed() -> None:
    cfg = CheckedConfiguration(runner_cfg() | {"max_iterations": "many"})
    DurableRunner(PointMass(), cfg).learn(1)
    with pytest.raises(ConfigurationError, match="max_iterations"):
        DurableRunner(PointMass(), dict(cfg))


@pytest.mark.parametrize("algorithm", ["PPO", "isaaclab_bpo.algorithms:BPO"])
def test_of_parts_only_their_own_state_is_restored(algorithm: str, tmp_path: Path) -> None:
    cfg = runner_cfg(rnd_cfg=RND, algorithm=algorithm)
    cfg["obs_groups"]["rnd_state"] = ["policy"]
    make_runner(cfg, tmp_path).learn(2)
    results = []
    for seed in (1, 2):
        runner = make_runner(cfg, env=PointMass(seed=5))
        runner.load(str(tmp_path / "model_1.pt"), load_cfg={"actor": True})
        assert runner.alg.rnd
        assert runner.alg.rnd.update_counter == 0
        torch.manual_seed(seed)
        runner.learn(1)
        results.append(networks(runner)["actor_state_dict mlp.0.weight"])
    assert not torch.equal(*results)
    runner = make_runner(cfg)
    runner.load(str(tmp_path / "model_1.pt"), load_cfg={"rnd": True})
    assert runner.alg.rnd
    assert runner.alg.rnd.update_counter > 0


def test_another_seed_draws_other_numbers(tmp_path: Path) -> None:
    make_runner(runner_cfg() | {"seed": 1}, tmp_path).learn(1)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed + 10)
        runner = make_runner(runner_cfg() | {"seed": seed}, env=PointMass(seed=5))
        runner.load(str(tmp_path / "model_0.pt"))
        torch.manual_seed(seed + 20)
        runner.learn(1)
        results.append(networks(runner)["actor_state_dict mlp.0.weight"])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


class PreemptedAtOnce(DurableRunner):
    """A signal comes before the first iteration."""

    def _best_return_in_folder(self) -> float:
        signal.raise_signal(signal.SIGTERM)
        return super()._best_return_in_folder()


def test_signal_before_the_first_iteration_is_noted(tmp_path: Path) -> None:
    not_noted = []
    previous = signal.signal(signal.SIGTERM, lambda *_: not_noted.append(True))  # else it would end the tests
    try:
        with pytest.raises(SystemExit) as left:
            PreemptedAtOnce(PointMass(), runner_cfg(), str(tmp_path)).learn(5)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert left.value.code == PREEMPTED
    assert not not_noted
    assert (tmp_path / "model_0.pt").is_file()


def test_checkpoint_says_where_it_comes_from(tmp_path: Path) -> None:
    make_runner(runner_cfg(symmetry_cfg=SYMMETRY), tmp_path).learn(1)
    checkpoint = read(tmp_path / "model_0.pt")
    assert checkpoint["cfg"]["algorithm"]["symmetry_cfg"]["data_augmentation_func"] == "point_mass:mirror"
    assert checkpoint["cfg"]["actor"]["hidden_dims"] == [32, 32]
    assert {"isaaclab_bpo", "rsl-rl-lib", "torch"} <= checkpoint["versions"].keys()


def test_iterations_go_on_after_the_saved_one_and_end_where_the_run_was_to_end(tmp_path: Path) -> None:
    runner = make_runner(runner_cfg() | {"save_interval": 1}, tmp_path)
    runner.learn(5)
    names = [f"model_{i}.pt" for i in range(5)]
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == names
    cut_short = make_runner(runner_cfg(), tmp_path)
    cut_short.load(str(tmp_path / "model_1.pt"))
    assert cut_short.iterations_left(5) == 3  # the same command again
    assert cut_short.iterations_left(7) == 7  # another one
    cut_short.learn(cut_short.iterations_left(5))
    assert cut_short.current_learning_iteration == 4
    finished = make_runner(runner_cfg())
    finished.load(str(tmp_path / "model_4.pt"))
    assert finished.iterations_left(5) == 5
    finished.learn(2)
    finished.learn(1)
    assert finished.current_learning_iteration == 7


def test_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    (tmp_path / "model_best.pt").touch()
    make_runner(runner_cfg() | {"save_interval": 1, "keep_last": 2}, tmp_path).learn(5)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["model_3.pt", "model_4.pt", "model_best.pt"]


def test_clock_that_was_set_back_costs_no_new_checkpoint(tmp_path: Path) -> None:
    for number in (100, 101):
        (tmp_path / f"model_{number}.pt").touch()
        os.utime(tmp_path / f"model_{number}.pt", (time.time() + 3600, time.time() + 3600))
    make_runner(runner_cfg() | {"save_interval": 1, "keep_last": 2}, tmp_path).learn(4)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["model_2.pt", "model_3.pt"]


def test_best_state_is_kept_and_a_resumed_run_must_surpass_it(tmp_path: Path) -> None:
    torch.manual_seed(2)  # a run whose first state of 100 episodes is not its best
    runner = make_runner(runner_cfg() | {"save_interval": 10}, tmp_path, PointMass(num_envs=64))
    kept = {}
    log = runner.logger.log

    def record(**kwargs: Any) -> None:
        log(**kwargs)
        if len(runner.logger.rewbuffer) == 100:
            kept[kwargs["it"]] = runner.mean_return

    runner.logger.log = record  # type: ignore[method-assign]
    runner.learn(15)
    assert min(kept) > 0  # the first iterations have fewer episodes
    best = max(kept, key=lambda it: kept[it])
    saved = read(tmp_path / BEST)
    assert saved["iter"] == best
    assert saved["mean_return"] == kept[best] > kept[min(kept)]

    (tmp_path / "rest").mkdir()
    torch.save(saved | {"mean_return": 1e9}, tmp_path / "rest" / BEST)
    resumed = make_runner(runner_cfg(), tmp_path / "rest", PointMass(num_envs=64))
    resumed.load(str(tmp_path / "model_14.pt"))
    resumed.learn(10)
    assert read(tmp_path / "rest" / BEST)["mean_return"] == 1e9
    assert read(tmp_path / "rest" / "model_24.pt")["mean_return"] == resumed.mean_return


@pytest.mark.parametrize("runner_class", [DurableRunner, OnPolicyRunner])
def test_what_is_no_loss_is_not_logged_as_one(
    runner_class: type[OnPolicyRunner], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = runner_class(PointMass(), runner_cfg(), str(tmp_path))
    runner.learn(2)
    assert isinstance(runner.alg, BPO)
    printed = capsys.readouterr().out
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    tags = events.Tags()["scalars"]
    for name, tag in DIAGNOSTICS.items():
        logged = [event.value for event in events.Scalars(tag)]
        assert len(logged) == 2
        assert logged[1] == pytest.approx(runner.alg.health.log[tag].item())  # of the update of its iteration
        assert logged[0] != logged[1]
        assert f"Loss/{name}" not in tags
        assert f"Mean {name} loss" not in printed
    assert {"Loss/median", "Loss/surrogate", "Loss/value"} <= set(tags)


def test_failed_save_outside_of_learning_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_runner(runner_cfg()).save(str(tmp_path / "nowhere" / "model_0.pt"))


@pytest.mark.parametrize("median", ["critic", "batch"])
def test_ppo_goes_on_with_a_checkpoint_of_bpo(median: str, tmp_path: Path) -> None:
    bpo = make_runner(runner_cfg(median=median), tmp_path)
    bpo.learn(2)
    ppo = make_runner(runner_cfg(algorithm="PPO"))
    ppo.load(str(tmp_path / "model_1.pt"))
    for name, value in networks(ppo).items():
        assert torch.equal(value, networks(bpo)[name]), name
    ppo.learn(1)


def test_bpo_goes_on_with_a_checkpoint_of_rsl_rls_ppo(tmp_path: Path) -> None:
    ppo = OnPolicyRunner(PointMass(), runner_cfg(algorithm="PPO"))
    ppo.learn(2)
    ppo.save(str(tmp_path / "model_1.pt"))
    bpo = make_runner(runner_cfg())
    bpo.load(str(tmp_path / "model_1.pt"))
    assert bpo.current_learning_iteration == 1
    bpo.learn(1)


def test_optimizer_of_another_kind_is_refused_unless_it_stays_behind(tmp_path: Path) -> None:
    make_runner(runner_cfg(optimizer="sgd"), tmp_path).learn(1)
    runner = make_runner(runner_cfg())
    runner.load(str(tmp_path / "model_0.pt"))  # which has no moments at all
    runner.learn(1)
    make_runner(runner_cfg(optimizer="rmsprop"), tmp_path).learn(1)
    with pytest.raises(ValueError, match="another optimizer than Adam: without resuming the optimizer"):
        make_runner(runner_cfg()).load(str(tmp_path / "model_0.pt"))
    parts = {"actor": True, "critic": True, "optimizer": False, "iteration": True, "rnd": True}
    make_runner(runner_cfg()).load(str(tmp_path / "model_0.pt"), load_cfg=parts)


class Lives(PointMass):
    """A game of two lives of three steps: each step earns 5, and the algorithm gets 1."""

    frames_per_step = 4

    def step(self, actions: torch.Tensor) -> tuple:
        self.steps_played = getattr(self, "steps_played", 0) + 1
        obs, _, _, extras = super().step(actions)
        ones = torch.ones(self.num_envs)
        games = {"raw_rewards": 5 * ones, "games_over": ones * (self.steps_played % 6 == 0)}
        return obs, ones, (ones * (self.steps_played % 3 == 0)).long(), extras | games


@pytest.mark.parametrize("hyperparameters", [{}, {"algorithm": "PPO"}], ids=["bpo", "ppo"])
def test_score_of_whole_games_is_logged(hyperparameters: dict, tmp_path: Path) -> None:
    """And the algorithm learns from clipped rewards and lives."""
    cfg = runner_cfg("mlp", **hyperparameters)
    runner = make_runner(cfg, tmp_path, env := Lives())
    runner.learn(3)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    last = {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"]}
    assert last["Train/mean_reward"] == 30.0  # 6 steps of 5
    assert last["Train/mean_episode_length"] == 6.0
    assert last["Train/steps"] == 3 * cfg["num_steps_per_env"] * env.num_envs
    assert last["Train/frames"] == 4 * last["Train/steps"]
    assert runner.alg.storage.rewards.max() == 1.0
    assert runner.alg.storage.dones.sum() == env.num_envs * (cfg["num_steps_per_env"] // 3)

    resumed = make_runner(cfg, tmp_path / "rest", env)
    resumed.load(str(tmp_path / "model_2.pt"))
    resumed.learn(1)
    events = EventAccumulator(str(tmp_path / "rest"))
    events.Reload()
    assert events.Scalars("Train/frames")[-1].value == last["Train/frames"] * 4 / 3
