# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""NaN, infinities and absurd numbers from environment, rollout and gradients never reach a parameter."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO, TrainingDivergedError
from isaaclab_bpo.algorithms.health import Health
from isaaclab_bpo.runners import DurableRunner
from point_mass import PointMass, runner_cfg

NAN, INF = float("nan"), float("inf")
NUM_ITERATIONS, NUM_STEPS, SEEDS = 3, 12, 20
NETWORKS = ("actor_state_dict", "critic_state_dict", "median_critic_state_dict")

SETTINGS: list[dict[str, Any]] = [
    {"accelerate": True},
    {"accelerate": False},
    {"accelerate": True, "median_head": "shared", "online_advantage": False},
    {"accelerate": True, "median": "batch", "loss": "kl"},
    {"accelerate": False, "schedule": "fixed", "optimizer": "sgd", "loss": "log_tv"},
    {"model": "lstm"},
    {"model": "gru", "median": "value", "normalize_advantage_per_mini_batch": True},
]
"""Settings of which each seed takes one."""


class FaultyPointMass(PointMass):
    """An environment that spoils what it returns, from a step on and for some steps."""

    def __init__(self, spoil: Callable[..., None], first: int, last: int) -> None:
        super().__init__(num_envs=8)
        self.spoil, self.first, self.last, self.num_steps = spoil, first, last, 0

    def step(self, actions: torch.Tensor) -> tuple[Any, torch.Tensor, torch.Tensor, dict]:
        assert actions.isfinite().all(), "an action is not finite"
        obs, rewards, dones, extras = super().step(actions)
        if self.first <= self.num_steps <= self.last:
            self.spoil(obs, rewards, extras)
        self.num_steps += 1
        return obs, rewards, dones, extras


def make_runner(env: PointMass, settings: dict[str, Any], folder: Path | None = None) -> DurableRunner:
    hyperparameters = {name: value for name, value in settings.items() if name != "model"}
    cfg = runner_cfg(settings.get("model", "mlp"), **hyperparameters)
    cfg |= {"num_steps_per_env": NUM_STEPS, "check_for_nan": False, "save_interval": 1}
    for network in ("actor", "critic"):
        cfg[network]["obs_normalization"] = True
    return DurableRunner(env, cfg, None if folder is None else str(folder))


def parameters_are_finite(alg: Any) -> bool:
    networks = [alg.save()[name] for name in NETWORKS if name in alg.save()]
    moments = [m for values in alg.optimizer.state.values() for m in values.values() if isinstance(m, torch.Tensor)]
    tensors = [tensor for network in networks for tensor in network.values()] + moments
    return all(bool(tensor.isfinite().all()) for tensor in tensors) and bool((alg.actor.distribution.std > 0).all())


def set_obs(value: float, envs: Any = 3, columns: Any = 1) -> Callable[..., None]:
    return lambda obs, rewards, extras: obs["policy"].__setitem__((envs, columns), value)


def set_rewards(value: float, envs: Any = 3) -> Callable[..., None]:
    return lambda obs, rewards, extras: rewards.__setitem__(envs, value)


def set_time_outs(value: float) -> Callable[..., None]:
    return lambda obs, rewards, extras: extras["time_outs"].__setitem__(3, value)


ALL = slice(None)
FROM_ENVIRONMENT: dict[str, Callable[..., None]] = {
    "observation is NaN": set_obs(NAN),
    "observation is inf": set_obs(INF),
    "observation is -inf": set_obs(-INF),
    "observation is 1e38": set_obs(1e38),
    "observations of an environment are NaN": set_obs(NAN, columns=ALL),
    "observations of all environments are NaN": set_obs(NAN, envs=ALL),
    "reward is NaN": set_rewards(NAN),
    "reward is inf": set_rewards(INF),
    "reward is -inf": set_rewards(-INF),
    "reward is 1e38": set_rewards(1e38),
    "rewards of all environments are NaN": set_rewards(NAN, envs=ALL),
    "time-out is NaN": set_time_outs(NAN),
}


@pytest.mark.parametrize("kind", FROM_ENVIRONMENT)
def test_nonfinite_values_of_the_environment(kind: str, record_fault: Callable[..., None]) -> None:
    for seed in range(SEEDS):
        rng = random.Random(f"{kind} {seed}")
        torch.manual_seed(seed)
        first = rng.randrange(NUM_ITERATIONS * NUM_STEPS)
        env = FaultyPointMass(FROM_ENVIRONMENT[kind], first, first + rng.choice([0, 2, NUM_STEPS]))
        runner = make_runner(env, rng.choice(SETTINGS))
        before = {key: value.clone() for key, value in runner.alg.save()["actor_state_dict"].items()}
        runner.learn(NUM_ITERATIONS)
        learned = any(
            not torch.equal(before[key], value) for key, value in runner.alg.save()["actor_state_dict"].items()
        )
        record_fault(kind, learned, parameters_are_finite(runner.alg), 0)


def set_stored(name: str, value: float) -> Callable[[BPO], None]:
    def inject(bpo: BPO) -> None:
        stored = getattr(bpo.storage, name)
        stored[4, 3] = value

    return inject


def spoil_gradient(network: str, value: float, parameter: int = -1) -> Callable[[BPO], None]:
    """Let the next gradient of a parameter be not finite, or huge."""

    def inject(bpo: BPO) -> None:
        model = {"actor": bpo.actor, "critic": bpo.critic, "median critic": bpo.median.model}[network] or bpo.critic
        target = list(model.parameters())[parameter]

        def spoil(gradient: torch.Tensor) -> torch.Tensor:
            handle.remove()
            return torch.full_like(gradient, value)

        handle = target.register_hook(spoil)

    return inject


def spoil_std(value: float) -> Callable[[BPO], None]:
    def inject(bpo: BPO) -> None:
        parameter: torch.nn.Parameter = bpo.actor.distribution.std_param  # type: ignore[union-attr, assignment]
        handles = [parameter.register_hook(lambda gradient: torch.full_like(gradient, value))]
        assert handles

    return inject


IN_THE_UPDATE: dict[str, Callable[[BPO], None]] = {
    "value in the rollout is NaN": set_stored("values", NAN),
    "return is NaN": set_stored("returns", NAN),
    "return is inf": set_stored("returns", INF),
    "advantage is NaN": set_stored("advantages", NAN),
    "advantage is -inf": set_stored("advantages", -INF),
    "action is NaN": set_stored("actions", NAN),
    "old log probability is NaN": set_stored("actions_log_prob", NAN),
    "old log probability is -inf, so the ratio inf": set_stored("actions_log_prob", -INF),
    "old log probability is inf, so the ratio 0": set_stored("actions_log_prob", INF),
    "old log probability is -1e4": set_stored("actions_log_prob", -1e4),
    "gradient of the actor is NaN": spoil_gradient("actor", NAN),
    "gradient of the actor is inf": spoil_gradient("actor", INF),
    "gradient of the critic is NaN": spoil_gradient("critic", NAN),
    "gradient of the critic is -inf": spoil_gradient("critic", -INF),
    "gradient of the median critic is NaN": spoil_gradient("median critic", NAN),
    "gradient of the critic is 1e30": spoil_gradient("critic", 1e30),
    "gradient of the std is 1e30, always": spoil_std(1e30),
    "gradient of the std is -1e30, always": spoil_std(-1e30),
}


@pytest.mark.parametrize("kind", IN_THE_UPDATE)
def test_nonfinite_values_in_the_update(kind: str, record_fault: Callable[..., None]) -> None:
    for seed in range(SEEDS):
        rng = random.Random(f"{kind} {seed}")
        torch.manual_seed(seed)
        runner = make_runner(PointMass(num_envs=8), rng.choice(SETTINGS))
        bpo, iteration = runner.alg, rng.randrange(NUM_ITERATIONS)
        assert isinstance(bpo, BPO)
        compute_returns, count = bpo.compute_returns, SimpleNamespace(rollouts=0)

        def then_inject(
            obs: Any, bpo: BPO = bpo, original: Any = compute_returns, count: Any = count, iteration: int = iteration
        ) -> None:
            original(obs)
            if count.rollouts == iteration:
                with torch.inference_mode(mode=False):
                    IN_THE_UPDATE[kind](bpo)
            count.rollouts += 1

        bpo.compute_returns = then_inject  # type: ignore[method-assign]
        runner.learn(NUM_ITERATIONS)
        record_fault(kind, count.rollouts == NUM_ITERATIONS, parameters_are_finite(bpo), 0)


PERSISTENT: dict[str, tuple[Callable[..., None], str]] = {
    "all rewards are NaN from then on": (set_rewards(NAN, envs=ALL), "the reward"),
    "all observations are NaN from then on": (set_obs(NAN, envs=ALL, columns=ALL), "observation group 'policy'"),
    "a term is inf from then on": (set_obs(INF, envs=ALL, columns=slice(2, 4)), "group 'policy', term 'velocity'"),
}


@pytest.mark.parametrize("kind", PERSISTENT)
def test_training_stops_when_nothing_can_be_learnt(
    kind: str, record_fault: Callable[..., None], tmp_path: Path
) -> None:
    spoil, source = PERSISTENT[kind]
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        folder = tmp_path / str(seed)
        # Known terms, as those of Isaac Lab's observation manager
        env = FaultyPointMass(spoil, first=(1 + seed % 2) * NUM_STEPS, last=10**9)
        env.observation_manager = SimpleNamespace(  # type: ignore[attr-defined]
            active_terms={"policy": ["position", "velocity"]}, group_obs_term_dim={"policy": [(2,), (2,)]}
        )
        runner = make_runner(env, {"max_consecutive_skips": 10, "accelerate": bool(seed % 2)}, folder)
        with pytest.raises(TrainingDivergedError, match="mini-batches in a row could not be used") as error:
            runner.learn(50)
        assert source in str(error.value)
        newest = max(folder.glob("model_[0-9]*.pt"), key=lambda path: int(path.stem.split("_")[1]))
        again = make_runner(PointMass(num_envs=8), {}, None)
        again.load(str(newest))
        same = all(
            torch.equal(again.alg.save()[name][key], value)
            for name in NETWORKS
            for key, value in runner.alg.save()[name].items()
        )
        record_fault(kind, same, parameters_are_finite(runner.alg), 0)


def test_training_stops_when_a_gradient_is_never_finite(record_fault: Callable[..., None]) -> None:
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        runner = make_runner(PointMass(num_envs=8), {"max_consecutive_skips": 10, "accelerate": bool(seed % 2)})
        next(iter(runner.alg.critic.parameters())).register_hook(lambda gradient: gradient * NAN)
        with pytest.raises(TrainingDivergedError, match="the gradient of the critic"):
            runner.learn(50)
        record_fault("gradient is NaN from then on", True, parameters_are_finite(runner.alg), 0)


@pytest.mark.parametrize("accelerate", [False, True])
def test_an_invalid_transition_changes_nothing_but_itself(accelerate: bool) -> None:
    """The targets of the other transitions are those of an episode that ends, with V, at the invalid one."""
    bpos = []
    for spoiled in (False, True):
        torch.manual_seed(0)
        env = PointMass(num_envs=8)
        runner = make_runner(env, {"accelerate": accelerate, "normalize_advantage_per_mini_batch": True})
        bpo, obs = runner.alg, env.get_observations()
        assert isinstance(bpo, BPO)
        with torch.inference_mode():
            for step in range(NUM_STEPS):
                obs, rewards, dones, extras = env.step(bpo.act(obs))
                dones[3], extras["time_outs"][3] = 0, 0.0
                if spoiled and step == 6:
                    rewards[3] = NAN
                bpo.process_env_step(obs, rewards, dones, extras)
            bpo.compute_returns(obs)
        bpos.append(bpo)
    clean, spoiled = (bpo.storage for bpo in bpos)
    others = [env for env in range(8) if env != 3]
    torch.testing.assert_close(spoiled.returns[:, others], clean.returns[:, others])
    torch.testing.assert_close(spoiled.returns[7:, 3], clean.returns[7:, 3])
    assert spoiled.valid.sum() == spoiled.valid.numel() - 1
    assert spoiled.returns[6, 3] == spoiled.values[6, 3]
    assert spoiled.advantages[6, 3] == 0.0
    # A_5 = r_5 + γ V_6 - V_5, since the trace ends there
    expected = clean.rewards[5, 3] + 0.99 * clean.values[6, 3] - clean.values[5, 3]
    torch.testing.assert_close(spoiled.returns[5, 3] - spoiled.values[5, 3], expected)


def test_health_of_one_iteration_is_not_counted_in_the_next() -> None:
    """Isaac Lab hands out the same log until an episode ends; what it says itself stays as it says it."""
    env, log = PointMass(num_envs=8), {"steps": 0}
    bpo = make_runner(env, {}).alg
    assert isinstance(bpo, BPO)
    obs = env.get_observations()
    for iteration in range(3):
        with torch.inference_mode():
            for step in range(NUM_STEPS):
                obs, rewards, dones, extras = env.step(bpo.act(obs))
                log["steps"] += 1
                if iteration == 1 and step == 3:
                    rewards[2:4] = NAN
                extras["log"] = log
                bpo.process_env_step(obs, rewards, dones, extras)
                assert extras["log"] is log
            bpo.compute_returns(obs)
        before = dict(log)
        bpo.update()
        assert all(log[name] is value for name, value in before.items())  # the logger holds it by now
        assert {name: value for name, value in log.items() if not name.startswith("BPO/")} == {
            "steps": NUM_STEPS * (iteration + 1),
            "Health/invalid_transitions": [0.0, 2.0, 0.0][iteration],
            "Health/skipped_mini_batches": 0.0,
        }


def test_observations_are_looked_at_where_they_are() -> None:
    obs = TensorDict({"policy": torch.zeros(2, 3, device="meta")}, batch_size=[2])  # which names no device
    finite, valid = Health(100, "cpu").blank(obs)
    assert {finite["policy"].device.type, valid.device.type} == {"meta"}


def test_health_is_logged(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    torch.manual_seed(0)
    runner = make_runner(FaultyPointMass(set_rewards(NAN), first=NUM_STEPS, last=NUM_STEPS + 4), {}, tmp_path)
    runner.learn(3)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.value for event in events.Scalars("Health/invalid_transitions")] == [0.0, 5.0, 0.0]
    assert [event.value for event in events.Scalars("Health/skipped_mini_batches")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        *({"loss": loss} for loss in ("atv", "tv", "log_tv", "mse", "kl")),
        {"online_advantage": False, "normalize_advantage_per_mini_batch": True},
    ],
    ids=str,
)
def test_neither_policy_nor_normalizers_learn_from_invalid_transitions(settings: dict, accelerate: bool) -> None:
    """What was done in them makes no difference."""
    results = []
    for spoiled in (False, True):
        torch.manual_seed(0)
        env = PointMass(num_envs=8)
        bpo, obs = make_runner(env, settings | {"accelerate": accelerate}).alg, env.get_observations()
        assert isinstance(bpo, BPO)
        with torch.inference_mode():
            for _ in range(NUM_STEPS):
                obs = obs.clone()
                obs["policy"][2:5] = NAN
                obs, rewards, dones, extras = env.step(bpo.act(obs))
                rewards[6] = INF
                bpo.process_env_step(obs, rewards, dones, extras)
            bpo.compute_returns(obs)
        valid = bpo.storage.valid.squeeze(-1)
        assert valid.all(0).tolist() == [env not in (2, 3, 4, 6) for env in range(8)]
        if spoiled:
            bpo.storage.actions[~valid] += 1.0
        statistics = bpo.update() | {name: bpo.health.log[f"BPO/{name}"].item() for name in ("ratio_deviation", "kl")}
        results.append(statistics | {str(i): p for i, p in enumerate(bpo.actor.parameters())})
        expected = bpo.storage.observations["policy"][valid]
        for model in (bpo.actor, bpo.critic, *bpo.median.models):
            torch.testing.assert_close(model.obs_normalizer.mean, expected.mean(dim=0))
            torch.testing.assert_close(model.obs_normalizer.std, expected.std(dim=0, correction=0))
    assert all(torch.equal(*map(torch.as_tensor, pair)) for pair in zip(*(r.values() for r in results), strict=True))


def test_half_precision_is_looked_at_as_single() -> None:
    obs = TensorDict({"policy": torch.tensor([[6e4, 6e4], [INF, 0.0], [1.0, NAN]]).half()}, batch_size=[3])
    finite, valid = Health(100, "cpu").blank(obs)
    assert valid.tolist() == [True, False, False]
    assert finite["policy"].tolist() == [[6e4, 6e4], [0.0, 0.0], [0.0, 0.0]]
