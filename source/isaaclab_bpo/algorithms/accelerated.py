# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The faster path of BPO: the same result up to rounding, without a host that waits for the device.

V is evaluated once per rollout, learning rate and statistics stay on the device, the optimizer is fused, and on CUDA the
update of a mini-batch is replayed as a CUDA graph.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import torch
from rsl_rl.models import CNNModel, MLPModel
from rsl_rl.storage import RolloutStorage
from rsl_rl.utils import resolve_optimizer
from tensordict import TensorDict
from torch import nn

from isaaclab_bpo.compatibility.rsl_rl import NORMALIZES_IN_UPDATE

from .bpo import BPO, adapted_learning_rate

Outputs = TypeVar("Outputs")


def obstacles(alg_class: type[BPO], actor: MLPModel, critic: MLPModel, settings: Mapping[str, Any]) -> list[str]:
    """Return what of a run cannot take the faster path; empty if all of it can.

    Args:
        alg_class: Class of the algorithm.
        actor: Model of the policy.
        critic: Model of the value V.
        settings: Arguments of rsl_rl's PPO.
    """
    present = {
        "an algorithm class of its own": alg_class is not BPO,
        "recurrent networks": actor.is_recurrent or critic.is_recurrent,
        "CNNs": isinstance(actor, CNNModel) or isinstance(critic, CNNModel),
        "an actor with a forward pass of its own": type(actor).forward is not MLPModel.forward,
        "RND": bool(settings.get("rnd_cfg")),
        "symmetry": bool(settings.get("symmetry_cfg")),
        "several GPUs": settings.get("multi_gpu_cfg") is not None,
        "an optimizer other than Adam": not issubclass(
            resolve_optimizer(settings.get("optimizer", "adam")),  # type: ignore[arg-type]
            torch.optim.Adam,
        ),
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
        self._step_size = self._rate.float()
        self._prepare_optimizer()
        self._graphs: tuple[CudaGraph[dict[str, torch.Tensor]], CudaGraph[None]] | None = None
        self._static_obs: TensorDict | None = None

    @property
    def uses_graphs(self) -> bool:
        """Whether updates are replayed as CUDA graphs; ``torch.compile`` does without them."""
        return self.storage.values.is_cuda and self.actor is self._raw_actor

    @torch.no_grad()
    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions and store transition data; V follows in :meth:`compute_returns`, for all steps at once.

        Args:
            obs: Observations, batch size (num_envs,).

        Returns:
            Actions, shape (num_envs, num_actions).
        """
        obs, self.transition.valid = self.health.blank(obs)
        actions = self.actor(obs, stochastic_output=True)
        self.transition.actions = actions
        self.transition.actions_log_prob = self.actor.get_output_log_prob(actions)
        self.transition.distribution_params = self.actor.output_distribution_params
        self.transition.observations = obs
        self.transition.values = actions.new_zeros(len(actions), 1)
        return actions

    def compute_returns(self, obs: TensorDict) -> None:
        """Compute V, λ-returns and advantages of the rollout.

        Args:
            obs: Observations after the last step, batch size (num_envs,).
        """
        self.evaluate_values()
        self.storage.bootstrap_time_outs(self.gamma)
        super().compute_returns(obs)

    def update(self) -> dict[str, float]:
        """Run the optimization epochs over the rollout, see :meth:`BPO.update`."""
        self._set_rate(self.learning_rate)
        if self.uses_graphs:  # which read the same memory in every update
            self._static_obs = self._last_obs.clone() if self._static_obs is None else self._static_obs
            self._last_obs = self._static_obs.update_(self._last_obs)
            self._graphs = self._graphs or self._make_graphs()
        with buffers_in_place(self.actor, self.critic, *self.median.models):
            statistics = super().update()
        self.learning_rate = self._rate.item()
        if self.uses_graphs:
            # rsl_rl logs the std of the actor's last distribution, which the replay of a graph does not renew
            with torch.no_grad():
                self.evaluate_actor(RolloutStorage.Batch(observations=self._last_obs))
        return statistics

    def mini_batches(self) -> Iterator[Any]:
        """Return the mini-batches of all epochs, or for graphs the indices of their transitions, shape (B,)."""
        if not self.uses_graphs:
            return super().mini_batches()
        size = self.storage.values.numel() // self.num_mini_batches
        indices = torch.randperm(size * self.num_mini_batches, device=self.device)
        return (part for _ in range(self.num_learning_epochs) for part in indices.split(size))

    def refresh_targets(self) -> None:
        """Compute V, λ-returns and advantages of the rollout anew with the current critic."""
        return super().refresh_targets() if self._graphs is None else self._graphs[1]()

    def update_mini_batch(self, batch: Any) -> dict[str, torch.Tensor]:
        """Take one optimizer step on a mini-batch, or with graphs on the transitions of some indices."""
        return super().update_mini_batch(batch) if self._graphs is None else self._graphs[0](batch)

    def evaluate_actor(self, batch: RolloutStorage.Batch) -> None:
        """Let the actor's distribution be that of a mini-batch; no sample is drawn, which would make the host wait."""
        if self.actor is not self._raw_actor:  # compiled
            return super().evaluate_actor(batch)
        latent = self.actor.get_latent(batch.observations)  # type: ignore[arg-type]
        self.actor.distribution.update(self.actor.mlp(latent))  # type: ignore[union-attr]

    def apply_gradients(self, usable: torch.Tensor, kl: torch.Tensor) -> None:
        """Adapt the learning rate to the KL divergence, and step if it is usable; the device decides both."""
        if self.is_adaptive:
            self._set_rate(adapted_learning_rate(self._rate, kl, self.desired_kl))
        # What torch's gradient scaler tells a fused step
        self.optimizer.found_inf = (~usable).float()  # type: ignore[attr-defined]
        self.optimizer.step()

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

    def _set_rate(self, learning_rate: torch.Tensor | float) -> None:
        self._rate.fill_(learning_rate)
        self._step_size.fill_(learning_rate)

    def _make_graphs(self) -> tuple[CudaGraph[dict[str, torch.Tensor]], CudaGraph[None]]:
        """Return the update of a mini-batch, given its indices, and the refresh of the targets as CUDA graphs."""
        update, refresh = super().update_mini_batch, super().refresh_targets
        size = self.storage.values.numel() // self.num_mini_batches
        indices = torch.zeros(size, dtype=torch.long, device=self.device)
        return (
            CudaGraph(lambda indices: update(self.storage.mini_batch(indices)), self.device, indices),
            CudaGraph(refresh, self.device),
        )


class CudaGraph(Generic[Outputs]):
    """A function on the GPU that runs as usual a few times, is then captured, and from then on replayed.

    Every call has the function's effect exactly once: the first calls are real ones, and a capture only records. The
    function must read and write the same tensors every time, and must not wait for the device. The outputs are
    overwritten by the next call.
    """

    WARM_UP_CALLS = 3
    """Calls before the capture, in which libraries and optimizers allocate what they keep."""

    def __init__(self, function: Callable[..., Outputs], device: torch.device | str, *inputs: torch.Tensor) -> None:
        """Prepare to capture a function.

        Args:
            function: The function, called with ``inputs``.
            device: The GPU on which it works, whichever the current one is.
            *inputs: Tensors of the shape, type and device of the function's arguments; they will hold the arguments.
        """
        self._function = function
        self._inputs = inputs
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._num_calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._outputs: Outputs

    def __call__(self, *arguments: torch.Tensor) -> Outputs:
        """Run the function once, with the arguments copied into the inputs."""
        for tensor, argument in zip(self._inputs, arguments, strict=True):
            tensor.copy_(argument)
        self._num_calls += 1
        if self._num_calls <= self.WARM_UP_CALLS:
            # Captures take place on a stream of their own, and so must what prepares them
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._stream):
                self._outputs = self._function(*self._inputs)
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            return self._outputs
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            # thread_local: a simulator's threads may allocate memory meanwhile
            capture = torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
            with _no_garbage_collection(), capture:
                self._outputs = self._function(*self._inputs)
            self._graph = graph
        self._graph.replay()
        return self._outputs


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect garbage now and not before the end: to destroy another graph is forbidden during a capture."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def buffers_in_place(*modules: nn.Module) -> Iterator[None]:
    """Let modules' buffers keep their memory, which a graph reads, while something assigns new ones.

    Args:
        *modules: The modules; rsl_rl's observation normalizers, for example, assign a new standard deviation.
    """
    before = [dict(module.named_buffers()) for module in modules]
    yield
    for module, old in zip(modules, before, strict=True):
        for name, buffer in module.named_buffers():
            if buffer is not old[name]:
                owner, _, attribute = name.rpartition(".")
                setattr(module.get_submodule(owner), attribute, old[name].copy_(buffer))
