# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether a checkpoint can be used at all, and by an algorithm."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from rsl_rl.algorithms import PPO
from torch import nn

from isaaclab_bpo.algorithms import BPO
from isaaclab_bpo.compatibility.training_state import fit_optimizer_state, is_like, without_shared_encoders
from isaaclab_bpo.rules import Rule, integer

from .configuration import network_changes

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
    for name, (valid, text) in _RULES.items():
        if name in checkpoint and not valid(checkpoint[name]):
            raise CheckpointError(f"its {name} is {_shown(checkpoint[name])}, which is not {text}")
    for path, tensor in _tensors(checkpoint):
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise CheckpointError(f"{path} in it is not an ordinary tensor")
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path} in it is not finite, because training had gone wrong: take an earlier one")


def fit_checkpoint(
    alg: PPO, cfg: Mapping[str, Any], checkpoint: Any, parts: Mapping[str, bool] | None = None, strict: bool = True
) -> dict:
    """Return a checkpoint in the form that the algorithm can load, before anything of it is loaded.

    An adaptive learning rate goes on from the saved one, unless the configuration has another start than the one in
    the checkpoint. A fixed one is that of the configuration.

    Args:
        alg: The algorithm.
        cfg: The plain configuration that it was made from.
        checkpoint: What was read from the file.
        parts: Which parts will be loaded, see :meth:`rsl_rl.algorithms.PPO.load`; None for all.
        strict: Whether the networks must have the same parameters, and compute the same with them.

    Returns:
        The checkpoint, with its networks and the states of its optimizers fitted to those of the algorithm.

    Raises:
        CheckpointError: If it does not fit; the sentence names the layer, both shapes and the likely cause.
    """
    check_content(checkpoint)

    def is_wanted(part: str) -> bool:
        return parts is None or bool(parts.get(part))

    fitted = without_shared_encoders(checkpoint, alg._raw_critic)
    for name, network in _networks(alg, checkpoint).items():
        if is_wanted("critic" if name == "median_critic" else name):
            if f"{name}_state_dict" not in fitted:
                raise CheckpointError(f"it has no {name}_state_dict: the run that saved it was without {name}_cfg")
            _check_parameters(name, network, fitted[f"{name}_state_dict"], strict)
    saved_cfg = checkpoint.get("cfg", {})
    if strict:
        _check_networks(saved_cfg, cfg, is_wanted)
    if is_wanted("optimizer"):
        fitted["optimizer_state_dict"] = _fit_optimizer("optimizer_state_dict", alg.optimizer, checkpoint)
        if alg.schedule != "adaptive" or _first_rate(saved_cfg) not in (None, _first_rate(cfg)):
            _set_rate(fitted["optimizer_state_dict"], _first_rate(cfg))
    if alg.rnd and is_wanted("rnd"):
        fitted["rnd_optimizer_state_dict"] = _fit_optimizer("rnd_optimizer_state_dict", alg.rnd.optimizer, checkpoint)
        _set_rate(fitted["rnd_optimizer_state_dict"], alg.rnd.optimizer.param_groups[0]["lr"])
    return fitted


def _check_networks(saved_cfg: Any, cfg: Mapping[str, Any], is_wanted: Callable[[str], bool]) -> None:
    """Refuse a checkpoint of networks whose parameters fit but which compute something else."""
    for path, (there, here) in network_changes(saved_cfg, cfg).items():
        part = path.removeprefix("obs_groups.").split(".")[0]
        if not is_wanted(part if part in ("actor", "critic") else "rnd"):
            continue
        if not path.startswith("obs_groups."):
            raise CheckpointError(f"it does not fit: {path} is {there!r} in it and {here!r} here")
        if sorted(map(str, there)) == sorted(here or []):  # others may be the same quantities under other names
            raise CheckpointError(f"it does not fit: the order of {path} is {there!r} in it and {here!r} here")


def _first_rate(cfg: Any) -> Any:
    """Return the learning rate that a configuration starts with; None if it has no algorithm."""
    algorithm = cfg.get("algorithm")
    return algorithm.get("learning_rate", _FIRST_RATE) if isinstance(algorithm, Mapping) else None


def _set_rate(optimizer_state: dict[str, Any], rate: float) -> None:
    for group in optimizer_state["param_groups"]:
        group["lr"] = rate


def _networks(alg: PPO, checkpoint: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Return the networks of an algorithm that are loaded from a checkpoint, by their names in it."""
    networks: dict[str, nn.Module | None] = {"actor": alg._raw_actor, "critic": alg._raw_critic, "rnd": alg.rnd}
    median_critic = alg.median.network if isinstance(alg, BPO) else None
    if is_like(median_critic, checkpoint.get("median_critic_state_dict")):
        networks["median_critic"] = median_critic
    return {name: network for name, network in networks.items() if network is not None}


def _check_parameters(name: str, network: nn.Module, saved: Mapping[str, torch.Tensor], strict: bool) -> None:
    """Refuse parameters of a network with other names, shapes or types."""
    name, own = name.replace("_", " "), network.state_dict()
    unlike = [key for key, value in own.items() if key in saved and saved[key].shape != value.shape]
    if unlike:
        key, more = unlike[0], f" (and {len(unlike) - 1} more)" if len(unlike) > 1 else ""
        there, here = tuple(saved[key].shape), tuple(own[key].shape)
        raise CheckpointError(
            f"it does not fit: {key} of the {name} has shape {there} in it and {here} here{more}, "
            f"because of {_likely_cause(own, key, there, here)}"
        )
    different = sorted(own.keys() ^ saved.keys())
    if strict and different:
        key = different[0]
        raise CheckpointError(
            f"it does not fit: {key} of the {name} is {'not in it' if key in own else 'only in it'}, because of "
            "another class_name, obs_normalization, distribution_cfg, share_cnn_encoders or number of hidden_dims"
        )
    for key, value in saved.items():
        if key in own and value.dtype.is_floating_point != own[key].dtype.is_floating_point:
            raise CheckpointError(f"{key} of the {name} is of type {value.dtype}, not {own[key].dtype}")


def _likely_cause(own: Mapping[str, torch.Tensor], key: str, there: tuple[int, ...], here: tuple[int, ...]) -> str:
    """Guess why a parameter has another shape."""
    layers = [name for name in own if name.startswith("mlp.")]
    inputs = key.startswith(("obs_normalizer.", "state_normalizer.", "rnn.rnn.weight_ih_l0")) or key in layers[:1]
    if inputs and there[:1] == here[:1]:
        return "other observations: it comes from another task or another robot"
    if key.startswith("distribution.") or (key in layers[-2:] and there[1:] == here[1:]):
        return "another number of actions: it comes from another robot"
    return "other hidden_dims (or another task): give both runs the same networks"


def _fit_optimizer(name: str, optimizer: torch.optim.Optimizer, checkpoint: Mapping[str, Any]) -> dict:
    """Return a saved state as the optimizer can load it; refuse one of other parameters or of another optimizer."""
    try:
        state = fit_optimizer_state(optimizer, checkpoint.get(name))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise CheckpointError(f"its {name} is not the state of an optimizer of torch") from None
    for group, saved in zip(optimizer.param_groups, state["param_groups"], strict=True):
        rate = saved["lr"]
        if not isinstance(rate, float) or not math.isfinite(rate) or rate <= 0.0:
            raise CheckpointError(f"the learning rate in its {name} is {rate!r}, which is not a number > 0")
        if not isinstance(saved["params"], list) or len(saved["params"]) != len(group["params"]):
            raise CheckpointError(f"its {name} belongs to networks with another number of parameters")
        for index, param in zip(saved["params"], group["params"], strict=True):
            moments = state["state"].get(index)
            if moments is not None and not _are_moments(moments, optimizer, param):
                raise CheckpointError(
                    f"its {name} is damaged or of another optimizer than {type(optimizer).__name__}: "
                    "without resuming the optimizer it may load"
                )
    return state


def _are_moments(moments: Mapping[Any, Any], optimizer: torch.optim.Optimizer, param: torch.Tensor) -> bool:
    """Return whether an optimizer can go on with the moments that were saved for a parameter."""
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


def _are_random_states(states: Any) -> bool:
    """Try the states on generators that nobody uses."""
    try:
        random.Random().setstate(states["python"])
        np.random.RandomState().set_state(states["numpy"])
        torch.Generator().set_state(states["torch"].cpu())
        cuda = states.get("cuda", torch.zeros(16, dtype=torch.uint8))
        return cuda.dtype == torch.uint8 and cuda.shape == (16,)  # a CUDA generator's seed and offset
    except Exception:  # whatever a damaged state provokes
        return False


def _are_parameters(state: Any) -> bool:
    return isinstance(state, Mapping) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    )


def _is_run(run: Any) -> bool:
    return isinstance(run, dict) and all(_COUNT[0](run.get(name)) for name in ("asked", "end"))


def _is_average(value: Any) -> bool:
    return value is None or (isinstance(value, torch.Tensor) and value.is_floating_point())


_FIRST_RATE: float = inspect.signature(PPO).parameters["learning_rate"].default
_COUNT = integer(0)
_PARAMETERS: Rule = (_are_parameters, "a dictionary of the parameters of a network")
_RULES: dict[str, Rule] = {
    "actor_state_dict": _PARAMETERS,
    "critic_state_dict": _PARAMETERS,
    "median_critic_state_dict": _PARAMETERS,
    "rnd_state_dict": _PARAMETERS,
    "random_states": (_are_random_states, "a set of states of random number generators: it is damaged"),
    "cfg": (lambda value: isinstance(value, dict), "a dictionary"),
    "run": (_is_run, "a dictionary of the integers asked and end, both >= 0"),
    "iter": _COUNT,
    "rnd_update_counter": _COUNT,
    "rnd_average_reward": (_is_average, "a tensor of floating-point numbers"),
}
"""The rules of what is saved beside the states of optimizers, where it is saved."""


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


def _shown(value: Any) -> str:
    """Return a value in few words."""
    return repr(value) if isinstance(value, bool | int | float | str | None) else f"a {type(value).__name__}"
