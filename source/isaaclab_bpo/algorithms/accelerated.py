# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The faster path of BPO: the same result up to rounding, without a host that waits for the device.

V is evaluated once per rollout. Learning rate and statistics stay on the device, and the optimizer is fused. On CUDA
the update of a mini-batch is replayed as a CUDA graph. ``torch.compile`` takes the whole loss, networks included.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from rsl_rl.models import CNNModel, MLPModel
from rsl_rl.storage import RolloutStorage
from rsl_rl.utils import compile_model, resolve_optimizer
from tensordict import TensorDict
from tensordict.nn import CudaGraphModule

from isaaclab_bpo import brrl
from isaaclab_bpo.compatibility.cuda_graphs import graphs_on
from isaaclab_bpo.compatibility.rsl_rl import NORMALIZES_IN_UPDATE, buffers_in_place
from isaaclab_bpo.models import PairedMLPModel, get_latent, log_prob

from .bpo import BPO
from .median import MedianCritic

WARM_UP = 4
"""The call of a function that captures it as a graph; before, libraries and optimizers allocate what they keep."""


def obstacles(alg_class: type[BPO], actor: MLPModel, critic: MLPModel, settings: Mapping[str, Any]) -> list[str]:
    """Return what of a run cannot take the faster path, given its networks and the arguments of rsl_rl's PPO."""
    optimizer: Any = resolve_optimizer(settings.get("optimizer", "adam"))
    present = {
        "an algorithm class of its own": alg_class is not BPO,
        "recurrent networks": actor.is_recurrent or critic.is_recurrent,
        "CNNs": isinstance(actor, CNNModel) or isinstance(critic, CNNModel),
        "an actor with a forward pass of its own": type(actor).forward is not MLPModel.forward,
        "RND": bool(settings.get("rnd_cfg")),
        "symmetry": bool(settings.get("symmetry_cfg")),
        "several GPUs": settings.get("multi_gpu_cfg") is not None,
        "an optimizer other than Adam": not issubclass(optimizer, torch.optim.Adam),
        "rsl_rl < 5.5": not NORMALIZES_IN_UPDATE,  # V at collection depends on the normalizer of the step
    }
    return [name for name, is_present in present.items() if is_present]


class AcceleratedBPO(BPO):
    """BPO on its faster path."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Initialize the algorithm; arguments as for :class:`BPO`, without any of the :func:`obstacles`."""
        super().__init__(*args, **kwargs)
        # In double precision, as Python's numbers are, so that both paths follow the same schedule
        self._rate = torch.tensor(self.learning_rate, dtype=torch.float64, device=self.device)
        # Not a number of Python, whose reciprocal CUDA would multiply by, which rounds differently
        self._factor = torch.full_like(self._rate, 1.5)
        self._step_size = self._rate.float()
        self._prepare_optimizer()
        if isinstance(self.median, MedianCritic) and PairedMLPModel.can_pair(self.critic):
            self.median.pair = PairedMLPModel(self.critic, self.median.model)
        self._graphs: tuple[CudaGraphModule, CudaGraphModule] | None = None
        self._static_obs: TensorDict | None = None

    @property
    def uses_graphs(self) -> bool:
        """Whether updates are replayed as CUDA graphs."""
        return self.storage.values.is_cuda

    @torch.no_grad()
    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions and store transition data; V follows in :meth:`compute_returns`, for all steps at once."""
        obs, self.transition.valid = self.health.blank(obs)
        actions = self.actor(obs, stochastic_output=True)
        self.transition.actions = actions
        self.transition.actions_log_prob = self.actor.get_output_log_prob(actions)
        self.transition.distribution_params = self.actor.output_distribution_params
        self.transition.observations = obs
        self.transition.values = actions.new_zeros(len(actions), 1)
        return actions

    def compute_returns(self, obs: TensorDict) -> None:
        """Compute V, λ-returns and advantages of the rollout."""
        self.evaluate_values()
        self.storage.bootstrap_time_outs(self.gamma)
        super().compute_returns(obs)

    def update(self) -> dict[str, float]:
        """Run the optimization epochs over the rollout, see :meth:`BPO.update`."""
        self._set_rate(self.learning_rate)
        if self.uses_graphs:  # which read the same memory in every update
            self._static_obs = self._last_obs.clone() if self._static_obs is None else self._static_obs
            self._last_obs = self._static_obs.update_(self._last_obs)
        graphs = graphs_on(self.device) if self.uses_graphs else contextlib.nullcontext()
        with graphs, buffers_in_place(self.actor, self.critic, *self.median.models):
            try:
                statistics = super().update()
            finally:
                self.learning_rate = self._rate.item()
        if self.uses_graphs:
            # rsl_rl logs the std of the actor's last distribution, which the replay of a graph does not renew
            with torch.no_grad():
                self.evaluate_actor(RolloutStorage.Batch(observations=self._last_obs, actions=self.storage.actions[-1]))
        return statistics

    def mini_batches(self) -> Iterator[Any]:
        """Return the indices of the transitions of the mini-batches of all epochs, shape (B,) each."""
        size = self.storage.values.numel() // self.num_mini_batches
        shuffles = self.num_learning_epochs if self.options.reshuffle else 1
        orders = [torch.randperm(size * self.num_mini_batches, device=self.device) for _ in range(shuffles)]
        return (part for epoch in range(self.num_learning_epochs) for part in orders[epoch % shuffles].split(size))

    def refresh_targets(self) -> None:
        """Compute V, λ-returns and advantages of the rollout anew with the current critic."""
        return self._make_graphs()[1]() if self.uses_graphs else super().refresh_targets()

    def update_mini_batch(self, batch: torch.Tensor) -> torch.Tensor:
        """Take one optimizer step on a mini-batch, given the indices of its transitions, shape (B,)."""
        if self.uses_graphs:
            return self._make_graphs()[0](batch)
        return super().update_mini_batch(self.storage.mini_batch(batch))

    def evaluate_actor(self, batch: RolloutStorage.Batch) -> torch.Tensor:
        """See :meth:`BPO.evaluate_actor`; no sample is drawn, which would make the host wait."""
        latent = get_latent(self.actor, batch.observations)  # type: ignore[arg-type]
        self.actor.distribution.update(self.actor.mlp(latent))  # type: ignore[union-attr]
        return log_prob(self.actor.distribution, batch.actions)  # type: ignore[arg-type]

    def apply_gradients(self, usable: torch.Tensor, kl: torch.Tensor) -> None:
        """Adapt the learning rate to the KL divergence, and step if it is usable; the device decides both."""
        if self.schedule == "adaptive":
            self._set_rate(brrl.adapted_learning_rate(self._rate, kl, self.desired_kl, self._factor))
        # What torch's gradient scaler tells a fused step
        self.optimizer.found_inf = 1.0 - usable  # type: ignore[attr-defined]
        groups, self.optimizer.param_groups = self.optimizer.param_groups, [self._all_parameters]
        self.optimizer.step()
        self.optimizer.param_groups = groups

    def compile(self, mode: str | None = None) -> None:
        """Compile the loss of a mini-batch with a mode of ``torch.compile``; None leaves it as it is."""
        self.losses = compile_model(super().losses, mode)  # type: ignore[assignment]

    def save(self) -> dict:
        """Return a dict for saving, as :class:`BPO` would."""
        saved_dict = super().save()
        optimizer, plain = saved_dict["optimizer_state_dict"], {"fused": None, "foreach": None, "capturable": False}
        saved_dict["optimizer_state_dict"] = {
            "state": {i: {**values, "step": values["step"].cpu()} for i, values in optimizer["state"].items()},
            "param_groups": [{**group, **plain, "lr": self._rate.item()} for group in optimizer["param_groups"]],
        }
        return saved_dict

    def load(self, loaded_dict: dict, load_cfg: dict | None, strict: bool) -> bool:
        """Load models and states from a checkpoint, see :meth:`BPO.load`."""
        load_iteration = super().load(loaded_dict, load_cfg, strict)
        self._set_rate(self.learning_rate)
        self._prepare_optimizer()
        self._graphs = None  # they hold the addresses of the former state
        return load_iteration

    def _prepare_optimizer(self) -> None:
        """Let the optimizer take fused steps, whose learning rate the device decides."""
        for group in self.optimizer.param_groups:
            group |= {"lr": self._step_size, "fused": True, "foreach": False, "capturable": self._step_size.is_cuda}
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        # For a step in one call; checkpoints keep the median critic's parameters apart
        self._all_parameters = {**self.optimizer.param_groups[0], "params": parameters}

    def _set_rate(self, learning_rate: torch.Tensor | float) -> None:
        self._rate.fill_(learning_rate)
        self._step_size.fill_(learning_rate)

    def _make_graphs(self) -> tuple[CudaGraphModule, CudaGraphModule]:
        """Return the update of a mini-batch, given its indices, and the refresh of the targets as graphs, made once."""
        if self._graphs is None:
            update, refresh = super().update_mini_batch, super().refresh_targets
            functions: tuple[Any, Any] = (lambda indices: update(self.storage.mini_batch(indices)), refresh)
            self._graphs = tuple(CudaGraphModule(function, WARM_UP) for function in functions)  # type: ignore
        return self._graphs  # type: ignore[return-value]
