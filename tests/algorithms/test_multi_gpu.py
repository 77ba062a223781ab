# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO on several ranks: real processes and a real process group, gloo on the CPU in the place of NCCL."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO, RankLostError
from isaaclab_bpo.algorithms.construct import construct_algorithm
from isaaclab_bpo.algorithms.health import INVALID, SKIPPED
from isaaclab_bpo.compatibility.rsl_rl import NORMALIZES_IN_UPDATE
from point_mass import PointMass, runner_cfg, update

NUM_ENVS, NUM_STEPS, NUM_UPDATES = 16, 12, 2


def make_bpo(num_envs: int, rank: int | None, world_size: int, hyperparameters: dict[str, Any]) -> BPO:
    # Other initial parameters on each rank, so that the broadcast is seen to work
    torch.manual_seed(rank or 0)
    cfg = runner_cfg(num_learning_epochs=4, **hyperparameters)
    for network in ("actor", "critic"):
        cfg[network]["obs_normalization"] = True
    cfg["multi_gpu"] = None if rank is None else {"global_rank": rank, "local_rank": 0, "world_size": world_size}
    env = PointMass(num_envs, discrete=hyperparameters.get("discrete", False))
    bpo = construct_algorithm(env.get_observations(), env, cfg, "cpu")
    if rank is not None:
        bpo.broadcast_parameters()
    return bpo


def make_data() -> list[dict[str, torch.Tensor]]:
    """Return random data of every step of all environments, a few of them not finite."""
    generator = torch.Generator().manual_seed(5)
    steps = []
    for _ in range(NUM_UPDATES * NUM_STEPS + 1):
        rewards = torch.randn(NUM_ENVS, generator=generator)
        rewards[torch.rand(NUM_ENVS, generator=generator) < 0.05] = torch.nan
        steps.append(
            {
                "obs": torch.randn(NUM_ENVS, 4, generator=generator),
                "noise": torch.randn(NUM_ENVS, 2, generator=generator),
                "rewards": rewards,
                "dones": (torch.rand(NUM_ENVS, generator=generator) < 0.1).long(),
                "time_outs": (torch.rand(NUM_ENVS, generator=generator) < 0.5).float(),
            }
        )
    return steps


def train(rank: int | None, world_size: int, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Take two updates on the rank's share of the environments, and return what came out."""
    torch.set_num_threads(1)
    share = slice(None) if rank is None else slice(rank * NUM_ENVS // world_size, (rank + 1) * NUM_ENVS // world_size)
    bpo = make_bpo(NUM_ENVS if rank is None else NUM_ENVS // world_size, rank, world_size, hyperparameters)
    steps = [{name: value[share] for name, value in step.items()} for step in make_data()]
    num_envs = len(steps[0]["obs"])
    metrics: dict[str, float] = {}
    for index in range(NUM_UPDATES):
        rollout = steps[index * NUM_STEPS : (index + 1) * NUM_STEPS + 1]
        with torch.inference_mode():
            for step in rollout[:-1]:
                bpo.act(TensorDict({"policy": step["obs"]}, batch_size=[num_envs]))
                # The action's noise belongs to the environment, wherever that is
                distribution = bpo.actor.distribution
                assert distribution is not None
                if hyperparameters.get("discrete"):
                    actions = distribution.deterministic_output(distribution.mean + step["noise"].repeat(1, 3))
                else:
                    actions = distribution.mean + distribution.std * step["noise"]
                bpo.transition.actions = actions
                bpo.transition.actions_log_prob = bpo.actor.get_output_log_prob(bpo.transition.actions)
                extras = {"time_outs": step["time_outs"] * step["dones"], "log": {}}
                next_obs = TensorDict({"policy": step["obs"]}, batch_size=[num_envs])
                bpo.process_env_step(next_obs, step["rewards"], step["dones"], extras)  # type: ignore[arg-type]
            bpo.compute_returns(TensorDict({"policy": rollout[-1]["obs"]}, batch_size=[num_envs]))
        metrics = update(bpo)
    log = {name: bpo.health.log[name].item() for name in (SKIPPED, INVALID)}
    return bpo.save() | {"learning_rate": bpo.learning_rate, "metrics": metrics, "log": log}


def work(rank: int, folder: str, world_size: int, hyperparameters: dict[str, Any]) -> None:
    init = f"file://{folder}/rendezvous"
    dist.init_process_group("gloo", init_method=init, rank=rank, world_size=world_size)
    torch.save(train(rank, world_size, hyperparameters), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("world_size", "hyperparameters"),
    [
        (2, {}),
        (2, {"normalize_advantage_per_mini_batch": True, "online_advantage": False, "median_head": "shared"}),
        (2, {"discrete": True}),
        (4, {"median": "batch", "online_advantage": False}),
    ],
    ids=["2-critic", "2-shared-per_mini_batch", "2-discrete", "4-batch"],
)
def test_ranks_with_a_share_each_equal_one_with_all(
    world_size: int, hyperparameters: dict[str, Any], tmp_path: Path
) -> None:
    # One mini-batch per epoch: the ranks' mini-batches together are that of a single process
    hyperparameters = hyperparameters | {"num_mini_batches": 1, "accelerate": False}
    args = (str(tmp_path), world_size, hyperparameters)
    mp.spawn(work, args=args, nprocs=world_size)  # type: ignore[attr-defined]
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(world_size)]
    alone = train(None, 1, hyperparameters)
    for rank in ranks:
        assert rank["learning_rate"] == alone["learning_rate"]
        assert rank["log"] == alone["log"]  # health counts are those of all ranks
        assert rank["metrics"] == pytest.approx(alone["metrics"], rel=1e-4, abs=1e-6)
    assert alone["log"]["Health/invalid_transitions"] > 0
    for name in (name for name in alone if name.endswith("_state_dict") and name != "optimizer_state_dict"):
        for key, value in alone[name].items():
            for rank in ranks:
                assert torch.equal(rank[name][key], ranks[0][name][key]), f"{name} {key}: ranks differ"
            torch.testing.assert_close(ranks[0][name][key], value, rtol=1e-5, atol=1e-6, msg=f"{name} {key}")


def work_until_a_rank_is_killed(rank: int, folder: str, world_size: int) -> None:
    torch.set_num_threads(1)
    init = f"file://{folder}/rendezvous"
    dist.init_process_group("gloo", init_method=init, rank=rank, world_size=world_size)
    bpo, env = make_bpo(NUM_ENVS, rank, world_size, {}), PointMass()
    obs = env.get_observations()
    for iteration in range(1000):
        with torch.inference_mode():
            for _ in range(NUM_STEPS):
                obs, rewards, dones, extras = env.step(bpo.act(obs))
                bpo.process_env_step(obs, rewards, dones, extras)
            bpo.compute_returns(obs)
        if iteration == 3 and rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            bpo.update()
        except RankLostError as error:
            Path(folder, f"{rank}.txt").write_text(str(error))
            os._exit(3)  # the group cannot be left in order any more


def test_a_killed_rank_ends_the_others_with_a_clear_message(tmp_path: Path) -> None:
    context = mp.get_context("spawn")
    args = (str(tmp_path), 2)
    processes = [context.Process(target=work_until_a_rank_is_killed, args=(rank, *args)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [3, -signal.SIGKILL]
    assert "Rank 0 of 2 ends because another rank has" in (tmp_path / "0.txt").read_text()


def reduce_gradients(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    sizes, all_reduce = [], dist.all_reduce

    def watch(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        sizes.append(tensor.numel() * tensor.element_size())
        return all_reduce(tensor, *args, **kwargs)

    dist.all_reduce = watch
    for median in ({}, {"median": "batch"}, {"median_head": "shared"}, {"median_head": "mlp"}):
        for bucket_kb in (1, 2, 1000):
            bpo = make_bpo(NUM_ENVS, rank, 2, median | {"grad_reduce_bucket_mb": bucket_kb / 1024})
            networks = (bpo.actor, bpo.critic, bpo.median.network)
            parameters = [p for network in networks if network is not None for p in network.parameters()]
            bpo.reduce_parameters()
            assert all(p.grad is None for p in parameters)
            for p in parameters[1:]:  # one has none, yet
                p.grad = torch.full_like(p, 1.0 + 2.0 * rank)
            sizes.clear()
            bpo.reduce_parameters()
            assert parameters[0].grad is None
            assert all((p.grad == 2.0).all() for p in parameters[1:])
            assert max(sizes) <= bucket_kb * 1024
    dist.destroy_process_group()


@pytest.mark.skipif(not NORMALIZES_IN_UPDATE, reason="rsl_rl 5.4 reduces gradients all at once")
def test_gradients_are_reduced_in_buckets_and_none_is_no_error(tmp_path: Path) -> None:
    mp.spawn(reduce_gradients, args=(str(tmp_path),), nprocs=2)  # type: ignore[attr-defined]
