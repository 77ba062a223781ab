# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the faster path of BPO needs beside CUDA graphs: whether a run can take it, and Adam without a host."""

from __future__ import annotations

from importlib.metadata import version

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import CNNModel, MLPModel

# rsl_rl updates the observation normalizers once per update since 5.5, before that at every environment step.
NORMALIZES_IN_UPDATE = tuple(map(int, version("rsl-rl-lib").split(".")[:2])) >= (5, 5)


def can_accelerate(alg: PPO, accelerate: bool | None) -> bool:
    """Return whether an algorithm takes the faster path, and say so if it should but cannot.

    Args:
        alg: The algorithm.
        accelerate: Whether it should; None where it is known to help, on the CPU.
    """
    wanted = torch.device(alg.device).type == "cpu" if accelerate is None else accelerate
    obstacles = {
        "recurrent networks": alg.actor.is_recurrent or alg.critic.is_recurrent,
        "CNNs": isinstance(alg.actor, CNNModel) or isinstance(alg.critic, CNNModel),
        "an actor with a forward pass of its own": type(alg.actor).forward is not MLPModel.forward,
        "RND": alg.rnd is not None,
        "symmetry": alg.symmetry is not None,
        "several GPUs": alg.is_multi_gpu,
        "an optimizer other than Adam": not isinstance(alg.optimizer, torch.optim.Adam),
        "rsl_rl < 5.5": not NORMALIZES_IN_UPDATE,  # V at collection depends on the normalizer of the step
    }
    present = [name for name, is_present in obstacles.items() if is_present]
    if wanted and present and alg.gpu_global_rank == 0:
        print(f"[INFO] accelerate: this run has {' and '.join(present)}, so it takes the plain path.")
    return wanted and not present


class DeviceAdam:
    """Lets Adam take fused steps whose learning rate, and whether they are taken at all, the device decides."""

    def __init__(self, optimizer: torch.optim.Optimizer, learning_rate: float, device: str) -> None:
        """Prepare an optimizer.

        Args:
            optimizer: Adam or AdamW.
            learning_rate: The learning rate to start with.
            device: Device of the parameters.
        """
        self._optimizer = optimizer
        # In double precision, as Python's numbers are, so that both paths follow the same schedule
        self.learning_rate = torch.tensor(learning_rate, dtype=torch.float64, device=device)
        # Not a number of Python, whose reciprocal CUDA would multiply by, which rounds differently
        self._factor = torch.full_like(self.learning_rate, 1.5)
        self._step_size = self.learning_rate.float()
        self.prepare()

    def prepare(self) -> None:
        """Prepare the optimizer, anew after it has loaded a state."""
        for group in self._optimizer.param_groups:
            group |= {"lr": self._step_size, "fused": True, "foreach": False, "capturable": self._step_size.is_cuda}

    def set_learning_rate(self, learning_rate: torch.Tensor | float) -> None:
        """Set the learning rate."""
        self.learning_rate.fill_(learning_rate)
        self._step_size.fill_(learning_rate)

    def adapt_learning_rate(self, kl: torch.Tensor, desired_kl: float) -> None:
        """Set the learning rate by PPO's rule: lower it where the KL divergence is too high, raise it where too low.

        Args:
            kl: The KL divergence, a scalar.
            desired_kl: What it should be.
        """
        lower = (self.learning_rate / self._factor).clamp(min=1e-5)
        higher = (self.learning_rate * self._factor).clamp(max=1e-2)
        is_high, is_low = kl > desired_kl * 2.0, (kl > 0.0) & (kl < desired_kl / 2.0)
        self.set_learning_rate(torch.where(is_high, lower, torch.where(is_low, higher, self.learning_rate)))

    def step(self, used: torch.Tensor) -> None:
        """Take a step, or leave parameters and moments as they are.

        Args:
            used: Whether to take it, a scalar.
        """
        # What torch's gradient scaler tells a fused step
        self._optimizer.found_inf = (~used).float()  # type: ignore[attr-defined]
        self._optimizer.step()

    def plain_state(self) -> dict:
        """Return the state of the optimizer as the plain path would save it."""
        state = self._optimizer.state_dict()
        plain = {"lr": self.learning_rate.item(), "fused": None, "foreach": None, "capturable": False}
        return {
            "state": {i: {**values, "step": values["step"].cpu()} for i, values in state["state"].items()},
            "param_groups": [{**group, **plain} for group in state["param_groups"]],
        }
