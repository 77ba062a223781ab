# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The content of a checkpoint: what a resumed run needs beside rsl_rl's networks, and whether it fits an algorithm.

Everything is tensors and plain data, so that ``torch.load(..., weights_only=True)`` reads it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from rsl_rl.algorithms import PPO
from torch import nn

from isaaclab_bpo.algorithms import median
from isaaclab_bpo.algorithms.median import is_like

ORIGINS = {
    "student_state_dict": "rsl_rl's Distillation",
    "model_state_dict": "rsl_rl before version 4",
    "policy": "another library",
    "agent": "another library",
    "model": "another library",
}
"""Keys that tell whose a checkpoint is that neither BPO nor PPO can continue."""


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message is a sentence that says why."""


##
# What is saved beside the networks.
##


def training_state(alg: PPO) -> dict[str, Any]:
    """Return what rsl_rl does not save but a run that continues bit for bit needs, and the versions of the software.

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
        checkpoint: A checkpoint that :func:`check_checkpoint` has accepted.
    """
    if not alg.rnd:
        return
    alg.rnd.update_counter = checkpoint.get("rnd_update_counter", alg.rnd.update_counter)
    average = checkpoint.get("rnd_average_reward")
    if (
        average is not None
        and average.shape == (alg.storage.num_envs,)
        and hasattr(alg.rnd.reward_normalizer, "disc_avg")
    ):
        alg.rnd.reward_normalizer.disc_avg.avg = average.to(alg.device)  # type: ignore[union-attr]


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
        states: States that :func:`check_checkpoint` has accepted.
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


##
# Whether a checkpoint can be used.
##


def check_content(checkpoint: Any) -> None:
    """Refuse anything but a checkpoint of BPO or PPO with finite numbers.

    Args:
        checkpoint: What was read from the file.

    Raises:
        CheckpointError: If it is something else.
    """
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f"it holds a {type(checkpoint).__name__}, and a checkpoint is a dictionary")
    for name in ("actor_state_dict", "critic_state_dict", "optimizer_state_dict"):
        if name not in checkpoint:
            origin = next((text for key, text in ORIGINS.items() if key in checkpoint), None)
            hint = f"it is a checkpoint of {origin}, from" if origin else "it is not a checkpoint of BPO or PPO, for"
            raise CheckpointError(f"it has no {name}: {hint} which neither can continue")
    if "random_states" in checkpoint:
        _check_random_states(checkpoint["random_states"])
    for name in ("cfg", "run"):
        if not isinstance(checkpoint.get(name, {}), dict):
            raise CheckpointError(f"its {name} is a {type(checkpoint[name]).__name__} and not a dictionary")
    run = checkpoint.get("run", {"asked": 0, "end": 0})
    counts = {"iter": checkpoint.get("iter", 0), "rnd_update_counter": checkpoint.get("rnd_update_counter", 0)}
    counts |= {f"run.{name}": run.get(name) for name in ("asked", "end")}
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise CheckpointError(f"its {name} is {value!r}, which is not an integer >= 0")
    average = checkpoint.get("rnd_average_reward")
    if average is not None and not (isinstance(average, torch.Tensor) and average.is_floating_point()):
        raise CheckpointError("its rnd_average_reward is not a tensor")
    for path, tensor in _tensors(checkpoint):
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise CheckpointError(f"{path} in it is not an ordinary tensor")
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path} in it is not finite, because training had gone wrong: take an earlier one")


def check_checkpoint(alg: PPO, checkpoint: Any, parts: Mapping[str, bool] | None = None, strict: bool = True) -> None:
    """Refuse a checkpoint that the algorithm cannot load, before anything of it is loaded.

    Args:
        alg: The algorithm.
        checkpoint: What was read from the file.
        parts: Which parts will be loaded, see :meth:`rsl_rl.algorithms.PPO.load`; None for all.
        strict: Whether the networks must have the same parameters.

    Raises:
        CheckpointError: If it does not fit; the sentence names the layer, both shapes and the likely cause.
    """
    check_content(checkpoint)
    models: dict[str, nn.Module | None] = {"actor": alg._raw_actor, "critic": alg._raw_critic, "rnd": alg.rnd}
    median_critic = getattr(alg, "_raw_median_critic", None)
    if is_like(median_critic, checkpoint.get("median_critic_state_dict")):
        models["median_critic"] = median_critic
    for name, model in models.items():
        part = "critic" if name == "median_critic" else name
        if model is not None and (parts is None or parts.get(part)):
            if f"{name}_state_dict" not in checkpoint:
                raise CheckpointError(f"it has no {name}_state_dict: the run that saved it was without {name}_cfg")
            _check_state_dict(name, model, checkpoint[f"{name}_state_dict"], strict)
    if parts is None or parts.get("optimizer"):
        _check_optimizer("optimizer", alg.optimizer, checkpoint["optimizer_state_dict"])
    if alg.rnd and (parts is None or parts.get("rnd")):
        _check_optimizer("rnd_optimizer", alg.rnd.optimizer, checkpoint.get("rnd_optimizer_state_dict"))


def fit_optimizer_state(optimizer: torch.optim.Optimizer, state: Any) -> dict:
    """Fit a saved state to an optimizer, see :func:`isaaclab_bpo.algorithms.median.fit_optimizer_state`.

    Raises:
        CheckpointError: If it is not the state of an optimizer.
    """
    try:
        return median.fit_optimizer_state(optimizer, state)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise CheckpointError("its optimizer_state_dict is not the state of an optimizer of torch") from None


def _check_state_dict(name: str, model: nn.Module, saved: Any, strict: bool) -> None:
    """Refuse parameters of a network with other names or shapes."""
    if not isinstance(saved, Mapping) or not all(isinstance(value, torch.Tensor) for value in saved.values()):
        raise CheckpointError(f"its {name}_state_dict does not hold the parameters of a network")
    own = model.state_dict()
    unlike = [key for key, value in own.items() if key in saved and saved[key].shape != value.shape]
    if unlike:
        key, more = unlike[0], f" (and {len(unlike) - 1} more)" if len(unlike) > 1 else ""
        there, here = tuple(saved[key].shape), tuple(own[key].shape)
        raise CheckpointError(
            f"it does not fit: {key} of the {name.replace('_', ' ')} has shape {there} in it and {here} here{more}, "
            f"because of {_likely_cause(own, key, there, here)}"
        )
    different = sorted(own.keys() ^ saved.keys())
    if strict and different:
        key = different[0]
        raise CheckpointError(
            f"it does not fit: {key} of the {name.replace('_', ' ')} is {'not in it' if key in own else 'only in it'}, "
            "because of another class_name, obs_normalization, distribution_cfg or number of hidden_dims"
        )
    for key, value in saved.items():
        if key in own and value.dtype.is_floating_point != own[key].dtype.is_floating_point:
            raise CheckpointError(
                f"{key} of the {name.replace('_', ' ')} is of type {value.dtype}, not {own[key].dtype}"
            )


def _likely_cause(own: Mapping[str, torch.Tensor], key: str, there: tuple[int, ...], here: tuple[int, ...]) -> str:
    """Guess why a parameter has another shape."""
    layers = [name for name in own if name.startswith("mlp.")]
    inputs = key.startswith(("obs_normalizer.", "state_normalizer.", "rnn.rnn.weight_ih_l0")) or key in layers[:1]
    if inputs and there[:1] == here[:1]:
        return "other observations: it comes from another task or another robot"
    if key.startswith("distribution.") or (key in layers[-2:] and there[1:] == here[1:]):
        return "another number of actions: it comes from another robot"
    return "other hidden_dims (or another task): give both runs the same networks"


def _check_optimizer(name: str, optimizer: torch.optim.Optimizer, state: Any) -> None:
    """Refuse a state, fitted to an optimizer, that is not one for the same parameters."""
    fitted = fit_optimizer_state(optimizer, state)
    for group, saved in zip(optimizer.param_groups, fitted["param_groups"], strict=True):
        rate = saved["lr"]
        if not isinstance(rate, float) or not math.isfinite(rate) or rate <= 0.0:
            raise CheckpointError(f"the learning rate in its {name}_state_dict is {rate!r}, which is not a number > 0")
        if not isinstance(saved["params"], list) or len(saved["params"]) != len(group["params"]):
            raise CheckpointError(f"its {name}_state_dict belongs to networks with another number of parameters")
        for index, param in zip(saved["params"], group["params"], strict=True):
            moments = fitted["state"].get(index)
            if moments is not None and not _are_moments(moments, optimizer, param):
                raise CheckpointError(
                    f"its {name}_state_dict is damaged or of another optimizer than {type(optimizer).__name__}: "
                    "without resuming the optimizer it may load"
                )


def _are_moments(moments: Mapping[Any, Any], optimizer: torch.optim.Optimizer, param: torch.Tensor) -> bool:
    """Whether an optimizer can go on with the moments that were saved for a parameter."""
    # A step with another parameter shows which moments the optimizer has, and which of them are shaped like it
    probe = torch.zeros(1, requires_grad=True)
    probe.grad = torch.zeros(1)
    own = type(optimizer)([probe], lr=1.0)  # type: ignore[call-arg]
    own.step()
    return all(
        isinstance(moments.get(name), torch.Tensor)
        and moments[name].shape == (param.shape if moment.dim() else ())
        and moments[name].dtype.is_floating_point
        for name, moment in own.state[probe].items()
        if moment is not None
    )


def _check_random_states(states: Any) -> None:
    """Try the states on generators that nobody uses."""
    try:
        random.Random().setstate(states["python"])
        np.random.RandomState().set_state(states["numpy"])
        torch.Generator().set_state(states["torch"].cpu())
        cuda = states.get("cuda", torch.zeros(16, dtype=torch.uint8))
        if cuda.dtype != torch.uint8 or cuda.shape != (16,):  # a CUDA generator's seed and offset
            raise ValueError
    except Exception:  # whatever a damaged state provokes
        raise CheckpointError("its random_states are damaged") from None


def _tensors(checkpoint: Mapping[Any, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of all state dicts, of networks and optimizers, each with its name."""
    for name, state in checkpoint.items():
        if not str(name).endswith("_state_dict") or not isinstance(state, Mapping):
            continue
        moments = state.get("state")
        for path, values in [("", state), *(moments.items() if isinstance(moments, Mapping) else [])]:
            for key, value in values.items() if isinstance(values, Mapping) else []:
                if isinstance(value, torch.Tensor):
                    yield f"{name}[{path or key!r}]", value
