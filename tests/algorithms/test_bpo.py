# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO under rsl_rl's own runner: equality with PPO around the loss, all features of PPO, checkpoints."""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from rsl_rl.runners import OnPolicyRunner
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.algorithms.options import ConfigurationError
from point_mass import PointMass, bpo_of, collect, make_runner, mirror, runner_cfg, update

DEVICES = [
    "cpu",
    pytest.param("cuda:0", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
]
METRICS = {
    "value",
    "surrogate",
    "entropy",
    "ratio_deviation",
    "clip_fraction",
    "above_median",
    "median_deviation",
    "kl",
}


class BpoWithPpoLoss(BPO):
    """BPO with PPO's clipped surrogate in the place of its own loss."""

    def policy_loss(self, ratio, returns, values, medians, advantages):
        clipped = ratio.clamp(1.0 - self.clip_param, 1.0 + self.clip_param)
        return torch.max(-advantages * ratio, -advantages * clipped).mean()


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {},
        {"use_clipped_value_loss": True, "schedule": "fixed"},
        {"normalize_advantage_per_mini_batch": True, "entropy_coef": 0.0},
        {"use_mixed_precision": True},
    ],
    ids=["default", "clipped_value", "normalized_per_mini_batch", "mixed_precision"],
)
@pytest.mark.parametrize(
    ("model", "discrete"),
    [("mlp", False), ("lstm", False), ("gru", False), ("mlp", True), ("lstm", True), ("nature", True)],
)
@pytest.mark.parametrize("device", DEVICES)
def test_with_ppos_loss_an_epoch_is_ppos_bit_for_bit(
    model: str, discrete: bool, hyperparameters: dict, device: str
) -> None:
    if "use_mixed_precision" in hyperparameters and version("rsl-rl-lib") < "5.5":
        pytest.skip("PPO of rsl_rl 5.4 has no mixed precision to compare with")
    settings = {"num_learning_epochs": 1, "use_clipped_value_loss": False, "share_cnn_encoders": model == "nature"}
    settings["desired_kl"] = 0.01  # PPO's default
    ppo_cfg = runner_cfg(model, "PPO", discrete, **(settings | hyperparameters))
    ppo_cfg["actor"]["obs_normalization"] = ppo_cfg["critic"]["obs_normalization"] = True
    bpo_cfg = copy.deepcopy(ppo_cfg)
    bpo_cfg["algorithm"] |= {"class_name": BpoWithPpoLoss, "median": "value", "accelerate": False}

    results = []
    for cfg in (ppo_cfg, bpo_cfg):
        runner = make_runner(cfg, device, image=torch.uint8 if model == "nature" else False)
        losses = {}
        for _ in range(3):  # three updates, so that optimizer state, learning rate and normalizers carry over
            collect(runner.alg, runner.env)  # type: ignore[arg-type]
            losses = runner.alg.update()
        results.append((runner.alg.save(), runner.alg.learning_rate, losses))

    (ppo, ppo_learning_rate, ppo_losses), (bpo, bpo_learning_rate, bpo_losses) = results
    assert bpo_learning_rate == ppo_learning_rate
    for name, loss in ppo_losses.items():
        assert bpo_losses[name] == pytest.approx(loss, rel=1e-5, abs=1e-6), name
    for name in ("actor_state_dict", "critic_state_dict"):
        for key, value in ppo[name].items():
            assert torch.equal(bpo[name][key], value), f"{name} {key}"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("median", ["critic", "shared", "mlp", "batch", "value"])
@pytest.mark.parametrize("model", ["mlp", "lstm", "gru", "cnn", "cnn_shared", "nature", "nature_shared"])
def test_every_model_and_median_trains(model: str, median: str, device: str) -> None:
    algorithm = {"median_head": median} if median in ("shared", "mlp") else {"median": median}
    kind, _, shared = model.partition("_")
    cfg = runner_cfg(kind, discrete=kind == "nature", **algorithm, share_cnn_encoders=shared == "shared")
    runner = make_runner(cfg, device, image={"cnn": True, "nature": torch.uint8}.get(kind, False))
    bpo = bpo_of(runner)
    before = copy.deepcopy(bpo.save())
    runner.learn(2)
    after = bpo.save()
    has_median_critic = median in ("critic", "shared", "mlp")
    names = ["actor_state_dict", "critic_state_dict"] + ["median_critic_state_dict"] * has_median_critic
    for name in names:
        assert any(not torch.equal(after[name][key], before[name][key]) for key in after[name]), name
        assert all(value.isfinite().all() for value in after[name].values()), name
    assert ("median_critic_state_dict" in after) == has_median_critic


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"loss": "tv"},
        {"loss": "log_tv"},
        {"loss": "mse"},
        {"loss": "kl"},
        {"joint_grad_clipping": True},
        {"online_advantage": False},
        {"refresh_targets": False},
        {"normalize_advantage_per_mini_batch": True, "online_advantage": False},
        {"use_mixed_precision": True},
        {"schedule": "fixed"},
        {"desired_kl": None},
        {"clip_param": None, "ratio_lower": 0.5, "ratio_upper": 2.0},
        {"clip_param": None, "ratio_lower": 0.0, "ratio_upper": 5.0, "median": "batch"},
        {"median_temperature": 0.1},
        {"optimizer": "sgd"},
        {"adam_eps": 1e-5},
        {"reshuffle": True},
        {
            "symmetry_cfg": {
                "use_data_augmentation": True,
                "use_mirror_loss": True,
                "data_augmentation_func": mirror,
                "mirror_loss_coeff": 0.5,
            }
        },
        {
            "rnd_cfg": {
                "weight": 0.1,
                "num_outputs": 2,
                "predictor_hidden_dims": [8],
                "target_hidden_dims": [8],
                "learning_rate": 1e-3,
            }
        },
    ],
    ids=lambda hyperparameters: "-".join(hyperparameters),
)
def test_every_option_trains_and_is_reported(hyperparameters: dict) -> None:
    cfg = runner_cfg(**hyperparameters)
    if "rnd_cfg" in hyperparameters:
        cfg["obs_groups"]["rnd_state"] = ["policy"]
    runner = make_runner(cfg)
    collect(runner.alg, runner.env)  # type: ignore[arg-type]
    before = copy.deepcopy(runner.alg.save()["actor_state_dict"])
    metrics = update(bpo_of(runner))
    expected = METRICS | {"median"}
    expected |= {name for name in ("rnd", "symmetry") if f"{name}_cfg" in hyperparameters}
    if hyperparameters.get("median") == "batch":
        expected.remove("median")
    assert set(metrics) == expected
    assert all(math.isfinite(value) for value in metrics.values())
    assert any(not torch.equal(before[key], value) for key, value in runner.alg.save()["actor_state_dict"].items())


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ({}, False),
        ({"clip_param": 0.2, "desired_kl": 0.02}, True),  # -½ log(1 - 0.04) = 0.0204 < 2 · 0.02
        ({"clip_param": 0.2, "desired_kl": 0.01}, False),  # 0.0204 > 2 · 0.01
        ({"clip_param": 0.2, "desired_kl": 0.02, "schedule": "fixed"}, False),
        ({"clip_param": None, "ratio_lower": 0.0, "ratio_upper": 1.1, "desired_kl": 9.0}, False),
    ],
    ids=str,
)
def test_a_desired_kl_out_of_reach_is_said(options: dict, is_said: bool, capsys: pytest.CaptureFixture) -> None:
    make_runner(runner_cfg(**options))
    advice = "Set it to null, for 0.0051."
    assert (advice in capsys.readouterr().out) is is_said


@pytest.mark.parametrize(
    ("options", "desired_kl"),
    [
        ({"clip_param": 0.2}, 0.005103),  # -⅛ log(1 - 0.04)
        ({"clip_param": 0.1}, 0.001256),  # -⅛ log(1 - 0.01)
        ({"clip_param": 0.3}, 0.01),  # -⅛ log(1 - 0.09) = 0.0118
        ({"clip_param": None, "ratio_lower": 0.0, "ratio_upper": 1.1}, 0.01),
        ({"clip_param": 0.2, "desired_kl": 0.02}, 0.02),
    ],
    ids=str,
)
def test_the_desired_kl_follows_from_the_bounds(options: dict, desired_kl: float) -> None:
    hyperparameters: dict[str, Any] = {"desired_kl": None, **options}
    bpo = bpo_of(make_runner(runner_cfg(**hyperparameters)))
    assert bpo.desired_kl == pytest.approx(desired_kl, rel=1e-3)


@pytest.mark.parametrize("joint", [True, False])
def test_gradients_are_clipped_jointly_or_per_network(joint: bool) -> None:
    max_norm = 1e-3
    runner = make_runner(runner_cfg(joint_grad_clipping=joint, max_grad_norm=max_norm))
    bpo = bpo_of(runner)
    collect(bpo, runner.env)  # type: ignore[arg-type]
    bpo.update()
    norms = [
        float(torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))
        for parameters in bpo.networks.values()
    ]
    if joint:
        assert math.hypot(*norms) == pytest.approx(max_norm, rel=1e-2)
        before = list(map(float, bpo.health._gradient_norms.values()))
        assert [norm / norms[0] for norm in norms] == pytest.approx([norm / before[0] for norm in before], rel=1e-4)
    else:
        assert norms == pytest.approx([max_norm] * 3, rel=1e-2)


def test_metrics_are_those_of_the_mini_batches_by_hand() -> None:
    """One mini-batch and one epoch: the ratio is 1, so every statistic follows from the stored rollout."""
    runner = make_runner(runner_cfg(median="batch", num_learning_epochs=1, num_mini_batches=1))
    bpo = bpo_of(runner)
    collect(bpo, runner.env)  # type: ignore[arg-type]
    st = bpo.storage
    advantages = st.returns - st.values
    metrics = update(bpo)
    assert metrics["ratio_deviation"] == pytest.approx(0.0, abs=1e-6)
    assert metrics["clip_fraction"] == 0.0
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-6)
    assert metrics["above_median"] == pytest.approx(0.5, abs=0.01)
    assert metrics["median_deviation"] == pytest.approx(
        (advantages - advantages.median()).abs().mean().item(), rel=0.01
    )
    assert metrics["value"] == pytest.approx(advantages.square().mean().item(), rel=1e-4)


def test_batch_median_splits_the_rollout_in_halves() -> None:
    runner = make_runner(runner_cfg(median="batch"))
    collect(runner.alg, runner.env)  # type: ignore[arg-type]
    st = bpo_of(runner).storage
    above = (st.returns - st.values > st.advantage_median).float().mean().item()
    assert above == pytest.approx(0.5, abs=1.0 / st.rewards.numel())


def test_refreshed_targets_are_those_of_the_current_critic() -> None:
    for model in ("mlp", "lstm"):
        runner = make_runner(runner_cfg(model))
        bpo = bpo_of(runner)
        collect(bpo, runner.env)  # type: ignore[arg-type]
        st = bpo.storage
        collected = [tensor.clone() for tensor in (st.values, st.returns, st.advantages)]
        # Unchanged parameters give the targets of the collection again
        bpo.refresh_targets()
        for tensor, old in zip((st.values, st.returns, st.advantages), collected, strict=True):
            torch.testing.assert_close(tensor, old, rtol=1e-4, atol=1e-5)
        # Changed parameters do not
        with torch.no_grad():
            for parameter in bpo.critic.parameters():
                parameter.mul_(1.5)
        bpo.refresh_targets()
        assert not torch.allclose(st.values, collected[0], atol=1e-3)


def test_recurrent_hidden_states_of_the_median_critic_fit_their_trajectories() -> None:
    """A median critic that is a copy of the critic must give V in every mini-batch, whatever the shapes of episodes."""
    runner = make_runner(runner_cfg("lstm"))
    bpo = bpo_of(runner)
    assert bpo.median.network is not None
    bpo.median.network.load_state_dict(bpo.critic.state_dict())
    for _ in range(6):  # several rollouts, so that states and episode ends are of all kinds
        collect(bpo, runner.env)  # type: ignore[arg-type]
        bpo.storage.clear()
    for batch in bpo.storage.recurrent_mini_batch_generator(4, 1):
        values = bpo.critic(batch.observations, masks=batch.masks, hidden_state=batch.hidden_states[1])
        torch.testing.assert_close(bpo.median.evaluate(bpo.critic, batch)[1], values)
        torch.testing.assert_close(values, batch.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("hyperparameters", "temperature"),
    [
        ({}, 1.0),  # the paper's
        ({"clip_param": None, "ratio_lower": 0.8, "ratio_upper": 1.4}, 0.01),
        ({"clip_param": None, "ratio_lower": 0.8, "ratio_upper": 1.4, "temperature": 0.1}, 0.1),
        ({"median_temperature": 0.3}, 0.3),
    ],
)
def test_smoothing_of_the_median_critic_fits_the_bounds(hyperparameters: dict, temperature: float) -> None:
    assert bpo_of(make_runner(runner_cfg(**hyperparameters))).median_temperature == temperature


@pytest.mark.parametrize("median", ["critic", "batch"])
def test_asymmetric_bounds_split_the_returns_at_their_level(median: str) -> None:
    """Level 2/3: a third of the returns lies above μ, although they spread over much less than 1, and E[ρ*] is 1."""
    bounds = {"clip_param": None, "ratio_lower": 0.8, "ratio_upper": 1.4}
    runner = make_runner(
        runner_cfg(median=median, num_learning_epochs=40, num_mini_batches=1, schedule="fixed", **bounds)
    )
    bpo, env = bpo_of(runner), PointMass(num_envs=16)
    obs = env.get_observations()
    above_median = []
    for _ in range(15):
        with torch.inference_mode():
            for _ in range(12):
                obs, rewards, dones, extras = env.step(bpo.act(obs))
                bpo.process_env_step(obs, 0.01 * rewards, dones, extras)
            bpo.compute_returns(obs)
        above_median.append(update(bpo)["above_median"])
    # Of one rollout, the fraction varies by 0.1
    assert statistics.mean(above_median[5:]) == pytest.approx(1.0 / 3.0, abs=0.08)


def test_symmetric_bounds_set_either_way_are_the_same_algorithm() -> None:
    results = []
    cases: list[dict[str, Any]] = [
        {"clip_param": 0.25},
        {"clip_param": None, "ratio_lower": 0.75, "ratio_upper": 1.25, "median_temperature": 1.0},
    ]
    for bounds in cases:
        runner = make_runner(runner_cfg(**bounds))
        collect(runner.alg, runner.env)  # type: ignore[arg-type]
        results.append((update(bpo_of(runner)), runner.alg.save()["actor_state_dict"]))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(value, results[1][1][key]) for key, value in results[0][1].items())


def test_bpo_learns(tmp_path: Path) -> None:
    """From scratch to the origin: the mean reward, exp(-distance), rises far above what standing still gets."""
    torch.manual_seed(0)
    cfg = runner_cfg(num_learning_epochs=5, num_mini_batches=4)
    runner = OnPolicyRunner(PointMass(num_envs=64), cfg, str(tmp_path))
    runner.learn(60)
    policy = runner.get_inference_policy()

    def mean_reward(act: Callable[[TensorDict], torch.Tensor]) -> float:
        env, rewards = PointMass(num_envs=256, seed=7), []
        obs = env.get_observations()
        for _ in range(50):
            obs, reward, _, _ = env.step(act(obs))
            rewards.append(reward.mean().item())
        return statistics.mean(rewards)

    with torch.inference_mode():
        assert mean_reward(lambda obs: torch.zeros(256, 2)) < 0.3
        assert mean_reward(lambda obs: torch.randn(256, 2)) < 0.3
        assert mean_reward(policy) > 0.65


def test_storage_is_rsl_rls() -> None:
    assert isinstance(bpo_of(make_runner(runner_cfg())).storage, RolloutStorage)


@pytest.mark.parametrize("init_std", [0.1, 1.0, 9.0])
@pytest.mark.parametrize("entropy_coef", [0.0, 1.0])
@pytest.mark.parametrize("std_type", ["scalar", "log"])
@pytest.mark.parametrize("accelerate", [True, False])
def test_the_std_stays_in_its_range_after_every_step(
    std_type: str, entropy_coef: float, init_std: float, accelerate: bool
) -> None:
    cfg = runner_cfg(entropy_coef=entropy_coef, learning_rate=0.05, schedule="fixed", accelerate=accelerate)
    cfg["actor"]["distribution_cfg"] |= {"std_type": std_type, "std_range": [0.5, 2.0], "init_std": init_std}
    runner = OnPolicyRunner(PointMass(), cfg)
    distribution: Any = runner.alg.actor.distribution
    take_step, seen = runner.alg.take_step, []  # type: ignore[attr-defined]

    def watch(*args: Any) -> torch.Tensor:
        usable = take_step(*args)
        std = distribution.std_param.clone() if std_type == "scalar" else distribution.log_std_param.exp()
        seen.append(std.detach())
        return usable

    runner.alg.take_step = watch  # type: ignore[attr-defined]
    runner.learn(10)
    stds = torch.stack(seen)
    assert len(stds) == 60
    assert stds.min() > 0.499
    assert stds.max() < 2.001
    if entropy_coef > 0.0:
        assert stds[-1].min() > 1.9  # the parameter is led back from the other end of the range


@pytest.mark.parametrize(
    ("model", "num_envs", "steps", "batches", "said"),
    [
        ("mlp", 1, 4, 8, "at most 4, the samples of a rollout"),
        ("mlp", 3, 1, 4, "at most 3, the samples"),
        ("mlp", 1, 1, 2, "at most 1, the samples"),
        ("lstm", 2, 12, 3, "at most 2, the environments"),
        ("gru", 1, 12, 2, "at most 1, the environments"),
    ],
)
@pytest.mark.parametrize("accelerate", [True, False])
def test_mini_batches_without_samples_are_refused_under_rsl_rls_runner(
    model: str, num_envs: int, steps: int, batches: int, said: str, accelerate: bool
) -> None:
    cfg = runner_cfg(model, accelerate=accelerate, num_mini_batches=batches) | {"num_steps_per_env": steps}
    runner = OnPolicyRunner(PointMass(num_envs=num_envs), cfg)
    runner.get_inference_policy()  # to play, fewer environments are enough
    with pytest.raises(ConfigurationError, match=f"num_mini_batches={batches} is not valid: it must be {said}"):
        runner.learn(1)
