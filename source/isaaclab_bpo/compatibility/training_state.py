# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What rsl_rl's checkpoints lack for a run that goes on bit for bit.

What fails: rsl_rl 5.5 saves networks and optimizers, but neither the states of the random number generators nor the
counter and the average reward of random network distillation. A resumed run draws other numbers and starts its
intrinsic reward anew. The state of an optimizer loads only into one with as many parameter groups. Encoders that the
networks share are saved as the actor's and as the critic's, and twice in the state of the optimizer.

What we do: :func:`training_state` returns the rest as tensors and plain data, so that
``torch.load(..., weights_only=True)`` reads it. :func:`without_shared_encoders` and :func:`fit_optimizer_state` let
PPO's checkpoints go on with BPO.

When to delete it: once rsl_rl's ``PPO.save`` and ``PPO.load`` keep all of it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from rsl_rl.algorithms import PPO
from torch import nn


def training_state(alg: PPO) -> dict[str, Any]:
    """Return what rsl_rl does not save of a run, and the versions of the software.

    Args:
        alg: The algorithm.
    """
    state: dict[str, Any] = {"versions": _versions(), "random_states": random_states(alg.device)}
    if alg.rnd:
        average = getattr(alg.rnd.reward_normalizer, "disc_avg", None)
        state["rnd_update_counter"] = alg.rnd.update_counter
        state["rnd_average_reward"] = None if average is None else average.avg
    return state


def restore_training_state(alg: PPO, checkpoint: Mapping[str, Any]) -> None:
    """Restore what :func:`training_state` saved, except for the random states, which belong to the whole process.

    Args:
        alg: The algorithm.
        checkpoint: A checkpoint whose content has been checked.
    """
    if not alg.rnd:
        return
    alg.rnd.update_counter = checkpoint.get("rnd_update_counter", alg.rnd.update_counter)
    own, average = getattr(alg.rnd.reward_normalizer, "disc_avg", None), checkpoint.get("rnd_average_reward")
    # It holds a value for each environment, and none before the first step
    if own is not None and average is not None and average.shape == (alg.storage.num_envs,):
        own.avg = average.to(alg.device)


def without_shared_encoders(checkpoint: Mapping[str, Any], critic: nn.Module) -> dict[str, Any]:
    """Return a checkpoint in which a critic that borrows the actor's encoders has none of its own.

    rsl_rl's PPO saves them with both networks. Encoders that differ from the actor's stay, so that they are refused.

    Args:
        checkpoint: The checkpoint.
        critic: The critic that will be loaded from it.
    """
    borrowed, own = checkpoint["actor_state_dict"], critic.state_dict().keys()
    kept = {
        key: value
        for key, value in checkpoint["critic_state_dict"].items()
        if key in own or not key.startswith("cnns.") or key not in borrowed or not torch.equal(value, borrowed[key])
    }
    return {**checkpoint, "critic_state_dict": kept}


def fit_optimizer_state(optimizer: torch.optim.Optimizer, state: Any) -> dict:
    """Fit the saved state of BPO's or PPO's optimizer to that of the other; a second group is the median critic's.

    Learning rates and moments are the saved ones. All else, such as Adam's betas, stays as the optimizer has it.

    Args:
        optimizer: The optimizer that will load the state.
        state: The saved state.

    Returns:
        A state for ``optimizer``; nothing is changed in place.
    """
    own = optimizer.state_dict()["param_groups"]
    saved = state["param_groups"][: len(own)]
    if len(saved) > 1 and len(saved[1]["params"]) != len(own[1]["params"]):
        saved = saved[:1]  # a median critic of another kind
    rates = [group["lr"] for group in saved] + [saved[0]["lr"]] * (len(own) - len(saved))
    params = [group["params"] for group in saved]
    params += [[~index for index in group["params"]] for group in own[len(saved) :]]  # numbers that have no moments
    if len(params[0]) > len(own[0]["params"]):
        params[0] = list(dict.fromkeys(params[0]))  # shared encoders, which rsl_rl's PPO has twice
    kept = {index for group in saved for index in group["params"]}
    moments = {index: dict(values) for index, values in state["state"].items() if index in kept}
    for values in moments.values():
        # Where Adam keeps it, unless fused or capturable: on the GPU each step would wait for it
        if isinstance(values.get("step"), torch.Tensor) and values["step"].is_cuda:
            values["step"] = values["step"].cpu()
    groups = [{**group, "lr": rate, "params": p} for group, rate, p in zip(own, rates, params, strict=True)]
    return {"state": moments, "param_groups": groups}


def is_like(network: nn.Module | None, saved: Any) -> bool:
    """Return whether a saved state dict is of the kind of our median critic: a network, an output layer, or an MLP."""
    if network is None or saved is None:
        return False

    def kind(state: Any) -> str:
        names = {str(name) for name in state} if isinstance(state, Mapping) else set()
        if names == {"weight", "bias"}:
            return "output layer"
        return "MLP" if names and all(name[:1].isdigit() for name in names) else "network"

    return kind(network.state_dict()) == kind(saved)


def random_states(device: str) -> dict[str, Any]:
    """Return the states of the random number generators of Python, NumPy, torch and, if it is used, CUDA.

    Args:
        device: The device of the algorithm.
    """
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  # environments draw from the global generator
    states = {"python": random.getstate(), "numpy": (name, keys.tolist(), *rest), "torch": torch.get_rng_state()}
    if torch.device(device).type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: Mapping[str, Any], device: str) -> None:
    """Restore what :func:`random_states` returned.

    Args:
        states: The states.
        device: The device of the algorithm.
    """
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("isaaclab_bpo", "isaaclab", "rsl-rl-lib", "torch", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # BPO runs without Isaac Lab, too
            continue
    return versions
