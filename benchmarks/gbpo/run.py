# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Figure 8 of the paper on a model for a CPU: how GBPO and GRPO bear more epochs and wider bounds.

    nice -n 19 ./isaaclab.sh -p benchmarks/gbpo/run.py --output DIR

Every run starts from the same pretrained model and appends a line to ``DIR/runs.jsonl``. Interrupted and started again,
the benchmark goes on behind the last line. For several cores, start one process with ``--seeds N`` for each seed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import Qwen2ForCausalLM
from transformers.utils import logging

from isaaclab_bpo.gbpo import recipe, tiny
from isaaclab_bpo.gbpo.ttrl import MajorityVote, right_answer

VARIANTS: dict[str, tuple[recipe.Algorithm, dict[str, Any]]] = {
    "grpo": ("grpo", {}),
    "gbpo": ("gbpo", {"target": "sign"}),
    "gbpo-exact": ("gbpo", {"target": "exact"}),
}
EPOCHS, EPSILONS, REWARDS = (10, 4, 1), (0.5, 0.3, 0.2, 0.1), ("vote", "right")
ROUNDS, STEPS_PER_EPOCH = 16, 4


def grid(seeds: list[int]) -> Iterator[dict[str, Any]]:
    """Yield the runs, those of a seed one after another."""
    names = ("seed", "reward", "epochs", "epsilon", "variant")
    for values in itertools.product(seeds, REWARDS, EPOCHS, EPSILONS, VARIANTS):
        yield dict(zip(names, values, strict=True))


def pretrained(folder: Path) -> Qwen2ForCausalLM:
    """Return the model that all runs start from, made at the first call."""
    if not folder.exists():
        with TemporaryDirectory(dir=folder.parent) as temporary:  # an interruption leaves no half of a model
            made = Path(temporary, folder.name)
            tiny.make_pretrained()[0].save_pretrained(made)
            with contextlib.suppress(OSError):  # another process has made it meanwhile
                made.rename(folder)
    return Qwen2ForCausalLM.from_pretrained(folder)


def train(cell: dict[str, Any], model: Qwen2ForCausalLM, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return what a run logged at each round, and its accuracy at the end."""
    algo, options = VARIANTS[cell["variant"]]
    tokenizer, rows = tiny.make_tokenizer(), recipe.TINY_QUESTIONS
    steps = STEPS_PER_EPOCH * cell["epochs"]
    settings = recipe.defaults(algo, "tiny") | options
    settings |= {"epsilon": cell["epsilon"], "num_iterations": cell["epochs"], "seed": cell["seed"]}
    settings |= {"max_steps": rounds * steps, "logging_steps": steps}
    reward = MajorityVote(settings["num_generations"]) if cell["reward"] == "vote" else right_answer
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        settings["output_dir"] = folder
        config = recipe.CONFIGS[algo](**settings)
        trainer = recipe.make_trainer(model, tokenizer, rows, reward, config)
        trainer.train()
    logged = [entry for entry in trainer.state.log_history if "accuracy" in entry]
    curves = {
        name: [round(entry[name], 4) for entry in logged]
        for name in ("accuracy", "label_accuracy", "kl", "entropy")
        if name in logged[0]
    }
    final = recipe.sampled_accuracy(model, tokenizer, rows, tiny.MAX_COMPLETION)
    return cell | curves | {"final_accuracy": round(final, 4), "seconds": round(time.perf_counter() - start, 1)}


def finished_runs(file: Path) -> list[dict[str, Any]]:
    """Return the runs that ``file`` holds, after cutting off the half of a line with which an interruption left it."""
    text = file.read_bytes() if file.exists() else b""
    end = text.rfind(b"\n") + 1
    if end < len(text):
        os.truncate(file, end)
    return [json.loads(line) for line in text[:end].splitlines()]


def main() -> None:
    """Do the runs that are not yet done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("logs/gbpo"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    args.output.mkdir(parents=True, exist_ok=True)
    file = args.output / "runs.jsonl"
    done = finished_runs(file)
    for cell in grid(args.seeds):
        if any(cell.items() <= run.items() for run in done):
            continue
        result = train(cell, pretrained(args.output / "model"))
        with file.open("a") as stream:
            stream.write(json.dumps(result) + "\n")
        print({**cell, "final": result["final_accuracy"], "seconds": result["seconds"]}, flush=True)


if __name__ == "__main__":
    main()
