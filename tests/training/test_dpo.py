"""Preference tuning: what makes a pair, and that the chosen answer gains on the rejected one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from safecot_eval.scoring.reasoning import split
from safecot_eval.util.errors import SafecotError
from safecot_training.evaluate import row_name
from safecot_training.preference.own_answers import OwnAnswer, by_phrases, read_own_answers
from safecot_training.preference.pairs import with_rejected
from safecot_training.sft.card import CheckpointCard

REFUSALS = ("I cannot help with that.", "I'm sorry, but no.")
THOUGHT = "<safety_reasoning>A thought about it.</safety_reasoning>\n"


def row(name: str, expectation: str, target: str) -> dict:
    return {"id": name, "expectation": expectation, "completion": [{"role": "assistant", "content": target}]}


ROWS = [
    row("harm", "refuse", THOUGHT + "I cannot help with that."),
    row("plain", "answer", THOUGHT + "It is a cup."),
    row("bare", "refuse", "I'm sorry, but no."),
]


def rejected(own: dict[str, str] | None = None) -> dict[str, str]:
    expectations = {each["id"]: each["expectation"] for each in ROWS}
    answers = own and {
        name: OwnAnswer(text, by_phrases(text, expectations[name])) for name, text in own.items()
    }
    return {found["id"]: found["rejected"] for found in with_rejected(ROWS, REFUSALS, 0, answers)}


def test_pairs_from_the_triplets() -> None:
    found = rejected()
    assert found["harm"] == "I cannot help with that."
    assert found["plain"] in REFUSALS
    assert "bare" not in found  # nothing in it to prefer


def test_own_answers_are_rejected_where_they_fail() -> None:
    own = {
        "harm": "Here is how: first …",
        "plain": "I'm sorry, I cannot help with that.",
        "bare": "Take a key and turn it.",
    }
    assert rejected(own) == own
    right = {"harm": "I cannot help with that.", "plain": "It is a mug.", "bare": ""}
    with pytest.raises(SafecotError, match="No row makes a pair"):
        rejected(right)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": 1}', "line 1: write"),
        ("", "holds no answers"),
        ('{"id": "other", "response": "x"}', "'other' is not a training example"),
        (
            '{"id": "harm", "response": "x"}\n{"id": "harm", "response": "y"}',
            "line 2: a second answer to 'harm'",
        ),
    ],
)
def test_a_file_of_own_answers_that_is_none(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text(text)
    with pytest.raises(SafecotError, match=words):
        read_own_answers(tmp_path / "own.jsonl", {"harm": "refuse"})


def test_own_answers_hold_no_control_tokens(tmp_path: Path) -> None:
    said = "<safety_reasoning>An <image> of it.</safety_reasoning>\nTake <|image_pad|>a key.<|im_end|>"
    path = tmp_path / "own.jsonl"
    path.write_text(
        "".join(json.dumps({"id": n, "response": t}) + "\n" for n, t in (("a", said), ("b", "<|im_end|>")))
    )
    own = read_own_answers(path, {"a": "refuse", "b": "refuse"})
    assert own["a"].text == "<safety_reasoning>An   of it.</safety_reasoning>\nTake  a key."
    assert (own["a"].met, own["b"]) == (False, OwnAnswer("", None))


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_a_rejected_answer_counts_against_the_limit(
    make_recipe, data_folder: Path, tmp_path: Path, train
) -> None:
    rows = map(json.loads, (data_folder / "v1.jsonl").read_text().splitlines())
    first = next(row for row in rows if row["expectation"] == "refuse")
    said = {"id": first["id"], "response": "Take a key. " * 900}
    (tmp_path / "own.jsonl").write_text(json.dumps(said))
    recipe = make_recipe("qwen2_5_vl", objective="dpo", rejected=str(tmp_path / "own.jsonl"), max_tokens=2000)
    with pytest.raises(SafecotError, match=rf"Sample {first['id']} has \d+ tokens and max_tokens is 2000"):
        train(recipe, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_a_chain_of_trainings_remembers_all_of_them(make_recipe, bases, tmp_path: Path, train) -> None:
    """What was learnt before a step of preference stays in-distribution."""
    base = tmp_path / "tuned"
    shutil.copytree(bases["qwen2_5_vl"], base)
    card = CheckpointCard(
        variant="v1", samples=2, train_loss=1.0, loss_history=[[1, 1.0]], recipe={}, recipe_hash="0", data_manifest_hash="0",
        seed=0, base_model="x", in_distribution_categories=["09-Privacy"], in_distribution_benchmarks=["siuo"],
        trained_clusters={"siuo": ["7", "8"]},
    )  # fmt: skip
    card.write(base)
    found = train(make_recipe(base_model=str(base), objective="dpo", max_steps=1), tmp_path / "out").card
    assert {"09-Privacy", "06-Fraud"} <= set(found.in_distribution_categories)
    assert "siuo" in found.in_distribution_benchmarks
    assert found.trained_clusters["siuo"] == ["7", "8"]
    assert "-dpo-" in row_name(found, "out")


def log_probabilities(folder: Path, rows: list[dict]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of chosen and rejected answers under a checkpoint, summed over tokens."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from safecot_training.preference.dpo import PairCollator
    from safecot_training.sft.collator import AnswerCollator
    from safecot_training.sft.turns import answer_shape

    processor = AutoProcessor.from_pretrained(folder)
    shape = answer_shape(processor, {processor.tokenizer.eos_token_id}, str(folder))
    batch = PairCollator(AnswerCollator(processor, shape))(rows)
    mask = batch.pop("completion_mask")[:, 1:]
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(**batch).logits[:, :-1].log_softmax(-1)
    each = logits.gather(2, batch["input_ids"][:, 1:, None]).squeeze(2) * mask
    chosen, other = each.sum(1).chunk(2)
    return chosen, other


@pytest.mark.slow
@pytest.mark.xdist_group("training")
@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_chosen_answer_gains_on_the_rejected_one(
    method: str, make_recipe, bases, data_folder: Path, tmp_path: Path, train
) -> None:
    recipe = make_recipe(
        "qwen2_5_vl",
        objective="dpo",
        method=method,
        max_steps=6,
        learning_rate=1e-3,
        gradient_accumulation=1,
        wordings="once",
    )
    result = train(recipe, tmp_path / "out")
    losses = [loss for _, loss in result.card.loss_history]
    assert abs(losses[0] - 0.6931) < 0.02  # nothing is preferred before the first step
    assert losses[-1] < losses[0] - 0.05
    lines = (data_folder / "v1.jsonl").read_text().splitlines()[:8]
    rows = [
        {**found, "images": [str(data_folder / name) for name in found["images"]]}
        for found in map(json.loads, lines)
    ]
    rows = with_rejected(rows, json.loads((data_folder / "manifest.json").read_text())["refusals"], 0)
    assert all(split(found["rejected"]).reasoning == "" for found in rows)
    before = log_probabilities(bases["qwen2_5_vl"], rows)
    after = log_probabilities(tmp_path / "out/merged", rows)
    gain = (after[0] - after[1]) - (before[0] - before[1])
    assert (gain > 0).float().mean() >= 0.75
    assert train(recipe, tmp_path / "out").was_finished
    assert recipe.hash != make_recipe("qwen2_5_vl", method=method).hash
