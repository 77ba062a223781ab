# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The rollout storage: targets by hand and in place, on every device."""

from __future__ import annotations

import pytest
import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from isaaclab_bpo import brrl
from isaaclab_bpo.storage import BpoRolloutStorage

DEVICES = [
    "cpu",
    pytest.param("cuda:0", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
]


SYMMETRIC = brrl.RatioBounds.symmetric(0.2)


def make_storage(steps: int, num_envs: int, device: str) -> BpoRolloutStorage:
    obs = TensorDict({"policy": torch.zeros(num_envs, 3)}, batch_size=[num_envs])
    return BpoRolloutStorage("rl", num_envs, steps, obs, [2], device)


@pytest.mark.parametrize("device", DEVICES)
def test_targets_by_hand(device: str) -> None:
    st = make_storage(3, 1, device)
    st.rewards.copy_(torch.tensor([[[1.0]], [[2.0]], [[3.0]]]))
    st.values.copy_(torch.tensor([[[4.0]], [[5.0]], [[6.0]]]))
    st.dones.copy_(torch.tensor([[[0]], [[1]], [[0]]]))
    st.compute_targets(torch.tensor([[8.0]], device=device), gamma=0.5, lam=0.5, bounds=SYMMETRIC, normalize=False)
    # A = -5/4, -3, 1 (computed by hand in the test of generalized_advantages), Q = A + V
    assert st.advantages.flatten().tolist() == [-1.25, -3.0, 1.0]
    assert st.returns.flatten().tolist() == [2.75, 2.0, 7.0]
    assert st.advantage_median.item() == -1.25
    assert all(tensor.device == st.rewards.device for tensor in (st.returns, st.advantages, st.advantage_median))

    # Level 1/4 lies half-way between the two lowest
    quarter = brrl.RatioBounds(0.4, 1.2)
    st.compute_targets(torch.tensor([[8.0]], device=device), gamma=0.5, lam=0.5, bounds=quarter, normalize=True)
    assert st.advantage_median.item() == pytest.approx(-2.125)
    assert st.advantages.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert st.advantages.std().item() == pytest.approx(1.0)


@pytest.mark.parametrize("bounds", [SYMMETRIC, brrl.RatioBounds(0.2, 1.2), brrl.RatioBounds(0.5, 2.5)], ids=str)
def test_quantile_of_the_advantages_has_its_share_below(bounds: brrl.RatioBounds) -> None:
    st = make_storage(8, 25, "cpu")
    st.rewards.normal_(generator=torch.manual_seed(0))
    st.compute_targets(torch.zeros(25, 1), gamma=0.9, lam=0.9, bounds=bounds, normalize=False)
    below = (st.advantages <= st.advantage_median).float().mean().item()
    assert below == pytest.approx(bounds.level, abs=1.0 / 200)


@pytest.mark.parametrize("temperature", [0.01, 1.0, 30.0])
def test_asymmetric_targets_of_the_rollout_average_1(temperature: float) -> None:
    bounds = brrl.RatioBounds(0.5, 3.0)
    st = make_storage(8, 25, "cpu")
    st.rewards.normal_(generator=torch.manual_seed(0))
    st.compute_targets(torch.zeros(25, 1), 0.9, 0.9, bounds, temperature, normalize=False)
    target = brrl.target_ratio(st.advantages - st.advantage_median, bounds, temperature)
    assert target.mean().item() == pytest.approx(1.0, abs=5e-4)  # what the clamp at ±10 leaves


@pytest.mark.parametrize("device", DEVICES)
def test_refreshed_targets_reach_batches_of_a_running_generator(device: str) -> None:
    st = make_storage(4, 6, device)
    st.distribution_params = (torch.zeros(4, 6, 2, device=device),)
    st.rewards.uniform_()
    batches = st.mini_batch_generator(num_mini_batches=1, num_epochs=2)
    st.compute_targets(torch.zeros(6, 1, device=device), gamma=0.9, lam=0.9, normalize=False)
    first = next(batches)
    st.values.add_(1.0)
    st.compute_targets(torch.ones(6, 1, device=device), gamma=0.9, lam=0.9, normalize=False)
    second = next(batches)
    assert not torch.equal(first.returns, second.returns)  # type: ignore[arg-type]
    torch.testing.assert_close(second.returns.sum(), st.returns.sum())  # type: ignore[union-attr]
    torch.testing.assert_close(second.values, first.values + 1.0)  # type: ignore[operator]


@pytest.mark.parametrize("inference", [False, True])
def test_mini_batches_hold_what_was_assigned_to_a_field(inference: bool) -> None:
    """rsl_rl's PPO assigns normalized advantages anew; what mini-batches are gathered from must have them."""
    st = make_storage(1, 2, "cpu")
    transition = st.Transition()
    transition.observations = TensorDict({"policy": torch.zeros(2, 3)}, batch_size=[2])
    transition.actions, transition.distribution_params = torch.zeros(2, 2), (torch.zeros(2, 2),)
    transition.actions_log_prob = transition.rewards = transition.dones = transition.values = torch.zeros(2)
    transition.values = transition.values.unsqueeze(1)
    with torch.inference_mode(inference):
        st.add_transition(transition)
        st.values, st.returns, st.advantages = st.values + 1.0, st.returns + 2.0, st.advantages + 3.0
        st.actions_log_prob, st.actions = st.actions_log_prob + 4.0, st.actions + 5.0
    own = st.mini_batch(torch.arange(2))
    rsl_rls = next(RolloutStorage.mini_batch_generator(st, num_mini_batches=1, num_epochs=1))
    for expected, name in enumerate(("values", "returns", "advantages", "old_actions_log_prob", "actions"), 1):
        assert getattr(own, name).unique().item() == getattr(rsl_rls, name).unique().item() == expected


def test_time_outs_of_an_earlier_rollout_are_forgotten() -> None:
    st = make_storage(1, 2, "cpu")
    for time_outs, expected in ((torch.tensor([0.0, 1.0]), [0.0, 3.0]), (None, [0.0, 0.0])):
        transition = st.Transition()
        transition.observations = TensorDict({"policy": torch.zeros(2, 3)}, batch_size=[2])
        transition.actions, transition.distribution_params = torch.zeros(2, 2), (torch.zeros(2, 2),)
        transition.actions_log_prob = transition.rewards = transition.dones = torch.zeros(2)
        transition.values = torch.full((2, 1), 6.0)
        transition.time_outs = time_outs
        st.add_transition(transition)
        st.bootstrap_time_outs(gamma=0.5)
        assert st.rewards.flatten().tolist() == expected
        st.clear()


def test_targets_need_no_memory_beyond_rsl_rls() -> None:
    """The median is one number, and a transition takes two bytes more than in rsl_rl's: its flags."""
    st = make_storage(4, 6, "cpu")
    own = [value for value in vars(st).values() if isinstance(value, torch.Tensor)]
    st.compute_targets(torch.zeros(6, 1), gamma=0.9, lam=0.9, bounds=SYMMETRIC)
    after = [value for value in vars(st).values() if isinstance(value, torch.Tensor)]
    assert sum(t.nbytes for t in after) == sum(t.nbytes for t in own)
    # valid, and time_outs where the environment tells them
    assert st.valid.nbytes == st.dones.nbytes == 4 * 6


@pytest.mark.parametrize("recurrent", [True, False])
def test_a_full_storage_refuses_a_transition_as_rsl_rls_does_and_keeps_what_it_has(recurrent: bool) -> None:
    obs = TensorDict({"policy": torch.ones(2, 3)}, batch_size=[2])
    storage = BpoRolloutStorage("rl", 2, 1, obs, [1])
    transition = BpoRolloutStorage.Transition()

    def fill(value: float) -> None:
        column = torch.full((2,), value)
        transition.observations, transition.hidden_states, transition.actions = obs, (None, None), column.view(2, 1)
        transition.values, transition.actions_log_prob, transition.rewards = column.view(2, 1), column, column
        transition.dones, transition.time_outs, transition.valid = column, column, column > 0.0
        transition.distribution_params = (column.view(2, 1), column.view(2, 1))
        transition.median_hidden_state = column.view(1, 2, 1) if recurrent else None

    fill(1.0)
    storage.add_transition(transition)
    fill(0.0)
    with pytest.raises(OverflowError, match="clear"):
        storage.add_transition(transition)
    kept = [storage.valid, storage.time_outs, storage.rewards, *(storage.saved_hidden_state_m or [])]
    assert all((tensor == 1).all() for tensor in kept if tensor is not None)
    storage.clear()
    storage.add_transition(transition)
    assert not storage.valid.any()


def test_storage_of_a_distillation_is_rsl_rls() -> None:
    obs = TensorDict({"policy": torch.ones(2, 3)}, batch_size=[2])
    storage = BpoRolloutStorage("distillation", 2, 3, obs, [1])
    for step in range(3):
        transition = BpoRolloutStorage.Transition()
        transition.observations, transition.hidden_states = obs, (None, None)
        transition.actions = transition.privileged_actions = torch.full((2, 1), float(step))
        transition.rewards = transition.dones = torch.zeros(2)
        storage.add_transition(transition)
    assert [batch.privileged_actions.flatten().tolist() for batch in storage.generator()] == [  # type: ignore[union-attr]
        [0.0, 0.0],
        [1.0, 1.0],
        [2.0, 2.0],
    ]
