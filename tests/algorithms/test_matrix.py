# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever rsl_rl's PPO trains, saves, loads and exports, BPO does: all pairs of the features of both."""

from __future__ import annotations

import copy
from itertools import combinations, cycle, product
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from isaaclab_bpo.runners import DurableRunner
from point_mass import PointMass, mirror, runner_cfg

PPO, OURS, BPO = "PPO", "isaaclab_bpo.algorithms:PPO", "isaaclab_bpo.algorithms:BPO"
RND = {"num_outputs": 2, "predictor_hidden_dims": [8], "target_hidden_dims": [8], "weight": 0.1}

FACTORS: dict[str, tuple] = {
    "network": ("mlp", "lstm", "gru", "cnn", "cnn_shared", "lstm_actor"),
    "distribution": ("Gaussian", "HeteroscedasticGaussian", "Beta", "Categorical"),
    "std": ("scalar", "log", "fixed"),
    "rnd": (None, {}, {"state_normalization": True, "reward_normalization": True}),
    "symmetry": (None, {"use_data_augmentation": True}, {"use_mirror_loss": True, "mirror_loss_coeff": 0.5}, {}),
    "normalization": (False, True),
    "mixed_precision": (False, True),
    "asymmetric": (False, True),
    "median": ("critic", "shared", "mlp", "batch", "value"),
    "accelerate": (True, False),
    "durable": (True, False),
}


def all_pairs(factors: dict[str, tuple]) -> list[dict[str, Any]]:
    """Return rows in which every two values of two factors meet, each chosen for how many new pairs it has."""
    levels = {name: range(len(values)) for name, values in factors.items()}
    missing = {((a, i), (b, j)) for a, b in combinations(factors, 2) for i, j in product(levels[a], levels[b])}
    rows = []
    while missing:
        row = dict(min(missing))
        for name in (name for name in factors if name not in row):
            new = [sum({*pair} <= {*row.items(), (name, level)} for pair in missing) for level in levels[name]]
            row[name] = new.index(max(new))
        missing = {pair for pair in missing if not {*pair} <= row.items()}
        rows.append({name: values[row[name]] for name, values in factors.items()})
    return rows


class Privileged(PointMass):
    """Shows the critic the distance from the origin, too."""

    def get_observations(self) -> TensorDict:
        obs = super().get_observations()
        obs["privileged"] = self.state[:, :2].norm(dim=-1, keepdim=True)
        return obs


def mirror_discrete(
    env: PointMass, obs: TensorDict | None = None, actions: torch.Tensor | None = None
) -> tuple[TensorDict | None, torch.Tensor | None]:
    """Like ``mirror``, for one-hot actions."""
    obs, _ = mirror(env, obs)
    return obs, None if actions is None else torch.cat([actions, actions[:, [2, 1, 0, 3, 4, 5]]])


def configuration(row: dict[str, Any], algorithm: str) -> dict:
    kind, _, variant = row["network"].partition("_")
    options: dict[str, Any] = {"share_cnn_encoders": variant == "shared"}
    options["use_mixed_precision"] = row["mixed_precision"] and row["distribution"] != "Beta"  # which torch lacks
    if row["rnd"] is not None:
        options["rnd_cfg"] = RND | row["rnd"]
    if row["symmetry"] is not None and kind in ("mlp", "cnn"):  # rsl_rl has none for recurrent networks
        function = mirror_discrete if row["distribution"] == "Categorical" else mirror
        options["symmetry_cfg"] = {"data_augmentation_func": function} | row["symmetry"]
    if algorithm == BPO:
        name = "median_head" if row["median"] in ("shared", "mlp") else "median"
        options |= {name: row["median"], "accelerate": row["accelerate"]}
    cfg = runner_cfg(kind, algorithm, row["distribution"] == "Categorical", **options)
    if variant == "actor":
        cfg["critic"] = runner_cfg()["critic"]
    if row["distribution"] != "Categorical":
        cfg["actor"]["distribution_cfg"] = {"class_name": f"{row['distribution']}Distribution"}
    if row["distribution"] == "Gaussian" and row["std"] == "fixed":
        cfg["actor"]["distribution_cfg"]["learn_std"] = False
    elif "Gaussian" in row["distribution"] and row["std"] != "fixed":
        cfg["actor"]["distribution_cfg"]["std_type"] = row["std"]
    cfg["num_steps_per_env"], cfg["algorithm"]["num_learning_epochs"] = 6, 2
    cfg["actor"]["obs_normalization"] = cfg["critic"]["obs_normalization"] = row["normalization"]
    groups = cfg["obs_groups"]["actor"]
    cfg["obs_groups"] = {"actor": groups, "critic": [*groups, *["privileged"] * row["asymmetric"]]}
    if row["rnd"] is not None:
        cfg["obs_groups"]["rnd_state"] = ["policy"]
    return cfg


def make_runner(row: dict[str, Any], algorithm: str, folder: Path | None = None) -> OnPolicyRunner:
    torch.manual_seed(0)
    env = Privileged(8, image=row["network"].startswith("cnn"), discrete=row["distribution"] == "Categorical")
    runner = DurableRunner if row["durable"] else OnPolicyRunner
    return runner(env, configuration(row, algorithm), None if folder is None else str(folder))


@pytest.mark.parametrize("row", all_pairs(FACTORS), ids=lambda row: f"{row['network']}-{row['distribution']}")
def test_bpo_does_what_ppo_does(row: dict[str, Any], tmp_path: Path) -> None:
    saved = {}
    for algorithm in (PPO, BPO):
        runner = make_runner(row, algorithm, tmp_path / algorithm)
        runner.learn(2)
        saved[algorithm] = torch.load(tmp_path / algorithm / "model_1.pt", weights_only=True)
    assert saved[PPO].keys() <= saved[BPO].keys()

    for source, algorithm in product((PPO, BPO), (OURS, BPO)):  # each goes on with the other's checkpoint, too
        runner = make_runner(row, algorithm)
        runner.load(str(tmp_path / source / "model_1.pt"))
        networks = runner.alg.save()
        for name in ("actor_state_dict", *["rnd_state_dict"] * (row["rnd"] is not None)):
            torch.testing.assert_close(dict(networks[name]), dict(saved[source][name]), rtol=0.0, atol=0.0)
        before = copy.deepcopy(networks["actor_state_dict"])
        runner.learn(1)
        after = runner.alg.save()["actor_state_dict"]
        assert all(value.isfinite().all() for value in after.values())
        assert any(not torch.equal(before[name], value) for name, value in after.items())


@pytest.mark.parametrize(
    ("network", "distribution"), list(zip(FACTORS["network"], cycle(FACTORS["distribution"]), strict=False))
)
def test_exported_files_act_as_the_policy_does(network: str, distribution: str, tmp_path: Path) -> None:
    row = {name: values[-1] for name, values in FACTORS.items()} | {"network": network, "distribution": distribution}
    runner = make_runner(row, BPO)
    runner.learn(1)
    policy, obs = runner.get_inference_policy(), runner.env.get_observations()[:1]
    policy.reset()
    with torch.no_grad():
        expected = policy(obs)
    runner.export_policy_to_jit(str(tmp_path))
    runner.export_policy_to_onnx(str(tmp_path))

    example: Any = policy.as_onnx(verbose=False)
    inputs = dict(zip(example.input_names, example.get_dummy_inputs(), strict=True))  # hidden states are 0 at first
    inputs |= {name: obs["policy" if name == "obs" else name] for name in inputs.keys() & {"obs", "camera"}}
    images = [[inputs["camera"]]] if "camera" in inputs else []
    actions = torch.jit.load(str(tmp_path / "policy.pt"))(inputs["obs"], *images)
    torch.testing.assert_close(actions, expected, rtol=0.0, atol=1e-6)
    model = ReferenceEvaluator(onnx.load(str(tmp_path / "policy.onnx")))
    output: Any = model.run(None, {name: value.numpy() for name, value in inputs.items()})
    torch.testing.assert_close(torch.from_numpy(output[0]), expected, rtol=0.0, atol=1e-6)
