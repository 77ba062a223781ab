# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The names of columns of observations, by Isaac Lab's own observation manager."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from isaaclab.managers import ObservationGroupCfg, ObservationManager, ObservationTermCfg
from isaaclab.utils import configclass

from isaaclab_bpo.runners.observations import name_columns, observation_terms
from point_mass import PointMass


def planar(env: PointMass) -> torch.Tensor:
    return torch.zeros(env.num_envs, 2)


def image(env: PointMass) -> torch.Tensor:
    return torch.zeros(env.num_envs, 1, 8, 8)


@configclass
class PolicyCfg(ObservationGroupCfg):
    """Observations of one dimension, one of them with its past."""

    position = ObservationTermCfg(func=planar)
    velocity = ObservationTermCfg(func=planar, history_length=3)


@configclass
class CameraCfg(ObservationGroupCfg):
    """Observations of more dimensions."""

    image = ObservationTermCfg(func=image)


def env_with_terms() -> PointMass:
    env = PointMass(num_envs=2)
    env.sim = SimpleNamespace(is_playing=lambda: True)  # type: ignore[attr-defined]  # all that the manager asks of it
    env.observation_manager = ObservationManager({"policy": PolicyCfg(), "camera": CameraCfg()}, env)  # type: ignore
    return env


def test_terms_are_those_of_the_observation_manager() -> None:
    assert observation_terms(env_with_terms()) == {"policy": ["position"] * 2 + ["velocity"] * 6}
    assert observation_terms(PointMass(num_envs=2)) == {}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"policy": [7]}, "observation group 'policy', term 'velocity'"),
        ({"policy": [1, 2, 3]}, "observation group 'policy', term 'position' and 'velocity'"),
        (
            {"policy": [0], "camera": [3, 4]},
            "group 'policy', term 'position'; observation group 'camera', columns 3, 4",
        ),
        ({"policy": [8]}, "observation group 'policy', columns 8"),
        ({"camera": list(range(64))}, "observation group 'camera', columns 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 54 more"),
    ],
)
def test_columns_are_named_by_terms_or_by_their_indices(columns: dict[str, list[int]], words: str) -> None:
    assert name_columns(env_with_terms(), columns).endswith(words)


def test_columns_are_named_by_their_indices_where_no_terms_are_known() -> None:
    assert name_columns(PointMass(num_envs=2), {"policy": [2, 3]}) == "observation group 'policy', columns 2, 3"
