# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""BPO reproduces updates of the authors' own implementation, recorded in float32 on the CPU.

The environment variable ISAACLAB_BPO_GOLDEN_DIR names another folder of recordings.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tensordict import TensorDict

from isaaclab_bpo.algorithms import BPO

DATA_DIR = Path(os.environ.get("ISAACLAB_BPO_GOLDEN_DIR", Path(__file__).parents[1] / "data" / "golden"))
FILES = sorted(DATA_DIR.glob("*.npz"))

# Their names of losses, and ours
LOSSES = {"value_function": "value", "surrogate": "surrogate", "entropy": "entropy", "median": "median"}
LOSS_NAMES = {"adv_TV": "atv", "TV": "tv"}


def make_bpo(config: dict, obs: TensorDict, accelerate: bool) -> BPO:
    """Build BPO through the road that rsl_rl's runner takes."""
    env = SimpleNamespace(num_envs=config["num_envs"], num_actions=config["num_actions"])
    network = {"class_name": "MLPModel", "hidden_dims": config["hidden"], "activation": "elu"}
    gaussian = {"class_name": "GaussianDistribution", "init_std": config["init_std"]}
    algorithm = {
        "class_name": "isaaclab_bpo.algorithms:BPO",
        "temperature": config["reg_w"],
        "median_loss_coef": config["u_loss_coef"],
        "online_advantage": config["online_adv"],
        "median": "critic" if config["use_median"] else "value",
        "loss": LOSS_NAMES[config["loss_type"]],
        "refresh_targets": config["refresh"] != "none",
        "accelerate": accelerate,
    }
    same = (
        "num_learning_epochs num_mini_batches clip_param gamma lam value_loss_coef entropy_coef learning_rate schedule "
        "desired_kl max_grad_norm"
    )
    algorithm |= {name: config[name] for name in same.split()}
    cfg = {
        "algorithm": algorithm,
        "actor": network | {"distribution_cfg": gaussian},
        "critic": network,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "num_steps_per_env": config["num_steps"],
        "multi_gpu": None,
    }
    return BPO.construct_algorithm(obs, env, cfg, "cpu")  # type: ignore[arg-type]


def load_parameters(bpo: BPO, data: dict[str, torch.Tensor]) -> None:
    """Set the networks' parameters to the recorded initial ones."""
    for name, parameter in recorded_parameters(bpo, data, "init"):
        parameter.data.copy_(data[name])


def recorded_parameters(bpo: BPO, data: dict[str, torch.Tensor], stage: str) -> list[tuple[str, torch.nn.Parameter]]:
    """Pair each recorded parameter of a stage, "init" or "final", with ours."""
    pairs = []
    for name in (name for name in data if name.startswith(f"{stage}/")):
        module_name, _, parameter_name = name.removeprefix(f"{stage}/").partition(".")
        if module_name == "std":
            pairs.append((name, bpo.actor.distribution.std_param))  # type: ignore[union-attr]
            continue
        model = {"actor": bpo.actor, "critic": bpo.critic, "m_critic": bpo.median.network}[module_name]
        if model is not None:  # recordings hold a median critic even where it was not used
            pairs.append((name, model.mlp.get_parameter(parameter_name)))  # type: ignore[union-attr]
    return pairs


def fill_storage(bpo: BPO, data: dict[str, torch.Tensor], bootstrap_time_outs: bool) -> None:
    """Fill the rollout with the recording, through the calls that the runner makes."""

    def observations(obs: torch.Tensor) -> TensorDict:
        return TensorDict({"policy": obs}, batch_size=[len(obs)])

    steps = len(data["rollout/obs"])
    for t in range(steps):
        obs = observations(data["rollout/obs"][t])
        bpo.act(obs)
        # The recorded actions in place of the sampled ones
        bpo.transition.actions = data["rollout/actions"][t]
        log_prob = bpo.actor.get_output_log_prob(bpo.transition.actions).detach()
        torch.testing.assert_close(log_prob, data["rollout/actions_log_prob"][t], rtol=1e-4, atol=1e-5)
        bpo.transition.actions_log_prob = log_prob
        next_obs = observations(data["rollout/obs"][t + 1] if t + 1 < steps else data["rollout/last_obs"])
        extras = {"time_outs": data["rollout/time_outs"][t].float()} if bootstrap_time_outs else {}
        bpo.process_env_step(next_obs, data["rollout/rewards"][t], data["rollout/dones"][t], extras)
    bpo.compute_returns(observations(data["rollout/last_obs"]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_update_reproduces_recording(path: Path, accelerate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = dict(np.load(path))
    config, losses = json.loads(str(arrays.pop("config"))), json.loads(str(arrays.pop("losses")))
    data = {name: torch.from_numpy(array) for name, array in arrays.items()}
    assert config["tv_loss_coef"] == 0.0  # their total variation beside the loss is not in BPO
    bpo = make_bpo(config, TensorDict({"policy": data["rollout/obs"][0]}, batch_size=[config["num_envs"]]), accelerate)
    load_parameters(bpo, data)

    with torch.no_grad():
        fill_storage(bpo, data, config["time_outs"])
    st = bpo.storage
    for ours, theirs in {"values": "values", "returns": "returns", "rewards": "bootstrapped_rewards"}.items():
        recorded = data[f"rollout/{theirs}"]
        torch.testing.assert_close(getattr(st, ours).squeeze(-1), recorded, rtol=1e-4, atol=1e-5, msg=ours)

    # The recorded shuffle in place of a new one
    monkeypatch.setattr(torch, "randperm", lambda n, **_: data["perm"][:n])
    metrics = bpo.update()

    for theirs, ours in LOSSES.items():
        assert metrics.get(ours, 0.0) == pytest.approx(losses[theirs], rel=1e-4, abs=1e-5), ours
    assert bpo.learning_rate == pytest.approx(float(data["final_learning_rate"]))
    pairs = recorded_parameters(bpo, data, "final")
    final = {name for name in data if name.startswith("final/")}
    unused = set() if config["use_median"] else {name for name in final if name.startswith("final/m_critic.")}
    assert {name for name, _ in pairs} == final - unused
    assert len(pairs) == sum(len(parameters) for parameters in bpo.networks.values())
    for name, parameter in pairs:
        torch.testing.assert_close(parameter.data, data[name], rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def test_recordings_exist() -> None:
    assert FILES, f"no recordings in {DATA_DIR}"
