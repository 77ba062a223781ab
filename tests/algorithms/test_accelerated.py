# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The faster path gives what the plain path gives, falls back where it cannot, and never waits for the device."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rsl_rl.models import MLPModel
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from isaaclab_bpo.algorithms import BPO, AcceleratedBPO
from isaaclab_bpo.algorithms.options import ConfigurationError
from machine import count_host_reads
from point_mass import PointMass, bpo_of, collect, mirror, runner_cfg, update

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda:0", marks=needs_cuda)]


def make_runner(device: str = "cpu", model: str = "mlp", **hyperparameters: Any) -> OnPolicyRunner:
    torch.manual_seed(0)
    env = PointMass(device=device, discrete=hyperparameters.get("discrete", False))
    return OnPolicyRunner(env, runner_cfg(model, **hyperparameters), device=device)


def flat(state: Any) -> dict[str, Any]:
    """Return the leaves of a checkpoint by their path."""
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else None
    if items is None:
        return {"": state}
    return {f"{key}/{path}": leaf for key, value in items for path, leaf in flat(value).items()}


OPTIONS = [
    {},
    {"median_head": "shared"},
    {"median_head": "mlp"},
    {"median": "batch"},
    {"adam_eps": 1e-5},
    {"discrete": True},
    {"median": "value", "online_advantage": False},
    {"joint_grad_clipping": True},
    {"optimizer": "adamw", "schedule": "fixed", "entropy_coef": 0.01},
    {"refresh_targets": False, "normalize_advantage_per_mini_batch": True, "use_clipped_value_loss": True},
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("hyperparameters", OPTIONS, ids=lambda options: "-".join(options) or "default")
def test_an_update_on_the_same_data_gives_the_same_parameters(hyperparameters: dict, device: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    # Six epochs of two mini-batches, so that on CUDA most of them are replayed graphs
    runners = [
        make_runner(device, num_learning_epochs=6, **hyperparameters, accelerate=accelerate)
        for accelerate in (False, True)
    ]
    plain, fast = (bpo_of(runner) for runner in runners)
    assert (type(plain), type(fast)) == (BPO, AcceleratedBPO)
    metrics = []
    for runner in runners:
        torch.manual_seed(1)
        collect(runner.alg, PointMass(device=device))
        torch.manual_seed(2)  # the same mini-batches
        metrics.append(update(bpo_of(runner)))

    for name in ("rewards", "values", "returns", "advantages"):
        torch.testing.assert_close(getattr(fast.storage, name), getattr(plain.storage, name), rtol=1e-5, atol=1e-6)
    assert fast.learning_rate == plain.learning_rate
    assert metrics[1] == pytest.approx(metrics[0], rel=1e-4, abs=1e-6)
    # rsl_rl logs it after an update: that of the last mini-batch, or with graphs that of after its step
    one_step = 2.0 * fast.learning_rate if fast.uses_graphs else 0.0  # type: ignore[attr-defined]
    stds = fast.actor.output_std.mean(), plain.actor.output_std.mean()
    torch.testing.assert_close(*stds, rtol=1e-5 + one_step, atol=0.0)
    for name, network in plain.save().items():
        if name.endswith("_state_dict") and name != "optimizer_state_dict":
            for key, value in network.items():
                ours = fast.save()[name][key]
                # relative to the size of the layer: single weights may be arbitrarily close to 0
                assert (ours - value).norm() <= 1e-5 * value.norm(), f"{name} {key}"


@pytest.mark.parametrize("device", DEVICES)
def test_normalized_observations_follow_their_moments(device: str) -> None:
    """Graphs of later updates must see the moments that earlier ones left, though rsl_rl stores a new std each time."""
    results = []
    for accelerate in (False, True):
        cfg = runner_cfg(accelerate=accelerate, num_learning_epochs=4)
        for network in ("actor", "critic"):
            cfg[network]["obs_normalization"] = True
        torch.manual_seed(0)
        env = PointMass(device=device)
        bpo = bpo_of(OnPolicyRunner(env, cfg, device=device))
        buffers = dict(bpo.actor.named_buffers())
        for seed in range(3):
            torch.manual_seed(seed)
            collect(bpo, env)
            torch.manual_seed(seed)
            bpo.update()
        if accelerate:
            assert all(buffer is buffers[name] for name, buffer in bpo.actor.named_buffers())
        assert (bpo.actor.obs_normalizer.std != 1.0).all()  # type: ignore[union-attr]
        results.append(bpo.actor.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_learning_curves_agree(device: str) -> None:
    """Rounding lets single trajectories part after some iterations; what is learnt must not differ."""
    curves = []
    for accelerate in (False, True):
        torch.manual_seed(0)
        env = PointMass(num_envs=64, device=device)
        bpo = bpo_of(OnPolicyRunner(env, runner_cfg(accelerate=accelerate), device=device))
        rewards = []
        for seed in range(50):
            torch.manual_seed(seed)  # the plain path's updates draw random numbers, the faster path's do not
            rewards.append(collect(bpo, env))
            bpo.update()
        curves.append(torch.tensor(rewards))
    plain, fast = curves
    # The first rollout is the same, the next ones nearly so
    torch.testing.assert_close(fast[:3], plain[:3], rtol=1e-3, atol=1e-3)
    # Both have learnt: the start is a random policy's
    assert min(plain[-10:].mean(), fast[-10:].mean()) > plain[:3].mean() + 0.1
    assert fast[-10:].mean() == pytest.approx(plain[-10:].mean().item(), abs=0.08)


@pytest.mark.parametrize("device", DEVICES)
def test_checkpoints_hold_the_same_and_load_either_way(device: str, tmp_path: Path) -> None:
    runners = {accelerate: make_runner(device, accelerate=accelerate) for accelerate in (False, True)}
    for accelerate, runner in runners.items():
        collect(runner.alg, PointMass(device=device))
        runner.alg.update()
        runner.save(str(tmp_path / f"{accelerate}.pt"))
    plain, fast = (flat(torch.load(tmp_path / f"{name}.pt", weights_only=True)) for name in (False, True))
    assert plain.keys() == fast.keys()
    for key, value in plain.items():
        assert type(fast[key]) is type(value), key
        if isinstance(value, torch.Tensor):
            assert (fast[key].shape, fast[key].dtype, fast[key].device) == (value.shape, value.dtype, value.device), key
        elif not isinstance(value, float):
            assert fast[key] == value, key

    # From the same checkpoint, both paths continue alike
    results = []
    for accelerate in (False, True):
        runner = make_runner(device, accelerate=accelerate)
        runner.load(str(tmp_path / "True.pt"))
        torch.manual_seed(3)
        collect(runner.alg, PointMass(seed=3, device=device))
        runner.alg.update()
        results.append(runner.alg.save()["actor_state_dict"])
        # On the host, Adam's plain steps do not wait for it
        counters = {moments["step"].device.type for moments in bpo_of(runner).optimizer.state.values()}
        assert counters == {device.split(":")[0] if accelerate else "cpu"}
    for key, value in results[0].items():
        torch.testing.assert_close(results[1][key], value, rtol=1e-4, atol=1e-6)


class OwnBpo(BPO):
    """Its methods may do what the faster path leaves out."""


class OwnForward(MLPModel):
    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        return super().forward(*args, **kwargs)


RND = {"weight": 0.1, "num_outputs": 2, "predictor_hidden_dims": [8], "target_hidden_dims": [8]}
SYMMETRY = {"use_data_augmentation": True, "use_mirror_loss": False, "data_augmentation_func": mirror}


@pytest.mark.parametrize(
    ("model", "hyperparameters", "reason"),
    [
        ("lstm", {}, "recurrent networks"),
        ("cnn", {}, "CNNs"),
        ("nature", {}, "CNNs"),
        ("mlp", {"rnd_cfg": RND}, "RND"),
        ("mlp", {"symmetry_cfg": SYMMETRY}, "symmetry"),
        ("mlp", {"optimizer": "sgd"}, "an optimizer other than Adam"),
        (OwnForward, {}, "an actor with a forward pass of its own"),
        ("mlp", {"algorithm": OwnBpo}, "an algorithm class of its own"),
    ],
    ids=["recurrent", "cnn", "nature", "rnd", "symmetry", "sgd", "own-forward", "own-class"],
)
def test_what_cannot_be_accelerated_says_so_once(
    model: str | type, hyperparameters: dict, reason: str, capsys: pytest.CaptureFixture
) -> None:
    cfg = runner_cfg(model if isinstance(model, str) else "mlp", **copy.deepcopy(hyperparameters), accelerate=True)
    if isinstance(model, type):
        cfg["actor"]["class_name"] = model
    if "rnd_cfg" in hyperparameters:
        cfg["obs_groups"]["rnd_state"] = ["policy"]
    runner = OnPolicyRunner(PointMass(image={"cnn": True, "nature": torch.uint8}.get(str(model), False)), cfg)
    assert not isinstance(bpo_of(runner), AcceleratedBPO)
    runner.learn(1)
    assert capsys.readouterr().out.count(f"accelerate: this run has {reason}, so it takes the plain path.") == 1


class OwnEncoder(MLPModel):
    """A critic with layers before its MLP."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.encoder = torch.nn.Linear(self.obs_dim, self.obs_dim)

    def get_latent(self, obs: TensorDict, masks: Any = None, hidden_state: Any = None) -> torch.Tensor:
        return self.encoder(super().get_latent(obs)).tanh()


class LayerNormCritic(MLPModel):
    """A critic whose MLP has layers that mix the features of a sample."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first, *others = self.mlp
        self.mlp = torch.nn.Sequential(first, torch.nn.LayerNorm(first.out_features), *others)


@pytest.mark.parametrize("critic", [OwnEncoder, LayerNormCritic, OwnForward])
@pytest.mark.parametrize("accelerate", [False, True])
def test_a_critic_class_of_ones_own_is_trained_as_it_computes(critic: type[MLPModel], accelerate: bool) -> None:
    torch.manual_seed(0)
    cfg = runner_cfg(accelerate=accelerate)
    cfg["critic"]["class_name"] = critic
    runner = OnPolicyRunner(PointMass(), cfg, device="cpu")
    bpo = bpo_of(runner)
    collect(bpo, runner.env)
    batch = next(bpo.storage.mini_batch_generator(1, 1))
    for ours, network in zip(bpo.median.evaluate(bpo.critic, batch), (bpo.critic, bpo.median.network), strict=True):
        assert network is not None
        torch.testing.assert_close(ours, network(batch.observations))
    before = [p.clone() for network in (bpo.critic, bpo.median.network) for p in network.parameters()]  # type: ignore
    bpo.update()
    after = [p for network in (bpo.critic, bpo.median.network) for p in network.parameters()]  # type: ignore
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("median_head", ["shared", "mlp"])
def test_a_critic_with_a_forward_of_its_own_has_no_head(median_head: str) -> None:
    cfg = runner_cfg(median_head=median_head)
    cfg["critic"]["class_name"] = OwnForward
    with pytest.raises(ConfigurationError, match="median_head must be separate: OwnForward has a forward"):
        OnPolicyRunner(PointMass(), cfg, device="cpu")


def test_default_is_on_where_it_is_known_to_help(capsys: pytest.CaptureFixture) -> None:
    assert isinstance(bpo_of(make_runner()), AcceleratedBPO)
    assert not isinstance(bpo_of(make_runner(accelerate=False)), AcceleratedBPO)
    assert "plain path" not in capsys.readouterr().out


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "default")
def test_no_mini_batch_makes_the_host_wait(options: dict) -> None:
    """The number of reads per update does not depend on the number of mini-batches; CUDA's twin is the next test."""
    counts = []
    for num_learning_epochs in (2, 6):
        bpo = bpo_of(make_runner(**options, accelerate=True, num_learning_epochs=num_learning_epochs))
        collect(bpo, PointMass())
        counts.append(count_host_reads(bpo.update))
    assert counts == [2, 2]  # at its end: the statistics, and the learning rate
    # The count does see reads: the plain path has one per mini-batch, two per Gaussian sample, and one per update
    bpo = bpo_of(make_runner(**options, accelerate=False, num_learning_epochs=6))
    collect(bpo, PointMass())
    assert count_host_reads(bpo.update) == 6 * 2 * (1 if options.get("discrete") else 1 + 2) + 1


class OperationsOnHost(TorchDispatchMode):
    """Notes which operations have a tensor of the host among their arguments or results."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        self.names |= {str(func) for tensor in tensors if tensor.device.type != "cuda"}
        return result


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    """Torch's tensors without data, on a GPU that need not exist; what cannot be done with them is left out."""

    def move(module: torch.nn.Module, function: Any, recurse: bool = True) -> torch.nn.Module:
        for child in module.children():
            move(child, function)
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, torch.nn.Parameter(function(parameter.detach())))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, function(buffer))
        return module

    monkeypatch.setattr(torch.nn.Module, "_apply", move)  # torch moves parameters in place
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: None)
    for optimizer in (torch.optim.Adam, torch.optim.AdamW):  # torch wraps the step of a class at its first instance
        monkeypatch.setattr(optimizer, "step", lambda optimizer: None)
    return FakeTensorMode()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "default")
def test_collection_and_mini_batches_leave_no_tensor_on_the_host(options: dict, fake_cuda: FakeTensorMode) -> None:
    """Finds reads of the device, copies to it, and tensors that were not made there, without a GPU."""
    cfg: dict[str, Any] = runner_cfg(**options, accelerate=True)
    cfg["multi_gpu"] = None
    for name in ("actor", "critic"):
        cfg[name]["obs_normalization"] = True
    with fake_cuda:
        numbers = torch.zeros(4, device="cuda:0")
        obs = TensorDict({"policy": torch.zeros(4, 5, device="cuda:0")}, batch_size=[4], device="cuda:0")
        env: Any = SimpleNamespace(num_envs=4, num_actions=6 if options.get("discrete") else 2)
        bpo = BPO.construct_algorithm(obs, env, cfg, "cuda:0")
        assert isinstance(bpo, AcceleratedBPO)
        for group in bpo.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        bpo.optimizer.zero_grad = lambda set_to_none=True: None  # keep these gradients
        indices = torch.zeros(24, dtype=torch.long, device="cuda:0")
        with OperationsOnHost() as on_host:
            for _ in range(12):
                bpo.act(obs)
                bpo.process_env_step(obs, numbers, numbers.long(), {"time_outs": numbers})
            bpo.compute_returns(obs)
            BPO.refresh_targets(bpo)  # what is captured as graphs
            statistics = BPO.update_mini_batch(bpo, bpo.storage.mini_batch(indices))
        assert not on_host.names
        assert statistics.device == torch.device("cuda:0")
        with OperationsOnHost() as on_host:  # it does see what it looks for
            numbers.add_(torch.tensor(1.0))
        assert "aten.add_.Tensor" in on_host.names


@needs_cuda
@pytest.mark.parametrize("reshuffle", [False, True])
def test_graphs_get_the_samples_of_every_epoch_shuffled_once_or_anew(reshuffle: bool) -> None:
    bpo = bpo_of(make_runner("cuda:0", accelerate=True, num_learning_epochs=3, reshuffle=reshuffle))
    epochs = torch.cat(list(bpo.mini_batches())).view(3, -1)
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(16 * 12, device="cuda:0").expand(3, -1))
    assert len(epochs.unique(dim=0)) == (3 if reshuffle else 1)


@needs_cuda
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "default")
def test_no_mini_batch_makes_the_host_wait_for_cuda(options: dict) -> None:
    bpo = bpo_of(make_runner("cuda:0", **options, accelerate=True, num_learning_epochs=6))
    env = PointMass(device="cuda:0")
    for _ in range(2):  # warm up and capture
        collect(bpo, env)
        bpo.update()
    collect(bpo, env)
    assert isinstance(bpo, AcceleratedBPO)
    assert bpo.uses_graphs
    torch.cuda.set_sync_debug_mode("error")
    try:
        for indices in bpo.mini_batches():
            bpo.update_mini_batch(indices)
        bpo.refresh_targets()
    finally:
        torch.cuda.set_sync_debug_mode("default")
