# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Test-time reinforcement learning of a language model: arguments, messages, checks before the model loads."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from pathlib import Path
from typing import Any

from .errors import UserError

INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."
REQUIRED = ("trl", "datasets", "math_verify", "matplotlib")
BYTES_PER_PARAMETER = 20
"""In float32: a weight, its gradient, Adam's two moments, and the weight of the reference model."""


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return our arguments, and those of TRL."""
    parser = argparse.ArgumentParser(
        prog="ttrl.py",
        description="Improve a language model by the majority of its own answers.",
        epilog="All other arguments are those of TRL's GRPOConfig and of GBPOConfig, such as --epsilon 0.2.",
        allow_abbrev=False,
    )
    parser.add_argument("--model", default="tiny", help="Hub id, folder, or tiny, made on the spot. Default: tiny.")
    parser.add_argument("--dataset", help="Hub id, or JSON file: a list of objects with prompt and answer.")
    parser.add_argument("--split", default="test", help="Split of a data set of the Hub. Default: test.")
    parser.add_argument("--algo", nargs="+", choices=("gbpo", "grpo"), help="Default: gbpo; both for tiny.")
    parser.add_argument("--settings", choices=("aime", "amc", "tiny"), help="The paper's settings. Default: aime.")
    parser.add_argument("--instruction", default=INSTRUCTION, help="What follows a question. Not for tiny.")
    parser.add_argument("--max_prompt_length", type=int, default=1024, help="Longer questions are left out.")
    parser.add_argument(
        "--samples", type=int, default=16, help="Answers to each question at an evaluation, 0 for none."
    )
    parser.add_argument("--output_dir", type=Path, help="Default: logs/ttrl/<model>/<time>.")
    args, rest = parser.parse_known_args(argv)
    is_tiny = args.model == "tiny"
    args.algo = args.algo or (["gbpo", "grpo"] if is_tiny else ["gbpo"])
    args.settings = args.settings or ("tiny" if is_tiny else "aime")
    if args.output_dir is None:
        args.output_dir = Path("logs", "ttrl", Path(args.model).name, time.strftime("%Y-%m-%d_%H-%M-%S"))
    return args, rest


def run(argv: list[str]) -> None:
    """Train and evaluate, and write the model and a plot of its accuracy.

    Raises:
        UserError: If the command cannot work.
        SystemExit: If argparse rejects the arguments, or after ``--help``.
    """
    args, rest = parse(argv)
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"ttrl needs {', '.join(missing)}, not installed here: install the extra isaaclab_bpo[gbpo]")
    if args.dataset is None and args.model != "tiny":
        raise UserError("--dataset is missing: give a JSON file of questions with prompt and answer, or a Hub id")
    rows = None if args.dataset is None or not Path(args.dataset).is_file() else read_questions(Path(args.dataset))

    try:
        from transformers import AutoTokenizer

        from isaaclab_bpo.gbpo import recipe
    except ImportError as error:  # another version of TRL
        raise UserError(str(error)) from None

    configs = {algo: make_config(algo, args, rest) for algo in args.algo}
    if rows is None and args.dataset is not None:
        rows = download_questions(args.dataset, args.split)
    if args.model == "tiny":
        model = make_tiny(args.output_dir / "tiny")
    else:
        check_model(model := args.model)
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    rows = recipe.TINY_QUESTIONS if rows is None else conversations(rows, args, tokenizer)
    curves, results = {}, {}
    for algo, config in configs.items():
        print(f"[isaaclab_bpo] {algo.upper()}: {len(rows)} questions, output in {config.output_dir}", flush=True)
        results[algo], curves[algo] = recipe.improve(model, tokenizer, rows, config, args.samples)
    for algo, (before, after) in results.items():
        if args.samples:
            print(f"[isaaclab_bpo] {algo.upper()}: accuracy {before:.3f} before, {after:.3f} after")
    recipe.plot_accuracy(curves, args.output_dir / "accuracy.png")
    print(f"[isaaclab_bpo] {args.output_dir / 'accuracy.png'}")


def read_questions(file: Path) -> list[dict[str, Any]]:
    """Return the questions of a JSON file, which is a list, or has one object a line.

    Raises:
        UserError: If it is something else.
    """
    try:
        text = file.read_text(encoding="utf-8")
        lines = file.suffix == ".jsonl"
        rows = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except ValueError as error:  # of decoding, too
        raise UserError(f"--dataset {file} is not JSON: {error}") from None
    return checked_questions(rows, str(file))


def checked_questions(rows: Any, source: str) -> list[dict[str, Any]]:
    """Return questions that have what is needed of them.

    Raises:
        UserError: If one has not.
    """
    if not isinstance(rows, list) or not rows:
        raise UserError(f"--dataset {source} must be a list of questions, and not an empty one")
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("prompt"), str) or "answer" not in row:
            raise UserError(f"--dataset {source}: question {number} needs a text 'prompt' and an 'answer'")
    return [{"prompt": row["prompt"], "answer": str(row["answer"])} for row in rows]


def download_questions(name: str, split: str) -> list[dict[str, Any]]:
    """Return the questions of a data set of the Hub.

    Raises:
        UserError: If it cannot be had, or has other columns.
    """
    from datasets import load_dataset

    try:
        rows = load_dataset(name, split=split).to_list()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"--dataset {name} is no file here, and not to be had from the Hub ({first_line(error)}): give a JSON file"
        ) from None
    return checked_questions(rows, name)


def make_config(algo: Any, args: argparse.Namespace, rest: list[str]) -> Any:
    """Return TRL's configuration of an algorithm: the paper's settings, and the user's arguments.

    Raises:
        UserError: If an argument is unknown or a value is not valid.
    """
    from transformers import HfArgumentParser

    from isaaclab_bpo.gbpo import recipe

    class Parser(HfArgumentParser):
        def error(self, message: str) -> Any:
            raise UserError(message)

    parser = Parser(recipe.CONFIGS[algo], prog="ttrl.py", allow_abbrev=False)  # type: ignore[arg-type]
    parser.set_defaults(**recipe.defaults(algo, args.settings))
    folder = str(args.output_dir / algo)
    try:
        config, left = parser.parse_args_into_dataclasses(
            ["--output_dir", folder, *rest], return_remaining_strings=True, look_for_args_file=False
        )
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from None
    # An argument of GBPO's alone may be there while GRPO is trained beside it
    if left and not (algo == "grpo" and "gbpo" in args.algo):
        raise UserError(f"{left[0]} is an argument neither of ttrl nor of TRL's {recipe.CONFIGS[algo].__name__}")
    return config


def make_tiny(folder: Path) -> str:
    """Make the model that adds numbers, in a folder, and return where it is."""
    from isaaclab_bpo.gbpo import tiny

    print("[isaaclab_bpo] Making a model that adds numbers: half a minute of a core.", flush=True)
    for part in tiny.make_pretrained():
        part.save_pretrained(folder)
    return str(folder)


def check_model(name: str) -> None:
    """Say what memory a model will need.

    Raises:
        UserError: If it is neither here nor to be had from the Hub.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--model {name} is no model's folder here, and not to be had from the Hub ({first_line(error)}): download "
            "it where there is a network, with 'hf download', and give its folder"
        ) from None
    with torch.device("meta"):
        size = AutoModelForCausalLM.from_config(config).num_parameters()
    needed = size * BYTES_PER_PARAMETER / 2**30
    there = torch.cuda.mem_get_info()[0] / 2**30 if torch.cuda.is_available() else None
    where = "no GPU is here" if there is None else f"{there:.0f} GiB are free on the GPU"
    print(
        f"[isaaclab_bpo] {name}: {size / 1e9:.2f} billion parameters, at least {needed:.1f} GiB to train them in "
        f"float32, and more for activations and caches; {where}.",
        flush=True,
    )


def conversations(rows: list[dict[str, Any]], args: argparse.Namespace, tokenizer: Any) -> list[dict[str, Any]]:
    """Return questions as the model is to see them, without those that are too long.

    Raises:
        UserError: If none is left.
    """
    if args.model != "tiny":
        for row in rows:
            text = f"{row['prompt']}\n{args.instruction}"
            row["prompt"] = [{"role": "user", "content": text}] if tokenizer.chat_template else text
    kept = [row for row in rows if _num_tokens(row["prompt"], tokenizer) <= args.max_prompt_length]
    if not kept:
        raise UserError(f"all questions are longer than --max_prompt_length {args.max_prompt_length}")
    if len(kept) < len(rows):
        left_out = len(rows) - len(kept)
        print(f"[isaaclab_bpo] {left_out} of {len(rows)} questions are longer than --max_prompt_length: left out.")
    return kept


def _num_tokens(prompt: Any, tokenizer: Any) -> int:
    """Return the length of a prompt, a text or a conversation, as the model gets it."""
    if isinstance(prompt, str):
        return len(tokenizer(prompt).input_ids)
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return len(tokenizer(text, add_special_tokens=False).input_ids)  # the template has put them in


def first_line(error: Exception) -> str:
    """Return the first sentence of an error."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
