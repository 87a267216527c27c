"""Token lengths are counted once per base and data, and again when either changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from safecot_training.sft import length_cache
from safecot_training.sft.collator import AnswerCollator
from safecot_training.sft.families import family_of
from safecot_training.sft.training_data import load_rows

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]


@pytest.fixture
def data(data_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder, tmp_path / "data", ignore=shutil.ignore_patterns("lengths")))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Ids of the rows that were counted, one list per call."""
    calls: list[list[str]] = []
    count = length_cache.token_lengths

    def spy(collator: AnswerCollator, rows: list[dict[str, Any]], sizes: Any) -> list[int]:
        calls.append([row["id"] for row in rows])
        return count(collator, rows, sizes)

    monkeypatch.setattr(length_cache, "token_lengths", spy)
    return calls


def collator_of(recipe: Any) -> AnswerCollator:
    # These import transformers and trl: not while tests are collected.
    from safecot_training.sft.loading import load_processor
    from safecot_training.sft.train import checked_collator

    config, processor = load_processor(recipe)
    return checked_collator(recipe, config, processor, family_of(config.model_type, recipe.base_model))


def test_a_second_start_counts_nothing(make_recipe, data: Path, counted) -> None:
    recipe = make_recipe(data=str(data))
    rows = load_rows(recipe)[0]
    first = length_cache.kept_lengths(collator_of(recipe), rows, data)
    assert length_cache.kept_lengths(collator_of(recipe), rows, data) == first
    assert length_cache.kept_lengths(collator_of(recipe), rows[5:9], data) == first[5:9]
    assert [len(call) for call in counted] == [len(rows)]


@pytest.mark.parametrize(
    "changed", ["tokenizer", "template", "pixels", "question", "answer", "wording", "picture", "history"]
)
def test_what_changes_a_length_is_counted_again(changed: str, make_recipe, data: Path, counted) -> None:
    recipe = make_recipe("qwen2_5_vl", data=str(data))
    rows = load_rows(recipe)[0]
    length_cache.kept_lengths(collator_of(recipe), rows, data)
    collator = collator_of(recipe)
    processor, row = collator.processor, rows[0]
    if changed == "tokenizer":
        processor.tokenizer.add_tokens(["whatever"])
    elif changed == "template":
        processor.chat_template += "{{ '' }}"
    elif changed == "pixels":
        limited = make_recipe("qwen2_5_vl", data=str(data), processor={"max_pixels": 4 * 28 * 28})
        collator = collator_of(limited)
    elif changed == "question":
        row["prompt"][-1]["content"] += " And why?"
    elif changed == "answer":
        row["completion"][0]["content"] = "Something else altogether, and longer than any wording. " * 9
    elif changed == "wording":
        row["replies"] = [*row["replies"], "A reply that nobody had thought of before, at great length. " * 9]
    elif changed == "picture":
        other = Path(rows[1]["images"][0])
        row["images"] = [str(other)]
    else:
        row["prompt"].insert(0, {"role": "user", "content": "Hello."})
    length_cache.kept_lengths(collator, rows, data)
    everything = changed in ("tokenizer", "template", "pixels")
    assert counted[1] == ([r["id"] for r in rows] if everything else [rows[0]["id"]])


def test_a_damaged_cache_is_none_and_a_folder_that_cannot_be_written_no_obstacle(
    make_recipe, data: Path, counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(data=str(data))
    rows = load_rows(recipe)[0]
    right = length_cache.kept_lengths(collator_of(recipe), rows, data)
    (path,) = (data / "lengths").iterdir()
    key = length_cache.row_key(rows[0])
    for text in ("{", "[]", json.dumps({key: "7"}), json.dumps({key: 0}), json.dumps({key: True})):
        path.write_text(text)
        assert length_cache.kept_lengths(collator_of(recipe), rows, data) == right
    assert len(counted) == 6
    shutil.rmtree(data / "lengths")
    (data / "lengths").write_text("a file where the folder would be")
    assert length_cache.kept_lengths(collator_of(recipe), rows, data) == right


def test_training_uses_the_cache(make_recipe, data: Path, tmp_path: Path, train, counted) -> None:
    recipe = make_recipe(data=str(data), max_steps=1, validation_samples=12)
    first = train(recipe, tmp_path / "a").card
    second = train(recipe, tmp_path / "b").card
    assert len(counted) == 2  # training and validation, at the first start
    assert first.loss_history == second.loss_history
