# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The command ttrl: its mistakes, and that the tiny model gets better."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from isaaclab_bpo.cli.errors import UserError
from isaaclab_bpo.cli.ttrl import conversations, parse, read_questions

COMMAND = (sys.executable, str(Path(__file__).parents[2] / "scripts" / "trl" / "ttrl.py"))
needs_trl = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="needs the extra isaaclab_bpo[gbpo]")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=environment)


def test_defaults_are_the_paper_for_a_model_and_both_algorithms_for_tiny() -> None:
    tiny, rest = parse(["--epsilon", "0.5"])
    assert (tiny.algo, tiny.settings, rest) == (["gbpo", "grpo"], "tiny", ["--epsilon", "0.5"])
    other, _ = parse(["--model", "org/model"])
    assert (other.algo, other.settings) == (["gbpo"], "aime")


def test_questions_are_read(tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    file.write_text(json.dumps([{"prompt": "1+1?", "answer": 2, "source": "AMC", "id": "0"}]))
    assert read_questions(file) == [{"prompt": "1+1?", "answer": "2"}]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "is not JSON"),
        ("{}", "must be a list of questions, and not an empty one"),
        ("[]", "must be a list of questions, and not an empty one"),
        ('[{"prompt": "1+1?", "answer": 2}, {"prompt": "?"}]', "question 1 needs a text 'prompt' and an 'answer'"),
    ],
)
def test_other_files_are_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    file.write_text(text)
    with pytest.raises(UserError, match=re.escape(sentence)):
        read_questions(file)


@needs_trl
def test_length_of_a_question_is_that_of_the_templates_text(capsys: pytest.CaptureFixture[str]) -> None:
    from isaaclab_bpo.gbpo.tiny import make_tokenizer

    tokenizer, question = make_tokenizer(), r"\frac{1}{2}" * 10
    args, _ = parse(["--model", "org/model", "--instruction", "1"])
    for template, more in ((None, 0), ("{{ '++' + messages[0]['content'] + '=' }}", 3)):
        tokenizer.chat_template = template
        args.max_prompt_length = len(tokenizer(f"{question}\n1").input_ids) + more
        (kept,) = conversations([{"prompt": question}, {"prompt": f"{question}1"}], args, tokenizer)
        assert question in str(kept["prompt"]).replace(r"\\", "\\")
        assert "1 of 2 questions are longer than --max_prompt_length: left out" in capsys.readouterr().out


def test_without_trl_it_says_what_to_install() -> None:
    code = "import sys\nsys.modules['trl'] = None\nfrom isaaclab_bpo.cli.main import main\nmain(['ttrl'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "install the extra isaaclab_bpo[gbpo]" in done.stderr.splitlines()[-1]


@needs_trl
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--loss_type", "sapo"), "loss_type='sapo' is not valid"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)  # each imports TRL
            for case in [
                (("--model", "org/none"), "--dataset is missing"),
                (("--epsilonn", "0.2"), "--epsilonn is an argument neither of ttrl nor of TRL's GBPOConfig"),
                (("--dataset", "org/none"), "--dataset org/none is no file here, and not to be had from the Hub"),
                (("--model", "org/none", "--dataset", "FILE"), "--model org/none is no model's folder here"),
            ]
        ),
    ],
)
def test_mistakes_are_a_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    file.write_text('[{"prompt": "1+1?", "answer": "2"}]')
    done = run(*(str(file) if argument == "FILE" else argument for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"ttrl.py: error: {sentence}")
    assert "Traceback" not in done.stderr


@needs_trl
@pytest.mark.slow
def test_tiny_model_gets_better(tmp_path: Path) -> None:
    done = run("--algo", "gbpo", "--output_dir", str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    ((before, after),) = re.findall(r"GBPO: accuracy ([\d.]+) before, ([\d.]+) after", done.stdout)
    assert float(after) > float(before) + 0.1
    assert (tmp_path / "accuracy.png").exists()
    assert (tmp_path / "gbpo" / "model.safetensors").exists()
