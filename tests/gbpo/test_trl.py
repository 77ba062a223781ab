# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The trainer for TRL: the real GRPOTrainer, a real transformer of small size, on the CPU."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

pytest.importorskip("trl", reason="needs the extra isaaclab_bpo[gbpo]")

from datasets import Dataset
from trl.trainer.grpo_trainer import GRPOTrainer

from gbpo.recordings import FILES, Recording
from gbpo.trainers import ROWS, TOKENIZER, digits, given_completions, make_trainer, save_model, short
from isaaclab_bpo.gbpo.trl import AGGREGATIONS, GBPOConfig, GBPOTrainer

LOSS_TYPES = {"token-mean": "bnpo", "seq-mean-token-mean": "grpo"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gbpo")
    save_model(path)
    return path


class Table(nn.Module):
    """A policy that is a table: its parameters are the log-probabilities of the tokens."""

    def __init__(self, log_probs: torch.Tensor) -> None:
        super().__init__()
        self.log_probs = nn.Parameter(log_probs)

    def forward(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(log_probs=self.log_probs, entropy=torch.zeros_like(self.log_probs))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_mini_batch_of_the_authors(file: Path, folder: Path) -> None:
    case = Recording(file)
    trainer = make_trainer(
        folder,
        epsilon=case.clip_low,
        epsilon_high=case.clip_high,
        gbpo_temperature=case.gbpo_temperature,
        scale_rewards="group" if case.norm_by_std else "none",
        loss_type=LOSS_TYPES[case.aggregation],
    )
    rewards = case.rewards.double()
    advantages, targets = torch.empty_like(rewards), torch.empty_like(rewards)
    for rows in case.groups():
        group_advantages, group_targets = trainer.score(rewards[rows].unsqueeze(0))
        advantages[rows], targets[rows] = group_advantages.flatten(), group_targets.flatten()
    mask = case.response_mask.long()
    inputs = {
        "prompt_ids": torch.zeros(len(mask), 1, dtype=torch.long),
        "prompt_mask": torch.ones(len(mask), 1, dtype=torch.long),
        "completion_ids": torch.zeros_like(mask),
        "completion_mask": mask,
        "old_per_token_logps": case.old_log_prob,
        "advantages": advantages,
        "target_ratio": targets,
    }
    policy = Table(case.log_prob)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    loss = trainer.compute_loss(policy, inputs)
    loss.backward()
    torch.testing.assert_close(loss.item(), case.loss, rtol=1e-10, atol=1e-10)
    assert policy.log_probs.grad is not None
    torch.testing.assert_close(policy.log_probs.grad, case.grad_log_prob, rtol=1e-10, atol=1e-10)
    metrics = trainer._metrics["train"]
    assert metrics["clip_fraction"] == pytest.approx([case.clip_fraction], abs=1e-6)
    assert metrics["ppo_kl"] == pytest.approx([case.ppo_kl], abs=1e-6)


@pytest.mark.parametrize("loss_type", AGGREGATIONS)
def test_without_advantages_the_loss_is_that_of_trl(loss_type: str, folder: Path) -> None:
    """KL, entropy, router, masks, accumulation and aggregation are as in TRL, in value and gradient."""
    torch.manual_seed(0)
    options: dict[str, Any] = {"loss_type": loss_type, "beta": 0.3, "entropy_coef": 0.2, "top_entropy_quantile": 0.5}
    completion, mask = torch.randint(3, 17, (8, 6)), torch.ones(8, 6, dtype=torch.long)
    mask[0, 3:] = 0
    mask[1, 1:] = 0
    inputs = {
        "prompt_ids": torch.randint(3, 17, (8, 6)),
        "prompt_mask": torch.ones(8, 6, dtype=torch.long),
        "completion_ids": completion,
        "completion_mask": mask,
        "old_per_token_logps": -torch.rand(8, 6),
        "ref_per_token_logps": -torch.rand(8, 6),
        "num_items_in_batch": mask.sum() * 2,
        "advantages": torch.zeros(8),
        "target_ratio": torch.ones(8),
    }
    results = []
    for kind in (GBPOTrainer, GRPOTrainer):
        trainer = make_trainer(
            folder, trainer=kind, gradient_accumulation_steps=2, use_bias_correction_kl=True, **options
        )
        trainer.current_gradient_accumulation_steps = 2
        loss = trainer.compute_loss(trainer.model, inputs)
        loss.backward()
        results.append([loss.detach(), *(parameter.grad for parameter in trainer.model.parameters())])
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-7)
    assert results[0][0] != 0.0


def test_correction_of_vllm_weights_the_loss(folder: Path) -> None:
    trainer = make_trainer(folder)
    inputs = {
        "prompt_ids": torch.full((2, 1), 5),
        "prompt_mask": torch.ones(2, 1, dtype=torch.long),
        "completion_ids": torch.full((2, 3), 6),
        "completion_mask": torch.ones(2, 3, dtype=torch.long),
        "advantages": torch.tensor([2.0, -1.0]),
        "target_ratio": torch.tensor([1.3, 0.7]),
    }
    # The ratio is 1: 2 · 0.3 and 1 · 0.3, then weighted by 1 and 3
    assert trainer.compute_loss(trainer.model, inputs).item() == pytest.approx(0.45)
    inputs["importance_sampling_ratio"] = torch.tensor([[1.0], [3.0]])
    assert trainer.compute_loss(trainer.model, inputs).item() == pytest.approx(0.75)


def test_training_logs_what_it_did(folder: Path) -> None:
    trainer = make_trainer(
        folder,
        reward=[digits, short],
        reward_weights=[1.0, 0.5],
        num_iterations=2,
        steps_per_generation=2,
        beta=0.01,
        entropy_coef=0.01,
        top_entropy_quantile=0.5,
        mask_truncated_completions=True,
        eval_dataset=Dataset.from_list(ROWS),
        gradient_checkpointing=True,
    )
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    trainer.train()
    assert any(not torch.equal(old, new) for old, new in zip(before, trainer.model.parameters(), strict=True))
    entry = {**trainer.state.log_history[1], **trainer.state.log_history[0]}  # groups are scored once a batch
    for name in ("loss", "median", "target_ratio", "ratio_deviation", "clip_fraction", "entropy", "kl", "ppo_kl"):
        assert math.isfinite(entry[name]), name
    assert math.isfinite(trainer.evaluate()["eval_loss"])


def test_score_is_of_the_weighted_reward(folder: Path) -> None:
    trainer = make_trainer(folder, reward=[digits, short], reward_weights=[1.0, 0.5], rollout_func=given_completions)
    batch = trainer._generate_and_score_completions([row for row in ROWS[:2] for _ in range(4)])
    texts = TOKENIZER.batch_decode(batch["completion_ids"], skip_special_tokens=True)
    rewards = torch.tensor(digits(texts)) + 0.5 * torch.tensor(short(texts))
    groups = rewards.view(2, 4)
    expected = (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-6)
    torch.testing.assert_close(batch["advantages"], expected.flatten())
    median = groups.sort(dim=1).values[:, 1:3].mean(1, keepdim=True)
    torch.testing.assert_close(batch["target_ratio"], (1.0 + 0.3 * (groups - median).sign()).flatten())


def test_exact_target_averages_one(folder: Path) -> None:
    trainer = make_trainer(folder, target="exact", epsilon_high=0.5)
    _, target = trainer.score(torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [3.0, 1, 1, 1, 1, 1, 1, 1]]))
    torch.testing.assert_close(target.mean(dim=1), torch.ones(2))
    torch.testing.assert_close(target[0, :5], torch.full((5,), 1.18))  # the others have 0.7


def test_only_the_first_of_each_group_are_trained_on(folder: Path) -> None:
    inputs = [row for row in ROWS[:2] for _ in range(4)]
    whole = make_trainer(folder, rollout_func=given_completions)._generate_and_score_completions(inputs)
    trainer = make_trainer(folder, rollout_func=given_completions, num_trained=2)
    trainer.model.train()
    part = trainer._generate_and_score_completions(inputs)
    rows = [0, 1, 4, 5]
    assert torch.equal(part["completion_ids"], whole["completion_ids"][rows])
    assert part["num_items_in_batch"] == part["completion_mask"].sum()
    rewards = torch.tensor(digits(TOKENIZER.batch_decode(part["completion_ids"], skip_special_tokens=True))).view(2, 2)
    torch.testing.assert_close(
        part["advantages"],
        ((rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-6)).flatten(),
    )
    trainer.train()


def test_adapter_is_trained_alone(folder: Path) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=2)
    trainer = make_trainer(folder, peft_config=config, beta=0.01, gradient_checkpointing=True)
    before = {name: parameter.clone() for name, parameter in trainer.model.named_parameters()}
    trainer.train()
    changed = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert all("lora" in name for name in changed)


def test_resumed_run_equals_an_uninterrupted_one(folder: Path, tmp_path: Path) -> None:
    options = {"save_strategy": "steps", "save_steps": 4, "max_steps": 8, "num_iterations": 4, "beta": 0.01}
    runs = []
    for resume in (False, True):
        trainer = make_trainer(folder, **options)
        trainer.args.output_dir = str(tmp_path)
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4") if resume else None)
        runs.append(trainer.model.state_dict())
    torch.testing.assert_close(runs[0], runs[1], rtol=0.0, atol=0.0)


@pytest.mark.parametrize("loss_type", ["grpo", pytest.param("dapo", marks=pytest.mark.slow)])
def test_two_processes_equal_one(loss_type: str, folder: Path) -> None:
    program = Path(__file__).with_name("trainers.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]
    for processes, per_device in ((1, 8), (2, 4)):
        command = [*torchrun, str(processes), str(program), str(folder), loss_type, str(per_device)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (torch.load(folder / f"{loss_type}_{per_device}.pt") for per_device in (8, 4))
    start = make_trainer(folder).model.state_dict()
    assert any((one[name] - start[name]).abs().max() > 1e-3 for name in start)
    torch.testing.assert_close(one, two, rtol=0.0, atol=1e-6)


# --- Mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loss_type": "sapo"}, "loss_type='sapo' is not valid: it must be one of grpo, bnpo, dapo, dr_grpo, luspo."),
        ({"target": "soft"}, "target='soft' is not valid: it must be one of sign, exact."),
        ({"gbpo_temperature": 0.0}, "gbpo_temperature=0.0 is not valid: it must be a finite number > 0."),
        ({"epsilon": 1.5}, "epsilon=1.5 is not valid: it must be a number in (0, 1]."),
        ({"scale_rewards": "batch"}, "scale_rewards='batch' is not valid: it must be one of group, none."),
        ({"delta": 2.0}, "delta=2.0 is not valid: it must be null, because GBPO does not clip."),
        ({"num_trained": 9}, "num_trained=9 is not valid: it must be an integer from 2 to 8, or null."),
        ({"num_generations": 1}, "GRPO requires at least 2 generations per prompt"),
    ],
)
def test_configuration_is_checked(options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        GBPOConfig(str(tmp_path), use_cpu=True, bf16=False, **options)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_reward_that_is_no_number_is_a_sentence(value: float | None, folder: Path) -> None:
    def reward(completions: list[str], **_: Any) -> list[float | None]:
        return [1.0] * (len(completions) - 1) + [value]

    with pytest.raises(ValueError, match="The reward of completion 7 of 8 is None, NaN or infinite from reward"):
        make_trainer(folder, reward=reward).train()


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinite_reward_of_one_function_is_a_sentence(value: float, folder: Path) -> None:
    def infinite(completions: list[str], **_: Any) -> list[float]:
        return [0.0] * (len(completions) - 1) + [value]

    with pytest.raises(ValueError, match="The reward of completion 7 of 8 is None, NaN or infinite from digits, infin"):
        make_trainer(folder, reward=[digits, infinite]).train()


def test_reward_of_one_function_may_be_none(folder: Path) -> None:
    def silent(completions: list[str], **_: Any) -> list[None]:
        return [None] * len(completions)

    make_trainer(folder, reward=[digits, silent], max_steps=1).train()


def test_empty_completion_is_a_sentence(folder: Path) -> None:
    def rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
        output = given_completions(prompts, trainer)
        output["completion_ids"][2] = []
        return output

    with pytest.raises(ValueError, match="Completion 2 of rollout_func has no token"):
        make_trainer(folder, rollout_func=rollout).train()


def test_groups_that_do_not_fit_are_a_sentence(folder: Path) -> None:
    trainer = make_trainer(folder, num_trained=3, steps_per_generation=4, per_device_train_batch_size=2)
    with pytest.raises(ValueError, match="num_trained=3 does not fit: the 8 completions of a process"):
        trainer.train()


@pytest.mark.parametrize(
    ("prelude", "reason"),
    [
        (
            "import trl.trainer.grpo_trainer as m\nm.GRPOTrainer._compute_loss = lambda self, batch: None",
            "_compute_loss",
        ),
        pytest.param(
            "import trl.trainer.grpo_trainer, importlib.metadata as m\nm.version = lambda _: '2.0.0'",
            "not 2.0.0",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_version_of_trl_is_a_sentence(prelude: str, reason: str) -> None:
    code = f"{prelude}\nimport isaaclab_bpo.gbpo.trl"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: GBPOTrainer needs trl==1.16.*")
    assert reason in last
