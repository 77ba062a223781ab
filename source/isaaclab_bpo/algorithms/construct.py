# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From rsl_rl's runner configuration to an algorithm with its networks."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.extensions import resolve_rnd_config, resolve_symmetry_config
from rsl_rl.models import MLPModel
from rsl_rl.utils import resolve_callable, resolve_obs_groups
from tensordict import TensorDict

from isaaclab_bpo.compatibility import rsl_rl
from isaaclab_bpo.compatibility.bfloat16 import cpu_features, lacks_bfloat16
from isaaclab_bpo.models import borrow_encoders
from isaaclab_bpo.storage import BpoRolloutStorage

from .accelerated import AcceleratedBPO, obstacles
from .bpo import BPO
from .median import make_median
from .options import BpoOptions, CheckedConfiguration, check_options


def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> BPO:
    """Construct BPO from rsl_rl's runner configuration, as :meth:`rsl_rl.algorithms.PPO.construct_algorithm` does PPO.

    In it, "algorithm" takes the options of BPO, too, and the median critic is built like "critic". The algorithm is an
    :class:`AcceleratedBPO` where that is asked for and can be.

    Raises:
        ConfigurationError: If an option is invalid and nobody has checked the configuration; names all errors.
    """
    if not isinstance(cfg, CheckedConfiguration):
        check_options(cfg["algorithm"])
    rsl_rl.complete(cfg)
    settings, actor_cfg, critic_cfg = (copy.deepcopy(cfg[name]) for name in ("algorithm", "actor", "critic"))
    alg_class: Any = resolve_callable(settings.pop("class_name"))
    options = BpoOptions(**{o.name: settings.pop(o.name) for o in fields(BpoOptions) if o.name in settings})

    # Observations and extensions
    default_sets = ["actor", "critic"] + (["rnd_state"] if settings.get("rnd_cfg") is not None else [])
    cfg["obs_groups"] = resolve_obs_groups(obs, cfg["obs_groups"], default_sets)
    settings = resolve_symmetry_config(resolve_rnd_config(settings, obs, cfg["obs_groups"], env), env)

    # Networks
    actor_class, critic_class = (resolve_callable(part.pop("class_name")) for part in (actor_cfg, critic_cfg))
    actor = actor_class(obs, cfg["obs_groups"], "actor", env.num_actions, **actor_cfg).to(device)
    print(f"Actor Model: {actor}")
    shared = {"cnns": actor.cnns} if settings.pop("share_cnn_encoders", None) else {}

    def make_critic() -> MLPModel:
        model = critic_class(obs, cfg["obs_groups"], "critic", 1, **copy.deepcopy(critic_cfg), **shared).to(device)
        if shared:
            borrow_encoders(model)
        return model

    critic = make_critic()
    print(f"Critic Model: {critic}")
    storage = BpoRolloutStorage("rl", env.num_envs, cfg["num_steps_per_env"], obs, [env.num_actions], device)
    median = make_median(options, critic, make_critic, storage)
    if median.network is not None:
        print(f"Median Critic Model: {median.network}")

    settings |= {"device": device, "multi_gpu_cfg": cfg["multi_gpu"]}
    alg_class, remarks = _choose_class(alg_class, options, actor, critic, settings)
    for remark in remarks if cfg["multi_gpu"] is None or cfg["multi_gpu"]["global_rank"] == 0 else ():
        print(f"[INFO] {remark}")
    alg: BPO = alg_class(actor, critic, storage, median, options, **settings)
    alg.health.groups = {group for name in default_sets for group in cfg["obs_groups"][name]}
    alg.compile(cfg.get("torch_compile_mode"))
    return alg


def _choose_class(
    alg_class: type[BPO], options: BpoOptions, actor: MLPModel, critic: MLPModel, settings: Mapping[str, Any]
) -> tuple[type[BPO], list[str]]:
    """Return the class of the faster path where that is wanted and can be, and what is to be said about speed."""
    on_cpu, remarks = torch.device(settings["device"]).type == "cpu", []
    if on_cpu and settings.get("use_mixed_precision") and lacks_bfloat16(cpu_features()):
        remarks.append("use_mixed_precision: this CPU has no units for bfloat16, which makes training much slower.")
    if alg_class is AcceleratedBPO:  # named by its own name
        alg_class, options.accelerate = BPO, True
    if options.accelerate:
        if not (present := obstacles(alg_class, actor, critic, settings)):
            return AcceleratedBPO, remarks
        remarks.append(f"accelerate: this run has {' and '.join(present)}, so it takes the plain path.")
    return alg_class, remarks
