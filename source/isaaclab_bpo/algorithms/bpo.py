# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded Policy Optimization: rsl_rl's PPO with the loss of bounded-ratio reinforcement learning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch.nn import functional

from isaaclab_bpo import brrl
from isaaclab_bpo.compatibility.rsl_rl import NORMALIZES_IN_UPDATE, clamp_std_parameter, reduce_gradients_in_buckets
from isaaclab_bpo.compatibility.training_state import restore_training_state, training_state
from isaaclab_bpo.models import clip_gradients, kl_divergence
from isaaclab_bpo.storage import BpoRolloutStorage, standardize
from isaaclab_bpo.storage.collectives import all_reduce, lost_rank_reported

from .health import Health
from .median import MedianEstimator
from .options import BpoOptions, ConfigurationError
from .ppo import PPO

MAX_LOG_RATIO = 20.0
"""Bound of |log ρ|, far outside any ratio bounds, so that neither ρ nor its logarithm becomes infinite."""

ROWS_ON_CPU = 256
"""How many observations the critic is given at once on the CPU: their activations stay in the cache."""


class BPO(PPO):
    """Bounded Policy Optimization.

    The policy is fitted to the optimum ρ* of the bounded-ratio problem by an advantage-weighted total variation,

        l_BPO = mean( |A| · |ρ - ρ*| ),   ρ* = 1 - ε + 2ε σ((Q̂ - μ)/λ),

    where μ is the median of Q under the old policy; see :meth:`policy_loss`. Everything else is PPO's: collection,
    value loss, entropy bonus, adaptive learning rate, gradient clipping, RND, symmetry, multi-GPU.

    Reference:
        - Ao et al. "Bounded Ratio Reinforcement Learning." arXiv preprint arXiv:2604.18578 (2026).
    """

    storage: BpoRolloutStorage
    """The rollout."""

    def __init__(
        self,
        actor: MLPModel,
        critic: MLPModel,
        storage: BpoRolloutStorage,
        median: MedianEstimator,
        options: BpoOptions,
        use_mixed_precision: bool = False,
        **ppo_settings: Any,
    ) -> None:
        """Initialize the algorithm with models, storage and optimization settings.

        Args:
            actor: Model of the policy.
            critic: Model of the value V.
            storage: Rollout storage.
            median: Estimator of μ, on the device of the networks.
            options: The options of BPO, which :func:`~isaaclab_bpo.algorithms.options.check_options` accepts.
            use_mixed_precision: Whether forward passes and losses run in bfloat16 autocast.
            **ppo_settings: Every other argument of :class:`rsl_rl.algorithms.PPO`.
        """
        for name in ("clip_param", "use_clipped_value_loss", "adam_eps", "reshuffle"):
            ppo_settings[name] = getattr(options, name)
        super().__init__(actor, critic, storage, **ppo_settings)
        self.use_mixed_precision = use_mixed_precision
        self.transition = BpoRolloutStorage.Transition()
        self.options, self.median = options, median
        epsilon, limits = options.clip_param, (options.ratio_lower, options.ratio_upper)
        self.bounds = brrl.RatioBounds(*limits) if epsilon is None else brrl.RatioBounds.symmetric(epsilon)  # type: ignore
        # Smoothed by the λ of asymmetric bounds, the median loss makes E[ρ*] = 1; the paper's smoothing is 1
        self.median_temperature = options.median_temperature or (options.temperature if epsilon is None else 1.0)
        self.health = Health(options.max_consecutive_skips, self.device)
        self.is_recurrent = actor.is_recurrent or critic.is_recurrent
        self.desired_kl = options.desired_kl or self.bounds.desired_kl
        self._last_obs = TensorDict({})
        self._names: list[str] = []

        self.networks = {"actor": list(actor.parameters()), "critic": list(critic.parameters())}
        """The parameters whose gradients are clipped together, by the name of their network."""
        if median.network is not None:
            self.networks.setdefault(median.clipped_with, []).extend(median.parameters())
            self.optimizer.add_param_group({"params": median.parameters(), "lr": self.learning_rate})
        if self.schedule == "adaptive" and 2.0 * self.desired_kl > self.bounds.max_kl and self.gpu_global_rank == 0:
            print(
                f"[INFO] desired_kl {self.desired_kl:g}: PPO's rule lowers the learning rate where the KL divergence "
                f"is above {2.0 * self.desired_kl:g}, but the ratio bounds keep it below {self.bounds.max_kl:.2g}, so "
                f"the rate will hardly go anywhere but up. Set it to null, for {self.bounds.desired_kl:.2g}."
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

        Reference: Ao et al., arXiv:2604.18578, Theorem 4.1 (ρ*) and the BPO loss; see :func:`brrl.bpo_loss`.

        Args:
            ratio: ρ = π(a|s)/π₀(a|s), shape (B,); carries the gradient.
            returns: Q̂, shape (B,).
            values: V, shape (B,).
            medians: μ, shape (B,).
            advantages: The stored, normally normalized advantages, shape (B,).

        Returns:
            Scalar loss.
        """
        if self.options.online_advantage:
            advantages = returns - values
        options = self.options
        return brrl.bpo_loss(ratio, returns - medians, advantages, self.bounds, options.temperature, options.loss)

    # Collection

    @torch.no_grad()
    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions, shape (num_envs, num_actions), and store transition data."""
        obs, self.transition.valid = self.health.blank(obs)
        self.transition.median_hidden_state = self.median.observe(obs)
        return super().act(obs)

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> None:
        """Record one environment step; in ``extras``, "time_outs" (num_envs,) marks episodes that ended by time-out."""
        if self.rnd or not NORMALIZES_IN_UPDATE:  # else these observations are not looked at before the next step
            obs, _ = self.health.blank(obs)
        if self.storage.step + 1 == self.storage.num_transitions_per_env:  # rsl_rl's logger takes it after the update
            log = extras["episode"] if "episode" in extras else extras.setdefault("log", {})
            log.update(self.health.log | log)  # an environment may hand out one dict for many steps
        self.transition.time_outs = extras.get("time_outs")
        super().process_env_step(obs, rewards, dones, extras)
        for model in self.median.models:
            model.reset(dones)
            if not NORMALIZES_IN_UPDATE:
                model.update_normalization(obs)

    @torch.no_grad()
    def compute_returns(self, obs: TensorDict) -> None:
        """Compute λ-returns and advantages of the rollout, given the observations after its last step."""
        self._last_obs, _ = self.health.blank(obs)
        self.compute_targets()

    # Update

    def update(self) -> dict[str, float]:
        """Run the optimization epochs over the rollout.

        Returns:
            Means over all mini-batches that were used: the losses of PPO ("value", "surrogate", "entropy", "rnd",
            "symmetry") and of the median critic, "median". :data:`.health.DIAGNOSTICS` go to the log.

        Raises:
            ConfigurationError: If there are more mini-batches than there is something for.
            TrainingDivergedError: If ``max_consecutive_skips`` mini-batches in a row had to be skipped.
            RankLostError: If another rank has ended.
        """
        st = self.storage
        of_rollout, of_envs = (st.dones.numel(), "samples of a rollout"), (st.num_envs, "environments")
        samples, unit = of_envs if self.is_recurrent else of_rollout  # rsl_rl deals out whole environments
        if (n := self.num_mini_batches) > samples:
            raise ConfigurationError(f"num_mini_batches={n} is not valid: it must be at most {samples}, the {unit}.")
        history: list[torch.Tensor] = []
        batches = self.mini_batches()
        for epoch in range(self.num_learning_epochs):
            if self.options.refresh_targets and epoch > 0:
                self.refresh_targets()
            history += map(self.update_mini_batch, islice(batches, self.num_mini_batches))
        means = statistics_of(history, self._names, self.bounds)
        losses = self.health.report(*means, st, self.is_multi_gpu)
        if NORMALIZES_IN_UPDATE and self.health.num_valid:
            obs: TensorDict = st.observations.flatten(0, 1)  # type: ignore[assignment]
            if self.health.num_invalid:
                obs = obs[st.valid.flatten()] if st.valid.any() else obs[:1]
            with lost_rank_reported():
                for model in (self.actor, self.critic, *self.median.models, *([self.rnd] if self.rnd else [])):
                    model.update_normalization(obs)
        st.clear()
        return losses

    def mini_batches(self) -> Iterator[Any]:
        """Return the mini-batches of all epochs: shuffled transitions, or trajectories."""
        if self.is_recurrent:
            return self.storage.recurrent_mini_batch_generator(self.num_mini_batches, self.num_learning_epochs)
        return self.storage.mini_batch_generator(self.num_mini_batches, self.num_learning_epochs)

    def refresh_targets(self) -> None:
        """Compute V, λ-returns and advantages of the rollout anew with the current critic.

        Rewards keep the time-out bootstrap that they got when they were collected.
        """
        self.evaluate_values()
        self.compute_targets()

    @torch.no_grad()
    def evaluate_values(self) -> None:
        """Evaluate the current V on the whole rollout."""
        st = self.storage
        if self.is_recurrent:
            batches = st.recurrent_mini_batch_generator(num_mini_batches=1, num_epochs=1)
        else:
            obs: TensorDict = st.observations.flatten(0, 1)  # type: ignore[assignment]
            parts = obs.split(len(obs) if st.values.is_cuda else ROWS_ON_CPU)
            batches = (st.Batch(observations=part) for part in parts)
        values = [self.critic(b.observations, masks=b.masks, hidden_state=b.hidden_states[1]) for b in batches]
        st.values.copy_(torch.cat(values).view_as(st.values))

    @torch.no_grad()
    def compute_targets(self) -> None:
        """Compute λ-returns and advantages from the rewards and values of the rollout."""
        hidden_state = self.critic.get_hidden_state()
        last_values = self.critic(self._last_obs).nan_to_num(0.0, 0.0, 0.0)
        self.critic.reset(hidden_state=hidden_state)  # the bootstrap must not advance the critic's state
        bounds = self.bounds if self.median.of_rollout else None
        normalize = not self.normalize_advantage_per_mini_batch
        self.storage.compute_targets(
            last_values, self.gamma, self.lam, bounds, self.options.temperature, normalize, self.is_multi_gpu
        )
        self.health.count_valid(self.storage, self.is_multi_gpu)

    def update_mini_batch(self, batch: Any) -> torch.Tensor:
        """Take one optimizer step on a mini-batch and return a vector on the device, for :func:`statistics_of`."""
        num_samples = batch.observations.batch_size[0]  # type: ignore[union-attr]
        if self.normalize_advantage_per_mini_batch:
            batch.advantages = standardize(batch.advantages, self.is_multi_gpu)  # type: ignore[arg-type]
        if self.symmetry:
            self.symmetry.augment_batch(batch, num_samples)
        with torch.autocast(torch.device(self.device).type, enabled=self.use_mixed_precision, dtype=torch.bfloat16):
            loss, statistics, samples = self.losses(batch, num_samples)
            rnd_loss = self.rnd.compute_loss(batch.observations[:num_samples]) if self.rnd else None  # type: ignore
        if rnd_loss is not None:
            statistics["rnd"] = rnd_loss
        statistics["used"] = self.take_step(loss, rnd_loss, statistics["kl"])
        self._names = list(statistics)
        scalars = torch.stack([statistic.detach().float() for statistic in statistics.values()])
        return torch.cat([*(sample.detach().float().flatten() for sample in samples), scalars])

    def losses(
        self, batch: RolloutStorage.Batch, num_samples: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Return the loss of the networks on a mini-batch, its parts by their names, and ρ and Ã of the samples.

        Its first ``num_samples`` samples are not symmetry's, which take no part in entropy and KL divergence.
        """
        returns: torch.Tensor = batch.returns  # type: ignore[assignment]
        log_ratio = self.evaluate_actor(batch) - batch.old_actions_log_prob.squeeze(-1)  # type: ignore[union-attr]
        ratio = functional.hardtanh(log_ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO).exp()  # a clamp, but with a fast gradient
        values, medians = self.median.evaluate(self.critic, batch)
        old_values = batch.values if self.use_clipped_value_loss else None
        critics = (returns, values.detach(), medians.detach(), batch.advantages)
        with torch.set_grad_enabled(self.entropy_coef != 0.0):
            entropy = self.actor.output_entropy[:num_samples].mean()
        statistics = {
            "value": brrl.value_loss(values, returns, old_values, self.clip_param),
            "surrogate": self.policy_loss(ratio, *(x.squeeze(-1) for x in critics)),  # type: ignore[union-attr]
            "entropy": entropy,
        }
        loss = statistics["surrogate"].add(statistics["value"], alpha=self.value_loss_coef)
        if self.entropy_coef:
            loss = loss.sub(entropy, alpha=self.entropy_coef)
        if self.median.network is not None:
            statistics["median"] = brrl.median_loss(returns, medians, self.bounds.level, self.median_temperature)
            loss = loss.add(statistics["median"], alpha=self.options.median_loss_coef)
        if self.symmetry:
            statistics["symmetry"] = self.symmetry.compute_loss(self.actor, batch, num_samples)
            if self.symmetry.use_mirror_loss:
                loss = loss + self.symmetry.mirror_loss_coeff * statistics["symmetry"]
        with torch.no_grad():
            new = tuple(parameters[:num_samples] for parameters in self.actor.output_distribution_params)
            statistics["kl"] = kl_divergence(self.actor.distribution, batch.old_distribution_params, new).mean()  # type: ignore
        return loss, statistics, (ratio, returns - medians.detach())

    def evaluate_actor(self, batch: RolloutStorage.Batch) -> torch.Tensor:
        """Let the actor's distribution be that of a mini-batch, and return the log-probabilities of its actions."""
        hidden_state = batch.hidden_states[0]
        self.actor(batch.observations, masks=batch.masks, hidden_state=hidden_state, stochastic_output=True)
        return self.actor.get_output_log_prob(batch.actions)  # type: ignore[arg-type]

    def take_step(self, loss: torch.Tensor, rnd_loss: torch.Tensor | None, kl: torch.Tensor) -> torch.Tensor:
        """Backpropagate, reduce and clip the gradients, and take one step of each optimizer if all is finite.

        Returns:
            1 if the step was taken, else 0: a scalar on the device.
        """
        self.optimizer.zero_grad()
        loss.backward()
        if self.rnd:
            self.rnd.optimizer.zero_grad()
            rnd_loss.backward()  # type: ignore[union-attr]
        if self.is_multi_gpu:
            self.reduce_parameters()
        norms = clip_gradients(self.networks.values(), self.max_grad_norm, self.options.joint_grad_clipping)
        if self.rnd:
            norms = torch.cat([norms, clip_gradients([self.rnd.predictor.parameters()], math.inf, joint=False)])
        usable = self.health.is_usable([*self.networks, "RND predictor"], norms).float()
        self.apply_gradients(usable, kl)
        clamp_std_parameter(self._raw_actor)
        return usable

    def apply_gradients(self, usable: torch.Tensor, kl: torch.Tensor) -> None:
        """Adapt the learning rate to the KL divergence of all ranks, which hence agree, and step if it is usable."""
        if self.is_multi_gpu:
            kl = all_reduce(kl.clone()) / self.gpu_world_size
        # The only read of the mini-batch; PPO has one of the KL divergence and of every loss
        kl_divergence, is_usable = torch.stack([kl, usable]).tolist()
        if self.schedule == "adaptive":
            self.learning_rate = brrl.adapted_learning_rate(self.learning_rate, kl_divergence, self.desired_kl)
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate
        if is_usable:
            self.optimizer.step()
            if self.rnd:
                self.rnd.optimizer.step()

    # Checkpoints, compilation, several GPUs

    def save(self) -> dict:
        """Return a dict of all models, and of the state of the process, for saving."""
        saved_dict = {**super().save(), **training_state(self)}
        if self.median.network is not None:
            saved_dict["median_critic_state_dict"] = self.median.network.state_dict()
        return saved_dict

    def load(self, loaded_dict: dict, load_cfg: dict | None, strict: bool) -> bool:
        """Load models and states from a checkpoint of BPO, or of PPO, see :meth:`rsl_rl.algorithms.PPO.load`.

        The median critic goes with "critic". Without one in the checkpoint it starts from the critic's weights.
        """
        load_iteration = super().load(loaded_dict, load_cfg, strict)
        if load_cfg is None or load_cfg.get("rnd"):
            restore_training_state(self, loaded_dict)
        if load_cfg is None or load_cfg.get("critic"):
            self.median.load(loaded_dict.get("median_critic_state_dict"), self._raw_critic, strict)
        return load_iteration

    def compile(self, mode: str | None = None) -> None:
        """Compile all networks with a mode of ``torch.compile``; None leaves them as they are."""
        super().compile(mode)
        self.median.compile(mode)

    def broadcast_parameters(self) -> None:
        """Broadcast the parameters of all networks from rank 0."""
        super().broadcast_parameters()
        for tensor in self.median.network.state_dict().values() if self.median.network is not None else ():
            torch.distributed.broadcast(tensor, src=0)

    def reduce_parameters(self) -> None:
        """Average the gradients of all networks over the ranks."""
        with lost_rank_reported():
            super().reduce_parameters()
            bucket_mb = getattr(self, "grad_reduce_bucket_mb", math.inf)  # rsl_rl 5.4 has no bound
            reduce_gradients_in_buckets(self.median.parameters(), self.gpu_world_size, bucket_mb)


def statistics_of(history: list[torch.Tensor], names: list[str], bounds: brrl.RatioBounds) -> tuple[list, torch.Tensor]:
    """Return names and values, shape (mini-batches, names), of all statistics; those of samples are computed here.

    Args:
        history: Of each mini-batch ρ and Ã of its B samples and then the values of ``names``, shape (2 B + names,).
        names: Names of the statistics that are known; the last one is whether the mini-batch was used.
        bounds: Bounds of the ratio.
    """
    scalars = torch.stack([row[-len(names) :] for row in history])
    samples = torch.cat([row[: -len(names)].view(2, -1) for row in history], dim=1)
    used = torch.cat([row[-1].expand((len(row) - len(names)) // 2) for row in history])
    ratios, median_advantages = torch.where(used > 0.0, samples, math.nan)
    of_samples = brrl.ratio_statistics(ratios, median_advantages, bounds)
    means = torch.stack(list(of_samples.values())).expand(len(history), -1)
    return [*of_samples, *names], torch.cat([means, scalars], dim=1)
