"""KTO: which answers are labelled how, what a batch holds, that the labels are learnt, and that a resumed run is the same run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_training.preference.own_answers import OwnAnswer
from safecot_training.preference.pairs import labelled, refusals_of
from tests.training.test_dpo import REFUSALS, ROWS

slow = pytest.mark.slow
group = pytest.mark.xdist_group("training")


def told(rows: list[dict]) -> list[tuple[str, str, bool]]:
    return [(row["id"], row["completion"][0]["content"], row["desirable"]) for row in rows]


def test_labels_from_the_triplets() -> None:
    found = told(labelled(ROWS, REFUSALS, 0))
    targets = [(row["id"], row["completion"][0]["content"], True) for row in ROWS]
    assert [line for line in found if line[2]] == targets
    worse = {name: text for name, text, desirable in found if not desirable}
    assert worse["harm"] == "I cannot help with that."
    assert worse["plain"] in REFUSALS
    assert "bare" not in worse


def test_own_answers_are_labelled_by_what_they_did_and_left_out_where_that_cannot_be_told() -> None:
    own = {
        "harm": OwnAnswer("Take a key and turn it.", False),
        "plain": OwnAnswer("It is a mug.", True),
        "bare": OwnAnswer("Das kann ich nicht sagen, denn das Bild zeigt es nicht.", None),
    }
    found = told(labelled(ROWS, (), 0, own))
    assert ("harm", "Take a key and turn it.", False) in found
    assert ("plain", "It is a mug.", True) in found
    assert sum(name == "bare" for name, _, _ in found) == 1  # its target alone
    with pytest.raises(SafecotError, match="Nothing is undesirable"):
        labelled(ROWS, (), 0, {"plain": own["plain"]})


def test_an_answer_of_the_file_keeps_its_words_in_every_epoch() -> None:
    from safecot_training.cot.targets import completion_of

    row = {**ROWS[0], "thoughts": ["One.", "Two."], "replies": list(REFUSALS), "marker": "think"}
    made = labelled([row], REFUSALS, 0)
    for each in made:
        texts = {completion_of(each, 0, epoch) for epoch in range(1, 12)}
        assert (len(texts) > 1) == each["desirable"]


def test_recorded_data_refuse_in_their_own_words() -> None:
    assert refusals_of({"refusals": []}, ROWS) == ("I cannot help with that.", "I'm sorry, but no.")
    with pytest.raises(SafecotError, match="nothing to refuse"):
        refusals_of({}, [row for row in ROWS if row["expectation"] == Expectation.ANSWER])


def labelled_rows(data_folder: Path, count: int) -> list[dict]:
    lines = (data_folder / "v1.jsonl").read_text().splitlines()[:count]
    rows = [
        {**found, "images": [str(data_folder / name) for name in found["images"]]}
        for found in map(json.loads, lines)
    ]
    return labelled(rows, json.loads((data_folder / "manifest.json").read_text())["refusals"], 0)


@slow
@group
@pytest.mark.parametrize("architecture", ["llava", "qwen2_5_vl", "idefics3"])
def test_a_mismatched_answer_has_the_prompt_and_pictures_of_its_row(
    architecture: str, bases, data_folder: Path
) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from safecot_training.preference.kto import LabelCollator
    from safecot_training.sft.collator import AnswerCollator
    from safecot_training.sft.turns import answer_shape

    processor = AutoProcessor.from_pretrained(bases[architecture])
    shape = answer_shape(processor, {processor.tokenizer.eos_token_id}, architecture)
    rows = labelled_rows(data_folder, 4)
    rows[1]["images"] = []  # a row without a picture, and one with two, beside rows with one
    rows[2]["images"] *= 2
    batch = LabelCollator(AnswerCollator(processor, shape))(rows)
    assert batch["label"].tolist() == [row["desirable"] for row in rows]

    def parts(prefix: str) -> tuple[list[list[int]], list[list[int]]]:
        ids, mask = batch[f"{prefix}input_ids"], batch[f"{prefix}completion_mask"].bool()
        seen = batch[f"{prefix}attention_mask"].bool()
        return (
            [row[~m & s].tolist() for row, m, s in zip(ids, mask, seen, strict=True)],
            [row[m].tolist() for row, m in zip(ids, mask, strict=True)],
        )

    prompts, answers = parts("")
    same, shifted = parts("KL_")
    assert prompts == same
    assert shifted == [answers[-1], *answers[:-1]]
    model = AutoModelForImageTextToText.from_pretrained(bases[architecture]).eval()
    images = {key: value for key, value in batch.items() if key.startswith(("pixel", "image"))}
    kinds = {key: batch[f"KL_{key}"] for key in ("token_type_ids", "mm_token_type_ids") if key in batch}
    with torch.no_grad():
        logits = model(
            input_ids=batch["KL_input_ids"], attention_mask=batch["KL_attention_mask"], **images, **kinds
        ).logits
    assert logits.isfinite().all()


@slow
@group
@pytest.mark.parametrize("method", [pytest.param("lora", marks=pytest.mark.full), "full"])
def test_labels_are_learnt_and_a_resumed_run_is_the_same_run(
    method: str, make_recipe, bases, tmp_path: Path, train
) -> None:
    from safetensors.torch import load_file

    recipe = make_recipe(
        "qwen2_5_vl",
        objective="kto",
        method=method,
        max_steps=12,
        max_samples=4,
        learning_rate=2e-3,
        gradient_accumulation=1,
        beta=0.5,
    )
    result = train(recipe, tmp_path / "straight")
    losses = [loss for _, loss in result.card.loss_history]
    assert abs(losses[0] - 0.5) < 0.02  # an answer is worth as much as the reference before the first step
    assert min(losses[-2:]) < losses[0] - 0.03
    readme = (tmp_path / "straight/merged/README.md").read_text()
    assert "Tuned by labels (KTO)" in readme
    assert train(recipe, tmp_path / "straight").was_finished
    shutil.copytree(tmp_path / "straight/trainer", tmp_path / "stopped/trainer")
    shutil.rmtree(tmp_path / "stopped/trainer/checkpoint-12")  # in the fifth of six epochs
    resumed = train(recipe, tmp_path / "stopped")
    assert resumed.resumed_from == "checkpoint-10"
    assert resumed.card.loss_history == result.card.loss_history
    a, b = (load_file(tmp_path / name / "merged/model.safetensors") for name in ("straight", "stopped"))
    assert all(torch.equal(a[name], b[name]) for name in a)


@slow
@group
def test_validation_by_labels(make_recipe, tmp_path: Path, train) -> None:
    recipe = make_recipe(
        objective="kto", max_steps=2, max_samples=20, validation_samples=7, gradient_accumulation=1
    )
    assert len(train(recipe, tmp_path / "out").card.validation_history) == 1


@slow
def test_what_kto_does_not_train(make_recipe) -> None:
    with pytest.raises(SafecotError, match="'batch_size' should be at least 2"):
        make_recipe(objective="kto", batch_size=1)
