# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded Policy Optimization: rsl_rl's PPO with the loss of bounded-ratio reinforcement learning."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

import torch
import torch.nn as nn
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from rsl_rl.extensions import resolve_rnd_config, resolve_symmetry_config
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from rsl_rl.utils import compile_model, resolve_callable, resolve_obs_groups, unpad_trajectories
from tensordict import TensorDict

from isaaclab_bpo import brrl
from isaaclab_bpo.storage import BpoRolloutStorage, standardize

from .acceleration import NORMALIZES_IN_UPDATE, DeviceAdam, can_accelerate
from .cuda_graph import CudaGraph, buffers_in_place
from .health import (
    INVALID,
    SKIPPED,
    ObservationGuard,
    RankLostError,
    TrainingDivergedError,
    observation_terms,
    unsound_sources,
)
from .median import fit_optimizer_state, is_like
from .options import CheckedConfiguration, ConfigurationError, check_options, option_errors, ratio_bounds

MAX_LOG_RATIO = 20.0
"""Bound of |log ρ|, far outside any ratio bounds, so that neither ρ nor its logarithm becomes infinite."""

ROWS_ON_CPU = 512
"""How many observations the critic is given at once on the CPU, to evaluate a rollout."""


class BPO(PPO):
    """Bounded Policy Optimization.

    The policy is fitted to the optimum ρ* of the bounded-ratio problem by an advantage-weighted total variation,

        l_BPO = mean( |A| · |ρ - ρ*| ),   ρ* = 1 - ε + 2ε σ((Q̂ - μ)/λ),

    where μ is the median of Q under the old policy; see :meth:`policy_loss`. Everything else is PPO's: collection,
    value loss, entropy bonus, adaptive learning rate, gradient clipping, RND, symmetry, multi-GPU.

    Reference:
        - Ao et al. "Bounded Ratio Reinforcement Learning." arXiv preprint arXiv:2604.18578 (2026).
    """

    median_critic: MLPModel | nn.Linear | None
    """The model of the median μ of Q: a network like the critic, a second output layer of the critic, or None."""

    storage: BpoRolloutStorage
    """The rollout."""

    def __init__(
        self,
        actor: MLPModel,
        critic: MLPModel,
        storage: BpoRolloutStorage,
        median_critic: MLPModel | nn.Linear | None = None,
        *,
        clip_param: float | None = 0.2,
        ratio_lower: float | None = None,
        ratio_upper: float | None = None,
        temperature: float = 0.01,
        median: Literal["critic", "batch", "value"] = "critic",
        median_head: Literal["separate", "shared"] = "separate",
        loss: Literal["atv", "tv", "log_tv", "mse", "kl"] = "atv",
        online_advantage: bool = True,
        online_median: bool = True,
        refresh_targets: bool = True,
        median_temperature: float | None = None,
        median_loss_coef: float = 1.0,
        tv_coef: float = 0.0,
        joint_grad_clipping: bool = False,
        use_clipped_value_loss: bool = False,
        use_mixed_precision: bool = False,
        learning_rate: float = 0.001,
        accelerate: bool | None = None,
        max_consecutive_skips: int = 100,
        observation_terms: Mapping[str, list[tuple[str, int]]] | None = None,
        **ppo_kwargs: Any,
    ) -> None:
        """Initialize the algorithm with models, storage and optimization settings.

        Args:
            actor: Model of the policy.
            critic: Model of the value V.
            storage: Rollout storage.
            median_critic: Model of the median μ, given if and only if ``median`` is "critic".
            clip_param: ε in (0, 1], the ratio bounds are [1 - ε, 1 + ε]; None if the next two set them.
            ratio_lower: Lower ratio bound c_l in [0, 1), together with ``ratio_upper`` and without ``clip_param``.
            ratio_upper: Upper ratio bound c_h > 1. μ is then the quantile of Q at level (c_h - 1)/(c_h - c_l).
            temperature: λ > 0 in units of return, the softness of ρ*.
            median: Estimator of μ: "critic", a network of its own; "batch", V + median of A over the rollout;
                "value", V itself.
            median_head: Whether the median critic is a network of its own, "separate", or a second output layer of the
                critic, "shared".
            loss: Divergence between policy and optimum, a key of :data:`isaaclab_bpo.brrl.POLICY_LOSSES`.
            online_advantage: Whether |A| is |Q̂ - V| with the current V, or the stored (normalized) advantages.
            online_median: Whether ρ* takes μ from the networks as they are at each mini-batch, or as they were when the
                targets were computed. The latter is the median under the policy that collected the rollout, as the
                theory has it, and does not come close to each Q̂ while the critics are fitted to it.
            refresh_targets: Whether V, Q̂ and A are computed anew at the start of every epoch after the first.
            median_temperature: Smoothing T > 0 of the median critic's loss, in units of return. None stands for the
                paper's 1 with ``clip_param``, and for λ with asymmetric bounds, which makes E[ρ*] = 1. With a T far
                above the spread of Q, μ tends to the mean, less T log((1 - level)/level).
            median_loss_coef: Coefficient of the median critic's loss.
            tv_coef: Coefficient of an additional, unweighted total variation mean|ρ - ρ*|.
            joint_grad_clipping: Whether ``max_grad_norm`` bounds the norm of the gradients of all networks together, as
                in the authors' code, or that of each network, as in rsl_rl.
            use_clipped_value_loss: Whether to clip the value loss as PPO does.
            use_mixed_precision: Whether forward passes and losses run in bfloat16 autocast.
            learning_rate: Learning rate.
            accelerate: Whether to take the faster path, which gives the same result up to rounding: V is evaluated once
                per rollout, learning rate and statistics stay on the device, the optimizer is fused, and on CUDA the
                update of a mini-batch is replayed as a CUDA graph. None takes it where it is known to help, on the CPU.
                Recurrent networks, CNNs, RND, symmetry, several GPUs, and optimizers other than Adam do without it.
            max_consecutive_skips: Training stops when as many mini-batches in a row had to be skipped, because a
                gradient was not finite or no transition of the rollout was valid.
            observation_terms: For each observation group, names and sizes of its terms, to name them in errors.
            **ppo_kwargs: Every other argument of :class:`rsl_rl.algorithms.PPO`.

        Raises:
            ValueError: If a hyperparameter is invalid, or ``median`` and ``median_critic`` do not fit.
        """
        ppo_kwargs |= {
            "clip_param": clip_param,
            "learning_rate": learning_rate,
            "use_clipped_value_loss": use_clipped_value_loss,
        }
        problems = option_errors(
            {
                "ratio_lower": ratio_lower,
                "ratio_upper": ratio_upper,
                "temperature": temperature,
                "median": median,
                "median_head": median_head,
                "loss": loss,
                "online_advantage": online_advantage,
                "online_median": online_median,
                "refresh_targets": refresh_targets,
                "median_temperature": median_temperature,
                "median_loss_coef": median_loss_coef,
                "tv_coef": tv_coef,
                "joint_grad_clipping": joint_grad_clipping,
                "use_mixed_precision": use_mixed_precision,
                "accelerate": accelerate,
                "max_consecutive_skips": max_consecutive_skips,
                **ppo_kwargs,
            }
        )
        if problems:
            raise ConfigurationError(" ".join(problems))
        if (median == "critic") != (median_critic is not None):
            raise ValueError(f"median={median!r} {'needs' if median == 'critic' else 'takes no'} median_critic.")

        super().__init__(actor, critic, storage, **ppo_kwargs)
        self.use_mixed_precision = use_mixed_precision
        self.transition = BpoRolloutStorage.Transition()

        self.bounds = ratio_bounds(clip_param, ratio_lower, ratio_upper)
        self.temperature = temperature
        self.median = median
        self.median_head = median_head
        self.loss = loss
        self.online_advantage = online_advantage
        self.online_median = online_median
        self.refresh_targets = refresh_targets
        if median_temperature is None:
            median_temperature = 1.0 if clip_param is not None else temperature
        self.median_temperature = median_temperature
        self.median_loss_coef = median_loss_coef
        self.tv_coef = tv_coef
        self.joint_grad_clipping = joint_grad_clipping

        self.median_critic = self._raw_median_critic = None
        if median_critic is not None:
            self.median_critic = self._raw_median_critic = median_critic.to(self.device)
            # Encoders shared with the actor are in the optimizer already
            known = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
            self.optimizer.add_param_group(
                {"params": [p for p in median_critic.parameters() if id(p) not in known], "lr": learning_rate}
            )

        if median_critic is not None and not online_median:
            storage.medians = torch.zeros_like(storage.values)

        self.max_consecutive_skips = max_consecutive_skips
        self._guard = ObservationGuard(observation_terms)
        self._consecutive_skips = torch.zeros((), device=self.device)
        self._log: dict[str, Any] = {}
        self._last_values = torch.zeros(storage.num_envs, 1, device=self.device)
        self._graphs: tuple[CudaGraph[dict[str, torch.Tensor]], CudaGraph[None]] | None = None
        self.accelerate = can_accelerate(self, accelerate)
        self._device_adam = DeviceAdam(self.optimizer, learning_rate, self.device) if self.accelerate else None
        max_kl = self.bounds.max_kl
        if self._is_adaptive and 2.0 * self.desired_kl > max_kl and self.gpu_global_rank == 0:
            print(
                f"[INFO] desired_kl {self.desired_kl:g}: PPO's rule lowers the learning rate where the KL divergence "
                f"is above {2.0 * self.desired_kl:g}, but ratios in [{self.bounds.lower:g}, {self.bounds.upper:g}] "
                f"keep it below {max_kl:.2g}, so the rate will hardly go anywhere but up. Set desired_kl below "
                f"{max_kl / 2.0:.2g}, or schedule=fixed."
            )

    def policy_loss(
        self,
        ratio: torch.Tensor,
        returns: torch.Tensor,
        values: torch.Tensor,
        medians: torch.Tensor,
        advantages: torch.Tensor,
    ) -> torch.Tensor:
        """Return the loss of the policy: its divergence from the optimum of the bounded-ratio problem.

        l_BPO = mean( |A| · |ρ - ρ*| ),   ρ* = c_l + (c_h - c_l) σ((Q̂ - μ)/λ)

        Reference: Ao et al., arXiv:2604.18578, Theorem 4.1 (ρ*) and the BPO loss.

        Args:
            ratio: ρ = π(a|s)/π₀(a|s), shape (B,); carries the gradient.
            returns: Q̂, shape (B,).
            values: V, shape (B,).
            medians: μ, shape (B,).
            advantages: The stored, normally normalized advantages, shape (B,).

        Returns:
            Scalar loss.
        """
        with torch.no_grad():
            target_ratio = brrl.target_ratio(returns - medians, self.bounds, self.temperature)
            weights = (returns - values if self.online_advantage else advantages).abs()
        loss = brrl.POLICY_LOSSES[self.loss](ratio, target_ratio, weights)
        if self.tv_coef:
            loss = loss + self.tv_coef * brrl.total_variation(ratio, target_ratio)
        return loss

    @torch.no_grad()
    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions and store transition data.

        Args:
            obs: Observations, batch size (num_envs,).

        Returns:
            Actions, shape (num_envs, num_actions).
        """
        obs, self.transition.valid = self._guard(obs)
        if not self.accelerate:
            # μ is not needed before the update; only a recurrent median critic must see every step to carry its state
            median_critic = self._separate_median_critic()
            if median_critic is not None and median_critic.is_recurrent:
                self.transition.median_hidden_state = median_critic.get_hidden_state()
                median_critic(obs)
            return super().act(obs)
        actions = self.actor(obs, stochastic_output=True)
        self.transition.actions = actions
        self.transition.actions_log_prob = self.actor.get_output_log_prob(actions)
        self.transition.distribution_params = self.actor.output_distribution_params
        self.transition.observations = obs
        # V does not change during collection: compute_returns evaluates it for all steps at once
        self.transition.values = torch.zeros_like(self._last_values)
        return actions

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, torch.Tensor]
    ) -> None:
        """Record one environment step.

        Args:
            obs: Observations after the step, batch size (num_envs,).
            rewards: Rewards, shape (num_envs,).
            dones: 1 where the episode ended, shape (num_envs,).
            extras: Extra information; "time_outs" (num_envs,) marks episodes that ended by time-out.
        """
        if self.rnd or not NORMALIZES_IN_UPDATE:  # else these observations are not looked at before the next step
            obs, _ = self._guard(obs)
        # What rsl_rl logs of this step; update() adds to it
        self._log = extras.get("episode", extras.setdefault("log", {}))  # type: ignore[arg-type, assignment]
        for name in (SKIPPED, INVALID):  # Isaac Lab hands out the same dict until the next reset
            self._log.pop(name, None)
        self.transition.time_outs = extras.get("time_outs")
        super().process_env_step(obs, rewards, dones, extras)
        median_critic = self._separate_median_critic()
        if median_critic is not None:
            median_critic.reset(dones)
            if not NORMALIZES_IN_UPDATE:
                median_critic.update_normalization(obs)

    @torch.no_grad()
    def compute_returns(self, obs: TensorDict) -> None:
        """Compute λ-returns and advantages of the rollout.

        Args:
            obs: Observations after the last step, batch size (num_envs,).
        """
        self._last_obs, _ = self._guard(obs)
        if self.accelerate:
            self._evaluate_values()
            self.storage.bootstrap_time_outs(self.gamma)
        self._evaluate_medians()
        self._evaluate_last_values()
        self._compute_targets()

    def update(self) -> dict[str, float]:
        """Run the optimization epochs over the rollout.

        Returns:
            Means over all mini-batches: the losses of PPO ("value", "surrogate", "entropy", "rnd", "symmetry"),
            "median" (the median critic's loss) and, to watch the ratio constraint and the median, "ratio_deviation"
            (mean |ρ - 1|), "ratio_outside" (fraction of ρ outside the bounds), "above_median" (fraction of Ã > 0),
            "median_deviation" (mean |Q̂ - μ|) and "kl". Mini-batches that had to be skipped do not count.

        Raises:
            TrainingDivergedError: If ``max_consecutive_skips`` mini-batches in a row had to be skipped.
            RankLostError: If another rank has ended.
        """
        try:
            return self._run_epochs()
        except RuntimeError as error:
            if self.is_multi_gpu and (isinstance(error, torch.distributed.DistError) or "peer" in str(error)):
                raise RankLostError(
                    f"Rank {self.gpu_global_rank} of {self.gpu_world_size} ends because another rank has: look for the "
                    "first error in the output of the others."
                ) from error
            raise

    def _run_epochs(self) -> dict[str, float]:
        """Run the optimization epochs; see :meth:`update`."""
        st, num_mini_batches = self.storage, self.num_mini_batches
        train, refresh, make_batches = self._update_mini_batch, self._refresh_targets, st.mini_batch_generator
        if self.actor.is_recurrent or self.critic.is_recurrent:
            make_batches = st.recurrent_mini_batch_generator
        is_compiled = self.actor is not self._raw_actor  # then torch.compile is at work
        use_graphs = self.accelerate and st.rewards.is_cuda and not is_compiled
        if use_graphs:
            self._graphs = self._graphs or self._make_graphs()
            (train, refresh), make_batches = self._graphs, st.mini_batch_indices
        batches = make_batches(num_mini_batches, self.num_learning_epochs)

        if self._device_adam is not None:
            self._device_adam.set_learning_rate(self.learning_rate)
        names, history = [], []
        with brrl.unchecked_values():  # a look at values would make the host wait for the device
            for epoch in range(self.num_learning_epochs):
                if self.refresh_targets and epoch > 0:
                    self._evaluate_last_values()
                    refresh()
                for batch in islice(batches, num_mini_batches):
                    metrics = train(batch)  # type: ignore[arg-type]
                    names = list(metrics)
                    history.append(torch.stack(list(metrics.values())))
        if use_graphs:
            # rsl_rl logs the std of the actor's last distribution, which the replay of a graph does not renew
            with torch.no_grad():
                self._evaluate_actor(st.Batch(observations=self._last_obs))

        if NORMALIZES_IN_UPDATE:
            self._update_normalizers()
        st.clear()
        if self._device_adam is not None:
            self.learning_rate = self._device_adam.learning_rate.item()
        return self._report(names, torch.stack(history))

    def _report(self, names: list[str], history: torch.Tensor) -> dict[str, float]:
        """Log what was skipped, stop if it was too much, and return the means of the mini-batches' statistics.

        Args:
            names: Names of the statistics; the last one is whether the mini-batch was used.
            history: The statistics, shape (mini-batches, len(names)).
        """
        used = history[:, -1:] > 0.0
        means = torch.where(used, history, 0.0).sum(dim=0) / used.sum().clamp(min=1)
        invalid = (~self.storage.valid).sum().float()
        if self.is_multi_gpu:
            torch.distributed.all_reduce(means)
            means /= self.gpu_world_size
            torch.distributed.all_reduce(invalid)
        counts = torch.stack([(~used).sum(), invalid, self._consecutive_skips])
        # One transfer for all statistics of all mini-batches
        *values, _, skipped, num_invalid, consecutive_skips = torch.cat([means, counts]).tolist()
        self._log |= {SKIPPED: skipped, INVALID: num_invalid}
        if consecutive_skips >= self.max_consecutive_skips:
            sources = unsound_sources(self._guard, self.storage.rewards, self._gradient_norms)
            raise TrainingDivergedError(
                f"Training stopped: {consecutive_skips:.0f} mini-batches in a row could not be used, because of NaN, "
                f"infinite or absurdly large values of {' and '.join(sources)}. The networks are those of the last "
                f"mini-batch that was used."
            )
        self._guard.clear()
        return dict(zip(names, values, strict=False))

    def _update_mini_batch(self, batch: RolloutStorage.Batch) -> dict[str, torch.Tensor]:
        """Take one optimizer step and return the statistics of the mini-batch, scalars on the device."""
        original_batch_size = batch.observations.batch_size[0]  # type: ignore[union-attr]
        if self.normalize_advantage_per_mini_batch:
            advantages: torch.Tensor = batch.advantages  # type: ignore[assignment]
            batch.advantages = standardize(advantages, self.is_multi_gpu)
        if self.symmetry:
            self.symmetry.augment_batch(batch, original_batch_size)

        device_type = torch.device(self.device).type
        with torch.amp.autocast_mode.autocast(
            device_type,
            enabled=self.use_mixed_precision,
            dtype=torch.bfloat16,
            cache_enabled=self._graphs is None,  # a graph must hold the casts
        ):
            # Evaluate the current policy, value and median
            self._evaluate_actor(batch)
            actions_log_prob = self.actor.get_output_log_prob(batch.actions)  # type: ignore[arg-type]
            values, medians = self._evaluate_critics(batch)
            # Augmented samples take no part in these
            distribution_params = tuple(p[:original_batch_size] for p in self.actor.output_distribution_params)
            entropy = self.actor.output_entropy[:original_batch_size].mean()
            with torch.no_grad():
                kl = self.actor.get_kl_divergence(batch.old_distribution_params, distribution_params).mean()  # type: ignore

            # Policy
            returns: torch.Tensor = batch.returns  # type: ignore[assignment]
            log_ratio = actions_log_prob - batch.old_actions_log_prob.squeeze(-1)  # type: ignore[union-attr]
            ratio = torch.exp(log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO))
            policy_loss = self.policy_loss(
                ratio,
                returns.squeeze(-1),
                values.detach().squeeze(-1),
                self._target_medians(batch, medians).squeeze(-1),
                batch.advantages.squeeze(-1),  # type: ignore[union-attr]
            )

            # Value
            value_loss = (returns - values).pow(2)
            if self.use_clipped_value_loss:
                old_values: torch.Tensor = batch.values  # type: ignore[assignment]
                clipped = old_values + (values - old_values).clamp(-self.clip_param, self.clip_param)
                value_loss = torch.max(value_loss, (clipped - returns).pow(2))
            value_loss = value_loss.mean()

            loss = policy_loss + self.value_loss_coef * value_loss - self.entropy_coef * entropy

            # Median
            median_loss = None
            if self.median_critic is not None:
                median_loss = brrl.median_loss(returns, medians, self.bounds.level, self.median_temperature)
                loss = loss + self.median_loss_coef * median_loss

            # Extensions
            rnd_loss = self.rnd.compute_loss(batch.observations[:original_batch_size]) if self.rnd else None  # type: ignore
            symmetry_loss = None
            if self.symmetry:
                symmetry_loss = self.symmetry.compute_loss(self.actor, batch, original_batch_size)
                if self.symmetry.use_mirror_loss:
                    loss = loss + self.symmetry.mirror_loss_coeff * symmetry_loss

        used = self._step(loss, rnd_loss, kl)

        with torch.no_grad():
            median_advantages = returns - medians
            metrics = {
                "value": value_loss,
                "surrogate": policy_loss,
                "entropy": entropy,
                "median": median_loss,
                "rnd": rnd_loss,
                "symmetry": symmetry_loss,
                "ratio_deviation": (ratio - 1.0).abs().mean(),
                "ratio_outside": ((ratio < self.bounds.lower) | (ratio > self.bounds.upper)).float().mean(),
                "above_median": (median_advantages > 0.0).float().mean(),
                "median_deviation": median_advantages.abs().mean(),
                "kl": kl,
                "used": used,
            }
            return {name: metric.detach().float() for name, metric in metrics.items() if metric is not None}

    def _evaluate_actor(self, batch: RolloutStorage.Batch) -> None:
        """Let the actor's distribution be that of a mini-batch."""
        if self.accelerate and self.actor is self._raw_actor:
            # What the actor's forward pass does, but for the sample: its check of the std makes the host wait
            latent = self.actor.get_latent(batch.observations)  # type: ignore[arg-type]
            self.actor.distribution.update(self.actor.mlp(latent))  # type: ignore[union-attr]
        else:
            masks, hidden_state = batch.masks, batch.hidden_states[0]
            self.actor(batch.observations, masks=masks, hidden_state=hidden_state, stochastic_output=True)

    def _evaluate_critics(self, batch: RolloutStorage.Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return V and μ of a mini-batch, shape (B, 1); μ carries a gradient only if a critic estimates it."""
        obs, masks, hidden_states = batch.observations, batch.masks, batch.hidden_states
        if isinstance(self.median_critic, nn.Linear):
            if masks is not None and not self.critic.is_recurrent:
                obs = unpad_trajectories(obs, masks)  # type: ignore[arg-type]
            features = self.critic.get_latent(obs, masks, hidden_states[1])  # type: ignore[arg-type]
            *hidden_layers, last_layer = self.critic.mlp
            for layer in hidden_layers:
                features = layer(features)
            return last_layer(features), self.median_critic(features)
        values = self.critic(obs, masks=masks, hidden_state=hidden_states[1])
        median_critic = self._separate_median_critic()
        if median_critic is not None:
            hidden_state = hidden_states[2] if median_critic.is_recurrent else None  # type: ignore[misc]
            return values, median_critic(obs, masks=masks, hidden_state=hidden_state)
        if self.median == "batch":
            return values, values.detach() + self.storage.advantage_median
        return values, values.detach()

    def _target_medians(self, batch: RolloutStorage.Batch, medians: torch.Tensor) -> torch.Tensor:
        """Return the μ that ρ* is to have: the current one, or that of when the targets were computed, shape (B, 1)."""
        if self.online_median:
            return medians.detach()
        values: torch.Tensor = batch.values  # type: ignore[assignment]
        match self.median:
            case "critic":
                stored: torch.Tensor = batch.medians  # type: ignore[attr-defined]
                return torch.cat([stored] * (len(values) // len(stored)))  # symmetry has repeated the rest
            case "batch":
                return values + self.storage.advantage_median
            case _:
                return values

    @property
    def _is_adaptive(self) -> bool:
        """Whether the learning rate follows the KL divergence."""
        return self.desired_kl is not None and self.schedule == "adaptive"

    def _adapt_learning_rate(self, kl: float) -> None:
        """Set the learning rate by PPO's rule: lower it where the KL divergence is too high, raise it where too low.

        All ranks hold the same KL divergence and learning rate, so they agree without a broadcast.
        """
        if kl > self.desired_kl * 2.0:
            self.learning_rate = max(1e-5, self.learning_rate / 1.5)
        elif 0.0 < kl < self.desired_kl / 2.0:
            self.learning_rate = min(1e-2, self.learning_rate * 1.5)
        for param_group in self.optimizer.param_groups:
            param_group["lr"] = self.learning_rate

    def _step(self, loss: torch.Tensor, rnd_loss: torch.Tensor | None, kl: torch.Tensor) -> torch.Tensor:
        """Backpropagate, reduce and clip the gradients, and take one step of each optimizer if all is finite.

        Returns:
            Whether the step was taken, a scalar on the device.
        """
        self.optimizer.zero_grad()
        loss.backward()
        if self.rnd:
            self.rnd.optimizer.zero_grad()
            rnd_loss.backward()  # type: ignore[union-attr]
        if self.is_multi_gpu:
            self.reduce_parameters()
        self._gradient_norms = self._clip_gradients()
        if self.rnd:
            gradients = [p.grad for p in self.rnd.predictor.parameters() if p.grad is not None]
            self._gradient_norms["RND predictor"] = nn.utils.get_total_norm(gradients)
        used = self._is_usable(self._gradient_norms)
        self._consecutive_skips.add_(1.0).mul_(~used)
        if self._device_adam is not None:
            if self._is_adaptive:
                self._device_adam.adapt_learning_rate(kl, self.desired_kl)
            self._device_adam.step(used)
        else:
            kl = kl.clone()
            if self.is_multi_gpu:
                torch.distributed.all_reduce(kl, op=torch.distributed.ReduceOp.SUM)
                kl /= self.gpu_world_size
            # The only read of the mini-batch; PPO has one of the KL divergence and of every loss
            kl_divergence, is_used = torch.stack([kl, used]).tolist()
            if self._is_adaptive:
                self._adapt_learning_rate(kl_divergence)
            if is_used:
                self.optimizer.step()
                if self.rnd:
                    self.rnd.optimizer.step()
        self._keep_std_in_range()
        return used

    def _clip_gradients(self) -> dict[str, torch.Tensor]:
        """Scale gradients down to ``max_grad_norm``, and return the norm that each network's had, by its name."""
        networks = self._parameters()
        norms = {
            name: nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            for name, parameters in networks.items()
        }
        joint_norm = torch.stack(list(norms.values())).norm()
        for name, parameters in networks.items():
            norm = joint_norm if self.joint_grad_clipping else norms[name]
            nn.utils.clip_grads_with_norm_(parameters, self.max_grad_norm, norm)
        return norms

    def _is_usable(self, gradient_norms: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return whether to step: all gradients are finite, and the rollout has a valid transition."""
        has_valid = self.storage.valid.any().float()
        if self.is_multi_gpu:  # one of any rank is enough; the gradients are the same by now
            torch.distributed.all_reduce(has_valid, op=torch.distributed.ReduceOp.MAX)
        return torch.stack(list(gradient_norms.values())).isfinite().all() & (has_valid > 0.0)

    def _keep_std_in_range(self) -> None:
        """Clamp the parameter of the action std: rsl_rl clamps its value, without a gradient that leads it back."""
        std = getattr(self._raw_actor.distribution, "std_param", None)
        if std is not None:
            std.data.clamp_(*self._raw_actor.distribution.std_range)  # type: ignore[union-attr]

    @torch.no_grad()
    def _refresh_targets(self) -> None:
        """Compute V, λ-returns and advantages of the rollout anew with the current critic.

        Rewards keep the time-out bootstrap that they got when they were collected.
        """
        self._evaluate_values()
        self._evaluate_medians()
        self._compute_targets()

    def _evaluate_values(self) -> None:
        """Evaluate the current V on the whole rollout."""
        values = [
            self.critic(batch.observations, masks=batch.masks, hidden_state=batch.hidden_states[1])
            for batch in self._rollout_in_parts()
        ]
        self.storage.values.copy_(torch.cat(values).view_as(self.storage.values))

    def _evaluate_medians(self) -> None:
        """Evaluate the current μ on the whole rollout, if ρ* is to take it from there."""
        if self.storage.medians is not None:
            medians = torch.cat([self._evaluate_critics(batch)[1] for batch in self._rollout_in_parts()])
            self.storage.medians.copy_(medians.view_as(self.storage.medians)).nan_to_num_(0.0, 0.0, 0.0)

    def _rollout_in_parts(self) -> Iterator[RolloutStorage.Batch]:
        """Yield the observations of the rollout, in its order."""
        st = self.storage
        if self.actor.is_recurrent or self.critic.is_recurrent:
            yield from st.recurrent_mini_batch_generator(num_mini_batches=1, num_epochs=1)
        else:
            # On the CPU in parts whose activations stay in the cache
            num_rows = st.values.numel() if st.values.is_cuda else ROWS_ON_CPU
            observations: TensorDict = st.observations.flatten(0, 1)  # type: ignore[assignment]
            for part in observations.split(num_rows):
                yield st.Batch(observations=part)

    @torch.no_grad()
    def _evaluate_last_values(self) -> None:
        """Evaluate the current V on the observations after the last step."""
        hidden_state = self.critic.get_hidden_state()
        self._last_values.copy_(self.critic(self._last_obs)).nan_to_num_(0.0, 0.0, 0.0)
        # The bootstrap must not advance the critic's state
        self.critic.reset(hidden_state=hidden_state)

    def _compute_targets(self) -> None:
        """Compute λ-returns and advantages from the rewards and values of the rollout."""
        level = self.bounds.level if self.median == "batch" else None
        normalize = not self.normalize_advantage_per_mini_batch
        self.storage.compute_targets(self._last_values, self.gamma, self.lam, level, normalize, self.is_multi_gpu)

    def _update_normalizers(self) -> None:
        """Update the observation normalizers with the rollout."""
        obs: TensorDict = self.storage.observations.flatten(0, 1)  # type: ignore[assignment]
        for model in self._models():
            with buffers_in_place(model):
                model.update_normalization(obs)
        if self.rnd:
            self.rnd.update_normalization(obs)

    def _separate_median_critic(self) -> MLPModel | None:
        """Return the median critic if it is a network of its own."""
        return None if isinstance(self.median_critic, nn.Linear) else self.median_critic

    def _models(self) -> list[MLPModel]:
        """Return the networks that the optimizer trains; a median critic that shares the critic's is not one more."""
        models = [self.actor, self.critic, self._separate_median_critic()]
        return [model for model in models if model is not None]

    def _parameters(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of each network that the optimizer trains, by its name."""
        names = ("actor", "critic", "median critic")
        parameters = {name: list(model.parameters()) for name, model in zip(names, self._models(), strict=False)}
        if isinstance(self.median_critic, nn.Linear):
            parameters["critic"] += self.median_critic.parameters()
        return parameters

    def _make_graphs(self) -> tuple[CudaGraph[dict[str, torch.Tensor]], CudaGraph[None]]:
        """Return the update of a mini-batch, given its indices, and the refresh of the targets as CUDA graphs."""

        def update_mini_batch(indices: torch.Tensor) -> dict[str, torch.Tensor]:
            return self._update_mini_batch(self.storage.mini_batch(indices))

        mini_batch_size = self.storage.values.numel() // self.num_mini_batches
        indices = torch.zeros(mini_batch_size, dtype=torch.long, device=self.device)
        return (
            CudaGraph(update_mini_batch, self.device, indices),
            CudaGraph(self._refresh_targets, self.device),
        )

    def train_mode(self) -> None:
        """Set train mode for learnable models."""
        super().train_mode()
        if self.median_critic is not None:
            self.median_critic.train()

    def eval_mode(self) -> None:
        """Set evaluation mode for learnable models."""
        super().eval_mode()
        if self.median_critic is not None:
            self.median_critic.eval()

    def save(self) -> dict:
        """Return a dict of all models, and of the state of the process, for saving."""
        saved_dict = super().save()
        if self._device_adam is not None:
            saved_dict["optimizer_state_dict"] = self._device_adam.plain_state()
        if self._raw_median_critic is not None:
            saved_dict["median_critic_state_dict"] = self._raw_median_critic.state_dict()
        return saved_dict

    def load(self, loaded_dict: dict, load_cfg: dict | None, strict: bool) -> bool:
        """Load models and states from a checkpoint of BPO, or of PPO.

        A checkpoint without a median critic (PPO's, or BPO's with another ``median``) starts it from the critic.

        Args:
            loaded_dict: The checkpoint.
            load_cfg: Which parts to load, see :meth:`rsl_rl.algorithms.PPO.load`; the median critic goes with "critic".
            strict: Whether the state dicts must match exactly.

        Returns:
            Whether the iteration should be loaded, too.

        Raises:
            CheckpointError: If the checkpoint does not fit; nothing of it is loaded then.
        """
        if load_cfg is None or load_cfg.get("optimizer"):
            optimizer_state = fit_optimizer_state(self.optimizer, loaded_dict["optimizer_state_dict"])
            loaded_dict = {**loaded_dict, "optimizer_state_dict": optimizer_state}
        load_iteration = super().load(loaded_dict, load_cfg, strict)
        if self._device_adam is not None:
            self._device_adam.set_learning_rate(self.learning_rate)
            self._device_adam.prepare()
            self._graphs = None  # they hold the addresses of the former state

        if self._raw_median_critic is not None and (load_cfg is None or load_cfg.get("critic")):
            state = loaded_dict.get("median_critic_state_dict")
            if state is None or not is_like(self._raw_median_critic, state):
                print("[INFO] The checkpoint holds no median critic of this kind: it starts from the critic's weights.")
                shared = isinstance(self._raw_median_critic, nn.Linear)
                state = (self._raw_critic.mlp[-1] if shared else self._raw_critic).state_dict()
            self._raw_median_critic.load_state_dict(state, strict=strict)
        return load_iteration

    def compile(self, mode: str | None = None) -> None:
        """Compile all networks with ``torch.compile``.

        Args:
            mode: Mode of ``torch.compile``; None leaves the networks as they are.
        """
        super().compile(mode)
        if self._raw_median_critic is not None:
            self.median_critic = compile_model(self._raw_median_critic, mode)  # type: ignore[assignment]

    def broadcast_parameters(self) -> None:
        """Broadcast the parameters of all networks from rank 0."""
        super().broadcast_parameters()
        if self._raw_median_critic is not None:
            for tensor in self._raw_median_critic.state_dict().values():
                torch.distributed.broadcast(tensor, src=0)

    def reduce_parameters(self) -> None:
        """Average the gradients of all networks over the ranks."""
        super().reduce_parameters()
        if self.median_critic is not None:
            grads = [p.grad for p in self.median_critic.parameters() if p.grad is not None]
            flat = nn.utils.parameters_to_vector(grads)
            torch.distributed.all_reduce(flat, op=torch.distributed.ReduceOp.SUM)
            nn.utils.vector_to_parameters(flat / self.gpu_world_size, grads)

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> BPO:
        """Construct BPO from rsl_rl's runner configuration.

        Args:
            obs: Observations of the environment, batch size (num_envs,).
            env: The environment.
            cfg: Runner configuration, with the keys that rsl_rl's PPO needs. "algorithm" takes BPO's arguments, and the
                median critic is built like "critic".
            device: Device of networks and storage.

        Returns:
            The algorithm.

        Raises:
            ConfigurationError: If anything in the configuration is invalid; names all problems.
        """
        if not isinstance(cfg, CheckedConfiguration):
            check_options(cfg["algorithm"])
        alg_cfg, actor_cfg, critic_cfg = (copy.deepcopy(cfg[name]) for name in ("algorithm", "actor", "critic"))
        alg_class = resolve_callable(alg_cfg.pop("class_name"))

        # The algorithm's extensions and observations
        default_sets = ["actor", "critic"] + (["rnd_state"] if alg_cfg.get("rnd_cfg") is not None else [])
        cfg["obs_groups"] = resolve_obs_groups(obs, cfg["obs_groups"], default_sets)
        alg_cfg = resolve_rnd_config(alg_cfg, obs, cfg["obs_groups"], env)
        alg_cfg = resolve_symmetry_config(alg_cfg, env)
        # rsl_rl 5.4 reads this key of the runner's own configuration
        cfg["algorithm"].setdefault("rnd_cfg", None)

        # The networks
        actor_class = resolve_callable(actor_cfg.pop("class_name"))
        critic_class = resolve_callable(critic_cfg.pop("class_name"))
        actor = actor_class(obs, cfg["obs_groups"], "actor", env.num_actions, **actor_cfg).to(device)
        print(f"Actor Model: {actor}")
        if alg_cfg.pop("share_cnn_encoders", None):
            critic_cfg["cnns"] = actor.cnns

        def make_critic() -> MLPModel:
            # rsl_rl 5.4 models consume their configuration, and shared encoders must not be copied
            model_cfg = {name: value if name == "cnns" else copy.deepcopy(value) for name, value in critic_cfg.items()}
            return critic_class(obs, cfg["obs_groups"], "critic", 1, **model_cfg).to(device)

        critic = make_critic()
        print(f"Critic Model: {critic}")
        median_critic = None
        if alg_cfg.get("median", "critic") == "critic":
            shared = alg_cfg.get("median_head") == "shared"
            num_features: int = critic.mlp[-1].in_features  # type: ignore[assignment]
            median_critic = nn.Linear(num_features, 1).to(device) if shared else make_critic()
            print(f"Median Critic Model: {median_critic}")

        storage = BpoRolloutStorage("rl", env.num_envs, cfg["num_steps_per_env"], obs, [env.num_actions], device)
        alg_cfg |= {"observation_terms": observation_terms(env), "multi_gpu_cfg": cfg["multi_gpu"]}
        alg = alg_class(actor, critic, storage, median_critic, device=device, **alg_cfg)
        alg.compile(cfg.get("torch_compile_mode"))
        return alg
