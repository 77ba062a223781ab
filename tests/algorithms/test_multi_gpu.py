# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO on several ranks: real processes and a real process group, gloo on the CPU in the place of NCCL."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from isaaclab_bpo.algorithms import BPO
from point_mass import PointMass, runner_cfg

WORLD_SIZE = 2


def train(rank: int | None, env_seed: int, model_seed: int) -> dict:
    """Take two updates, alone or as a rank of the default process group, and return what is saved."""
    torch.manual_seed(model_seed)
    env = PointMass(seed=env_seed)
    cfg = runner_cfg(num_mini_batches=1, num_learning_epochs=4)
    cfg["multi_gpu"] = None if rank is None else {"global_rank": rank, "local_rank": 0, "world_size": WORLD_SIZE}
    bpo = BPO.construct_algorithm(env.get_observations(), env, cfg, "cpu")
    if rank is not None:
        bpo.broadcast_parameters()
    torch.manual_seed(env_seed)  # same or different actions, as the environments are
    obs = env.get_observations()
    for _ in range(2):
        with torch.inference_mode():
            for _ in range(12):
                obs, rewards, dones, extras = env.step(bpo.act(obs))
                bpo.process_env_step(obs, rewards, dones, extras)
            bpo.compute_returns(obs)
        bpo.update()
    return copy.deepcopy(bpo.save()) | {"learning_rate": bpo.learning_rate}


def work(rank: int, folder: str, same_data: bool) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD_SIZE)
    # Other initial parameters on each rank, so that the broadcast is seen to work
    saved = train(rank, env_seed=0 if same_data else rank, model_seed=rank)
    torch.save(saved, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def run_ranks(folder: Path, same_data: bool) -> list[dict]:
    mp.spawn(work, args=(str(folder), same_data), nprocs=WORLD_SIZE)  # type: ignore[attr-defined]
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD_SIZE)]


def assert_same_networks(a: dict, b: dict, rtol: float = 0.0, atol: float = 0.0) -> None:
    for name in ("actor_state_dict", "critic_state_dict", "median_critic_state_dict"):
        for key, value in a[name].items():
            torch.testing.assert_close(b[name][key], value, rtol=rtol, atol=atol, msg=f"{name} {key}")
    assert a["learning_rate"] == b["learning_rate"]


def test_ranks_with_different_data_stay_one_model(tmp_path: Path) -> None:
    ranks = run_ranks(tmp_path, same_data=False)
    assert_same_networks(ranks[0], ranks[1])


def test_ranks_with_the_same_data_equal_a_single_process(tmp_path: Path) -> None:
    ranks = run_ranks(tmp_path, same_data=True)
    alone = train(None, env_seed=0, model_seed=0)
    assert_same_networks(ranks[0], ranks[1])
    assert_same_networks(alone, ranks[0], rtol=1e-5, atol=1e-6)
