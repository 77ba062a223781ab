# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is left out and what is counted, by hand."""

from __future__ import annotations

import pytest
import torch
from tensordict import TensorDict

from isaaclab_bpo.algorithms import TrainingDivergedError
from isaaclab_bpo.algorithms.health import DIAGNOSTICS, INVALID, SKIPPED, Health
from isaaclab_bpo.storage import BpoRolloutStorage

NAN, INF = float("nan"), float("inf")


def observations(**groups: torch.Tensor) -> TensorDict:
    return TensorDict(dict(groups), batch_size=[len(next(iter(groups.values())))])  # type: ignore[arg-type]


def storage(valid: list[bool]) -> BpoRolloutStorage:
    st = BpoRolloutStorage("rl", len(valid), 1, observations(policy=torch.zeros(len(valid), 2)), [1], "cpu")
    st.valid.copy_(torch.tensor(valid).view_as(st.valid))
    return st


def test_groups_that_are_not_finite_are_blanked() -> None:
    obs = observations(
        policy=torch.tensor([[1.0, 2.0], [3.0, NAN], [5.0, 6.0], [1e16, 0.0]]),
        camera=torch.tensor([[[1.0]], [[2.0]], [[-INF]], [[4.0]]]),
        number=torch.tensor([[1], [2], [3], [4]]),
    )
    finite, valid = Health(100, "cpu").blank(obs)
    assert valid.tolist() == [True, False, False, False]
    assert finite["policy"].tolist() == [[1.0, 2.0], [0.0, 0.0], [5.0, 6.0], [0.0, 0.0]]
    assert finite["camera"].flatten().tolist() == [1.0, 2.0, 0.0, 4.0]
    assert torch.equal(finite["number"], obs["number"])  # type: ignore[arg-type]
    assert obs["policy"][1, 1].isnan()  # the environment's own stay as they are


def test_a_group_that_no_network_reads_is_not_looked_at() -> None:
    obs = observations(policy=torch.tensor([[1.0], [NAN]]), rays=torch.full((2, 3), INF))
    obs["terms"] = TensorDict({"height": torch.full((2,), NAN)}, batch_size=[2])  # a group that is not concatenated
    health = Health(100, "cpu")
    health.groups = ["policy"]
    finite, valid = health.blank(obs)
    assert valid.tolist() == [True, False]
    assert finite["policy"].tolist() == [[1.0], [0.0]]
    assert finite["rays"] is obs["rays"]


def test_counts_are_written_in_place() -> None:
    health = Health(100, "cpu")
    log = dict(health.log)
    health.count_valid(storage([True, False, False]), distributed=False)
    history = torch.tensor([[1.0, 0.25, 1.0], [5.0, 9.0, 0.0], [3.0, 0.75, 1.0]])  # the second was skipped
    assert health.report(["loss", "kl", "used"], history, storage([True]), False) == {"loss": 2.0}
    expected = dict.fromkeys(DIAGNOSTICS.values(), 0.0) | {INVALID: 2.0, SKIPPED: 1.0, "BPO/kl": 0.5}
    assert {name: count.item() for name, count in log.items()} == expected


@pytest.mark.parametrize(
    ("valid", "norm", "usable"),
    [([True, False], 1.0, True), ([True, False], NAN, False), ([True, True], INF, False), ([False, False], 1.0, False)],
)
def test_a_step_needs_finite_gradients_and_a_valid_transition(valid: list[bool], norm: float, usable: bool) -> None:
    health = Health(100, "cpu")
    health.count_valid(storage(valid), distributed=False)
    assert health.is_usable(["actor", "critic"], torch.tensor([1.0, norm])).item() is usable


def test_it_raises_after_too_many_skips_in_a_row() -> None:
    health, st = Health(2, "cpu"), storage([True])
    health.count_valid(st, distributed=False)
    good, bad = torch.tensor([1.0]), torch.tensor([NAN])
    one_skipped = torch.tensor([[1.0, 0.0]])
    one_used = torch.tensor([[1.0, 1.0]])
    for norms in (bad, good, bad):  # never two in a row
        used = health.is_usable(["actor"], norms).item()
        health.report(["loss", "used"], one_used if used else one_skipped, st, False)
    health.is_usable(["actor"], bad)
    with pytest.raises(TrainingDivergedError, match=r"2 mini-batches in a row .* the gradient of the actor") as error:
        health.report(["loss", "used"], one_skipped, st, False)
    assert error.value.columns == {}


def test_the_columns_of_the_cause_are_named() -> None:
    health, st = Health(1, "cpu"), storage([False])
    for value in (NAN, INF):
        health.blank(observations(policy=torch.tensor([[0.0, value, 2.0, NAN]]), clean=torch.ones(1, 2)))
    health.count_valid(st, distributed=False)
    health.is_usable(["actor"], torch.tensor([0.0]))
    with pytest.raises(TrainingDivergedError, match="observation group 'policy'") as error:
        health.report(["loss", "used"], torch.tensor([[NAN, 0.0]]), st, False)
    assert error.value.columns == {"policy": [1, 3]}
