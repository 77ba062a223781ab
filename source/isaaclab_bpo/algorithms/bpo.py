# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bounded Policy Optimization: rsl_rl's PPO with the loss of bounded-ratio reinforcement learning."""

from __future__ import annotations

import copy
from importlib.metadata import version
from itertools import islice
from typing import Any, Literal

import torch
import torch.nn as nn
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from rsl_rl.extensions import resolve_rnd_config, resolve_symmetry_config
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from rsl_rl.utils import compile_model, resolve_callable, resolve_obs_groups
from tensordict import TensorDict

from isaaclab_bpo import brrl
from isaaclab_bpo.storage import BpoRolloutStorage

from .checkpoint import check_checkpoint, fit_optimizer_state, restore_training_state, training_state
from .configuration import check_configuration
from .hyperparameters import hyperparameter_problems, ratio_bounds

# rsl_rl updates the observation normalizers once per update since 5.5, before that at every environment step.
_NORMALIZES_IN_UPDATE = tuple(map(int, version("rsl-rl-lib").split(".")[:2])) >= (5, 5)


class BPO(PPO):
    """Bounded Policy Optimization.

    The policy is fitted to the optimum ρ* of the bounded-ratio problem by an advantage-weighted total variation,

        l_BPO = mean( |A| · |ρ - ρ*| ),   ρ* = 1 - ε + 2ε σ((Q̂ - μ)/λ),

    where μ is the median of Q under the old policy; see :meth:`policy_loss`. Everything else is PPO's: collection,
    value loss, entropy bonus, adaptive learning rate, gradient clipping, RND, symmetry, multi-GPU.

    Reference:
        - Ao et al. "Bounded Ratio Reinforcement Learning." arXiv preprint arXiv:2604.18578 (2026).
    """

    median_critic: MLPModel | None
    """The model of the median μ of Q; None unless it is estimated by a critic of its own."""

    storage: BpoRolloutStorage
    """The rollout."""

    def __init__(
        self,
        actor: MLPModel,
        critic: MLPModel,
        storage: BpoRolloutStorage,
        median_critic: MLPModel | None = None,
        *,
        clip_param: float | None = 0.2,
        ratio_lower: float | None = None,
        ratio_upper: float | None = None,
        temperature: float = 0.01,
        median: Literal["critic", "batch", "value"] = "critic",
        loss: Literal["atv", "tv", "log_tv", "mse", "kl"] = "atv",
        online_advantage: bool = True,
        refresh_targets: bool = True,
        median_temperature: float | None = None,
        median_loss_coef: float = 1.0,
        tv_coef: float = 0.0,
        use_clipped_value_loss: bool = False,
        use_mixed_precision: bool = False,
        learning_rate: float = 0.001,
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
            loss: Divergence between policy and optimum, a key of :data:`isaaclab_bpo.brrl.POLICY_LOSSES`.
            online_advantage: Whether |A| is |Q̂ - V| with the current V, or the stored (normalized) advantages.
            refresh_targets: Whether V, Q̂ and A are computed anew at the start of every epoch after the first.
            median_temperature: Smoothing T > 0 of the median critic's loss, in units of return. None stands for the
                paper's 1 with ``clip_param``, and for λ with asymmetric bounds, which makes E[ρ*] = 1. With a T far
                above the spread of Q, μ tends to the mean, less T log((1 - level)/level).
            median_loss_coef: Coefficient of the median critic's loss.
            tv_coef: Coefficient of an additional, unweighted total variation mean|ρ - ρ*|.
            use_clipped_value_loss: Whether to clip the value loss as PPO does.
            use_mixed_precision: Whether forward passes and losses run in bfloat16 autocast.
            learning_rate: Learning rate.
            **ppo_kwargs: Every other argument of :class:`rsl_rl.algorithms.PPO`.

        Raises:
            ValueError: If a hyperparameter is invalid, or ``median`` and ``median_critic`` do not fit.
        """
        ppo_kwargs |= {
            "clip_param": clip_param,
            "learning_rate": learning_rate,
            "use_clipped_value_loss": use_clipped_value_loss,
        }
        problems = hyperparameter_problems(
            {
                "ratio_lower": ratio_lower,
                "ratio_upper": ratio_upper,
                "temperature": temperature,
                "median": median,
                "loss": loss,
                "online_advantage": online_advantage,
                "refresh_targets": refresh_targets,
                "median_temperature": median_temperature,
                "median_loss_coef": median_loss_coef,
                "tv_coef": tv_coef,
                "use_mixed_precision": use_mixed_precision,
                **ppo_kwargs,
            }
        )
        if problems:
            raise ValueError(" ".join(problems))
        if (median == "critic") != (median_critic is not None):
            raise ValueError(f"median={median!r} {'needs' if median == 'critic' else 'takes no'} median_critic.")

        super().__init__(actor, critic, storage, **ppo_kwargs)
        self.use_mixed_precision = use_mixed_precision
        self.transition = BpoRolloutStorage.Transition()

        self.bounds = ratio_bounds(clip_param, ratio_lower, ratio_upper)
        self.temperature = temperature
        self.median = median
        self.loss = loss
        self.online_advantage = online_advantage
        self.refresh_targets = refresh_targets
        if median_temperature is None:
            median_temperature = 1.0 if clip_param is not None else temperature
        self.median_temperature = median_temperature
        self.median_loss_coef = median_loss_coef
        self.tv_coef = tv_coef

        self.median_critic = self._raw_median_critic = None
        if median_critic is not None:
            self.median_critic = self._raw_median_critic = median_critic.to(self.device)
            # Encoders shared with the actor are in the optimizer already
            known = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
            self.optimizer.add_param_group(
                {"params": [p for p in median_critic.parameters() if id(p) not in known], "lr": learning_rate}
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

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions and store transition data.

        Args:
            obs: Observations, batch size (num_envs,).

        Returns:
            Actions, shape (num_envs, num_actions).
        """
        # μ is not needed before the update; only a recurrent median critic must see every step to carry its state.
        if self.median_critic is not None and self.median_critic.is_recurrent:
            self.transition.median_hidden_state = self.median_critic.get_hidden_state()  # type: ignore[attr-defined]
            self.median_critic(obs)
        return super().act(obs)

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
        super().process_env_step(obs, rewards, dones, extras)
        if self.median_critic is not None:
            self.median_critic.reset(dones)
            if not _NORMALIZES_IN_UPDATE:
                self.median_critic.update_normalization(obs)

    def compute_returns(self, obs: TensorDict) -> None:
        """Compute λ-returns and advantages of the rollout.

        Args:
            obs: Observations after the last step, batch size (num_envs,).
        """
        self._last_obs = obs
        hidden_state = self.critic.get_hidden_state()
        last_values = self.critic(obs).detach()
        # The bootstrap must not advance the critic's state
        self.critic.reset(hidden_state=hidden_state)
        level = self.bounds.level if self.median == "batch" else None
        normalize = not self.normalize_advantage_per_mini_batch
        self.storage.compute_targets(last_values, self.gamma, self.lam, level, normalize)

    def update(self) -> dict[str, float]:
        """Run the optimization epochs over the rollout.

        Returns:
            Means over all mini-batches: the losses of PPO ("value", "surrogate", "entropy", "rnd", "symmetry"),
            "median" (the median critic's loss) and, to watch the ratio constraint and the median, "ratio_deviation"
            (mean |ρ - 1|), "ratio_outside" (fraction of ρ outside the bounds), "above_median" (fraction of Ã > 0),
            "median_deviation" (mean |Q̂ - μ|) and "kl".
        """
        recurrent = self.actor.is_recurrent or self.critic.is_recurrent
        st = self.storage
        make_batches = st.recurrent_mini_batch_generator if recurrent else st.mini_batch_generator
        batches = make_batches(self.num_mini_batches, self.num_learning_epochs)

        history = []
        with brrl.unchecked_values():  # a look at values would make the host wait for the device
            for epoch in range(self.num_learning_epochs):
                if self.refresh_targets and epoch > 0:
                    self._refresh_targets()
                history += [self._update_mini_batch(batch) for batch in islice(batches, self.num_mini_batches)]

        if _NORMALIZES_IN_UPDATE:
            self._update_normalizers()
        st.clear()
        # One transfer for all statistics of all mini-batches
        means = torch.stack([torch.stack(list(metrics.values())) for metrics in history]).mean(dim=0)
        return dict(zip(history[0], means.tolist(), strict=True))

    def _update_mini_batch(self, batch: RolloutStorage.Batch) -> dict[str, torch.Tensor]:
        """Take one optimizer step and return the statistics of the mini-batch, scalars on the device."""
        original_batch_size = batch.observations.batch_size[0]  # type: ignore[union-attr]
        if self.normalize_advantage_per_mini_batch:
            advantages: torch.Tensor = batch.advantages  # type: ignore[assignment]
            batch.advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        if self.symmetry:
            self.symmetry.augment_batch(batch, original_batch_size)

        device_type = torch.device(self.device).type
        with torch.amp.autocast(device_type, enabled=self.use_mixed_precision, dtype=torch.bfloat16):  # type: ignore
            # Evaluate the current policy, value and median
            self.actor(
                batch.observations, masks=batch.masks, hidden_state=batch.hidden_states[0], stochastic_output=True
            )
            actions_log_prob = self.actor.get_output_log_prob(batch.actions)  # type: ignore[arg-type]
            values = self.critic(batch.observations, masks=batch.masks, hidden_state=batch.hidden_states[1])
            medians = self._compute_medians(batch, values)
            # Augmented samples take no part in these
            distribution_params = tuple(p[:original_batch_size] for p in self.actor.output_distribution_params)
            entropy = self.actor.output_entropy[:original_batch_size].mean()
            with torch.no_grad():
                kl = self.actor.get_kl_divergence(batch.old_distribution_params, distribution_params).mean()  # type: ignore
            self._adapt_learning_rate(kl)

            # Policy
            returns: torch.Tensor = batch.returns  # type: ignore[assignment]
            ratio = torch.exp(actions_log_prob - batch.old_actions_log_prob.squeeze(-1))  # type: ignore[union-attr]
            policy_loss = self.policy_loss(
                ratio,
                returns.squeeze(-1),
                values.detach().squeeze(-1),
                medians.detach().squeeze(-1),
                batch.advantages.squeeze(-1),  # type: ignore[union-attr]
            )

            # Value
            value_loss = (returns - values).pow(2)
            if self.use_clipped_value_loss:
                clipped = batch.values + (values - batch.values).clamp(-self.clip_param, self.clip_param)
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

        self._step(loss, rnd_loss)

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
            }
            return {name: metric.detach().float() for name, metric in metrics.items() if metric is not None}

    def _compute_medians(self, batch: RolloutStorage.Batch, values: torch.Tensor) -> torch.Tensor:
        """Return μ of a mini-batch, shaped like ``values``; carries a gradient only if a critic estimates it."""
        if self.median_critic is not None:
            hidden_state = batch.hidden_states[2] if self.median_critic.is_recurrent else None  # type: ignore
            return self.median_critic(batch.observations, masks=batch.masks, hidden_state=hidden_state)
        if self.median == "batch":
            return values.detach() + self.storage.advantage_median
        return values.detach()

    def _adapt_learning_rate(self, kl: torch.Tensor) -> None:
        """Set the learning rate by PPO's rule: lower it where the KL divergence is too high, raise it where too low."""
        if self.desired_kl is None or self.schedule != "adaptive":
            return
        kl = kl.clone()
        if self.is_multi_gpu:
            torch.distributed.all_reduce(kl, op=torch.distributed.ReduceOp.SUM)
            kl /= self.gpu_world_size
        # All ranks hold the same KL divergence and learning rate, so they agree without a broadcast
        if kl > self.desired_kl * 2.0:
            self.learning_rate = max(1e-5, self.learning_rate / 1.5)
        elif 0.0 < kl < self.desired_kl / 2.0:
            self.learning_rate = min(1e-2, self.learning_rate * 1.5)
        for param_group in self.optimizer.param_groups:
            param_group["lr"] = self.learning_rate

    def _step(self, loss: torch.Tensor, rnd_loss: torch.Tensor | None) -> None:
        """Backpropagate, reduce and clip the gradients, and take one step of each optimizer."""
        self.optimizer.zero_grad()
        loss.backward()
        if self.rnd:
            self.rnd.optimizer.zero_grad()
            rnd_loss.backward()  # type: ignore[union-attr]
        if self.is_multi_gpu:
            self.reduce_parameters()
        for model in self._models():
            nn.utils.clip_grad_norm_(model.parameters(), self.max_grad_norm)
        self.optimizer.step()
        if self.rnd:
            self.rnd.optimizer.step()

    @torch.no_grad()
    def _refresh_targets(self) -> None:
        """Compute V, λ-returns and advantages of the rollout anew with the current critic.

        Rewards keep the time-out bootstrap that they got when they were collected.
        """
        st = self.storage
        if self.actor.is_recurrent or self.critic.is_recurrent:
            batch = next(st.recurrent_mini_batch_generator(num_mini_batches=1, num_epochs=1))
            values = self.critic(batch.observations, masks=batch.masks, hidden_state=batch.hidden_states[1])
        else:
            values = self.critic(st.observations.flatten(0, 1))
        st.values.copy_(values.view_as(st.values))
        self.compute_returns(self._last_obs)

    def _update_normalizers(self) -> None:
        """Update the observation normalizers with the rollout."""
        obs: TensorDict = self.storage.observations.flatten(0, 1)  # type: ignore[assignment]
        for model in self._models():
            model.update_normalization(obs)
        if self.rnd:
            self.rnd.update_normalization(obs)

    def _models(self) -> list[MLPModel]:
        """Return the networks that the optimizer trains."""
        return [self.actor, self.critic] + ([self.median_critic] if self.median_critic is not None else [])

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
        saved_dict = {**super().save(), **training_state(self)}
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
        check_checkpoint(self, loaded_dict, load_cfg, strict)
        if load_cfg is None or load_cfg.get("optimizer"):
            optimizer_state = fit_optimizer_state(self.optimizer, loaded_dict["optimizer_state_dict"])
            loaded_dict = {**loaded_dict, "optimizer_state_dict": optimizer_state}
        load_iteration = super().load(loaded_dict, load_cfg, strict)
        if load_cfg is None or load_cfg.get("rnd"):
            restore_training_state(self, loaded_dict)

        if self._raw_median_critic is not None and (load_cfg is None or load_cfg.get("critic")):
            state = loaded_dict.get("median_critic_state_dict")
            if state is None:
                print("[INFO] The checkpoint holds no median critic: it starts from the critic's weights.")
                state = loaded_dict["critic_state_dict"]
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
        check_configuration(cfg, observations=list(map(str, obs.keys())))
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
        median_critic = make_critic() if alg_cfg.get("median", "critic") == "critic" else None
        if median_critic is not None:
            print(f"Median Critic Model: {median_critic}")

        storage = BpoRolloutStorage("rl", env.num_envs, cfg["num_steps_per_env"], obs, [env.num_actions], device)
        alg = alg_class(actor, critic, storage, median_critic, device=device, **alg_cfg, multi_gpu_cfg=cfg["multi_gpu"])
        alg.compile(cfg.get("torch_compile_mode"))
        return alg
