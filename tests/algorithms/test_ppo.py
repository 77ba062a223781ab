# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO with the options of the paper's runs: rsl_rl's by default, and what each option does; BPO inherits them."""

from __future__ import annotations

import copy
import math
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from rsl_rl.runners import OnPolicyRunner
from rsl_rl.storage import RolloutStorage

from isaaclab_bpo.algorithms import PPO
from isaaclab_bpo.runners import CheckpointError, DurableRunner
from point_mass import PointMass, runner_cfg

OURS, RSL_RL, BPO = "isaaclab_bpo.algorithms:PPO", "PPO", "isaaclab_bpo.algorithms:BPO"


def make_runner(
    algorithm: str = OURS,
    model: str = "mlp",
    runner_class: type[OnPolicyRunner] = OnPolicyRunner,
    **hyperparameters: Any,
) -> OnPolicyRunner:
    torch.manual_seed(0)
    env = PointMass(image=model == "cnn", discrete=True)
    return runner_class(env, runner_cfg(model, algorithm, discrete=True, **hyperparameters))


@pytest.mark.parametrize("hyperparameters", [{}, {"optimizer": "sgd"}, {"schedule": "fixed"}], ids=str)
def test_with_the_defaults_it_is_rsl_rls_bit_for_bit(hyperparameters: dict) -> None:
    saved = []
    for algorithm in (RSL_RL, OURS):
        runner = make_runner(algorithm, **hyperparameters)
        runner.learn(3)
        saved.append(runner.alg.save())
    for name in ("actor_state_dict", "critic_state_dict"):
        assert all(torch.equal(value, saved[1][name][key]) for key, value in saved[0][name].items())


@pytest.mark.parametrize("algorithm", [OURS, BPO])
def test_eps_is_that_of_every_parameter(algorithm: str) -> None:
    groups = make_runner(algorithm, adam_eps=1e-5).alg.optimizer.param_groups
    assert len(groups) == (2 if algorithm == BPO else 1)
    assert {group["eps"] for group in groups} == {1e-5}
    assert {group["eps"] for group in make_runner(algorithm).alg.optimizer.param_groups} == {1e-8}


def epochs(runner: OnPolicyRunner) -> list[list[list[int]]]:
    """Return the samples of the mini-batches of each epoch of an update, which are numbered."""
    alg = runner.alg
    storage, seen = alg.storage, []
    storage.distribution_params = (torch.zeros(12, 16, 6),)
    storage.returns.copy_(torch.arange(12.0 * 16.0).view(12, 16, 1))
    storage.mini_batch_generator, draw = None, storage.mini_batch_generator  # type: ignore[method-assign, assignment]
    for batch in draw(alg.num_mini_batches, alg.num_learning_epochs):
        assert isinstance(batch, RolloutStorage.Batch)
        seen.append(batch.returns.flatten().int().tolist())  # type: ignore[union-attr]
    return [seen[i : i + alg.num_mini_batches] for i in range(0, len(seen), alg.num_mini_batches)]


@pytest.mark.parametrize("algorithm", [OURS, BPO])
def test_reshuffling_gives_every_epoch_mini_batches_of_its_own(algorithm: str) -> None:
    once, anew = (epochs(make_runner(algorithm, reshuffle=reshuffle)) for reshuffle in (False, True))
    for run in (once, anew):
        assert len(run) == 3
        assert all(sorted(chain.from_iterable(epoch)) == list(range(12 * 16)) for epoch in run)
    assert once[0] == once[1] == once[2] == anew[0]
    assert anew[0] != anew[1] != anew[2] != anew[0]


@pytest.mark.parametrize("max_norm", [0.01, 1e6])
def test_joint_clipping_bounds_the_norm_of_all_gradients(max_norm: float) -> None:
    """One step of gradient descent without joint clipping tells the gradients; with it, they are scaled together."""
    steps = []
    settings: dict[str, Any] = {
        "optimizer": "sgd",
        "schedule": "fixed",
        "num_learning_epochs": 1,
        "num_mini_batches": 1,
    }
    for norm, joint in ((1e6, False), (max_norm, True)):
        runner = make_runner(**settings, max_grad_norm=norm, joint_grad_clipping=joint, learning_rate=0.1)
        alg = runner.alg
        before = copy.deepcopy([p.data for group in alg.optimizer.param_groups for p in group["params"]])
        runner.learn(1)
        after = [p.data for group in alg.optimizer.param_groups for p in group["params"]]
        steps.append(torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)]) / 0.1)
    gradient, clipped = steps
    factor = min(1.0, max_norm / gradient.norm().item())
    assert math.isclose(clipped.norm().item(), factor * gradient.norm().item(), rel_tol=1e-3)
    torch.testing.assert_close(clipped, factor * gradient, rtol=1e-2, atol=1e-4 * factor)


def test_shared_encoders_of_rsl_rls_cnn_are_in_the_optimizer_once() -> None:
    runner = make_runner(model="cnn", share_cnn_encoders=True)
    assert isinstance(runner.alg, PPO)
    parameters = [id(p) for group in runner.alg.optimizer.param_groups for p in group["params"]]
    assert len(parameters) == len(set(parameters))
    runner.learn(1)


@pytest.mark.parametrize("runner_class", [OnPolicyRunner, DurableRunner])
@pytest.mark.parametrize("algorithm", [OURS, BPO])
def test_a_checkpoint_of_rsl_rls_shared_encoders_goes_on(
    algorithm: str, runner_class: type[OnPolicyRunner], tmp_path: Path
) -> None:
    """rsl_rl's PPO saves the encoders with both networks, and twice in the optimizer."""
    stock = make_runner(RSL_RL, "cnn", share_cnn_encoders=True)
    stock.learn(1)
    stock.save(str(tmp_path / "model_1.pt"))
    saved, moments = stock.alg, stock.alg.optimizer.state
    runner = make_runner(algorithm, "cnn", runner_class, share_cnn_encoders=True)
    runner.load(str(tmp_path / "model_1.pt"))
    loaded = runner.alg
    obs = runner.env.get_observations()
    for there, here in ((saved.actor, loaded.actor), (saved.critic, loaded.critic)):
        assert torch.equal(there(obs), here(obs))
        for name, parameter in there.named_parameters():
            own = loaded.actor.get_parameter(name) if name.startswith("cnns.") else here.get_parameter(name)
            assert torch.equal(loaded.optimizer.state[own]["exp_avg"], moments[parameter]["exp_avg"])
    runner.learn(1)


def test_encoders_of_the_critics_own_are_not_dropped(tmp_path: Path) -> None:
    make_runner(RSL_RL, "cnn").save(str(tmp_path / "model_1.pt"))
    runner = make_runner(BPO, "cnn", DurableRunner, share_cnn_encoders=True)
    with pytest.raises(CheckpointError, match=r"cnns.camera.0.bias of the critic is only in it.*share_cnn_encoders"):
        runner.load(str(tmp_path / "model_1.pt"))


def test_eps_of_an_optimizer_without_one_is_refused() -> None:
    with pytest.raises(ValueError, match="adam_eps=1e-05 has no meaning for optimizer='sgd': leave it out"):
        make_runner(BPO, optimizer="sgd", adam_eps=1e-5)
