"""What makes a batch, a step and an epoch of fine-tuning, and what bears loss in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Marker
from safecot_training.sft.families import FAMILIES, family_of
from safecot_training.sft.training_data import as_dataset, image_sizes, load_rows

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]
ARCHITECTURES = ("llava", "qwen2_5_vl", "idefics3")


def trainer_of(recipe, out: Path):
    from transformers import set_seed

    from safecot_training.sft.lengths import token_lengths
    from safecot_training.sft.loading import load_model, load_processor
    from safecot_training.sft.train import checked_collator
    from safecot_training.sft.trainer import build_trainer, training_arguments

    rows, _ = load_rows(recipe)
    config, processor = load_processor(recipe)
    family = family_of(config.model_type, recipe.base_model)
    collator = checked_collator(recipe, config, processor, family)
    lengths = token_lengths(collator, rows, image_sizes(rows))
    set_seed(recipe.seed)
    model = load_model(recipe, family)
    arguments = training_arguments(recipe, out)
    return build_trainer(recipe, arguments, model, collator, as_dataset(rows, lengths), family), rows, lengths


def order_of(trainer) -> list[int]:
    """Row numbers in the order of the first epoch."""
    loader = trainer.get_train_dataloader()
    return [index for batch in loader.batch_sampler for index in batch]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_is_on_the_assistants_tokens_only(architecture: str, make_recipe, tmp_path: Path) -> None:
    """Decode what bears loss: it is the completion and the end of the turn, and nothing else."""
    trainer, rows, _ = trainer_of(make_recipe(architecture), tmp_path)
    tokenizer = trainer.processing_class.tokenizer
    order = order_of(trainer)
    seen = 0
    for batch in trainer.get_train_dataloader():
        for labels in batch["labels"]:
            row = rows[order[seen]]
            learnt = tokenizer.decode(labels[labels != -100])
            assert learnt.rstrip("\n") == row["completion"][0]["content"] + "<|im_end|>"
            assert row["prompt"][0]["content"] not in learnt
            assert not re.search(r"<image>|<\|image_pad\|>|<\|im_start\|>", learnt)
            seen += 1
        if seen >= 24:
            break
    assert seen >= 24
    assert Marker.SAFETY_REASONING.value in rows[order[0]]["completion"][0]["content"]


def test_token_lengths_are_those_of_the_batches(make_recipe, tmp_path: Path) -> None:
    from safecot_training.sft.lengths import token_lengths

    for architecture in ARCHITECTURES:
        trainer, rows, longest = trainer_of(make_recipe(architecture), tmp_path / architecture)
        shown = [{key: value for key, value in row.items() if key != "replies"} for row in rows]
        lengths = token_lengths(trainer.data_collator, shown, image_sizes(shown))
        assert sum(lengths) <= sum(longest)
        order = order_of(trainer)
        actual = [
            int(mask.sum()) for batch in trainer.get_train_dataloader() for mask in batch["attention_mask"]
        ]
        differences = {lengths[index] - tokens for index, tokens in zip(order, actual, strict=True)}
        assert len(differences) <= 3  # off by the template's few tokens, the same for every row
        assert max(abs(difference) for difference in differences) < 40


def test_dealing_by_length_changes_no_step(make_recipe, tmp_path: Path, train) -> None:
    """The seed decides which examples make a step; sorted and dealt to micro-batches, they give the step of one batch."""
    whole = train(make_recipe(batch_size=8, gradient_accumulation=1, max_steps=8), tmp_path / "whole")
    dealt = train(make_recipe(batch_size=2, gradient_accumulation=4, max_steps=8), tmp_path / "dealt")
    for (step, a), (_, b) in zip(whole.card.loss_history, dealt.card.loss_history, strict=True):
        assert abs(a - b) < 1e-4, step
    assert whole.card.loss_history[0][1] > whole.card.loss_history[-1][1] + 0.2


def test_every_example_is_seen_and_the_seed_decides_the_order(make_recipe, tmp_path: Path) -> None:
    orders = [order_of(trainer_of(make_recipe(seed=seed), tmp_path)[0]) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert [sorted(order) for order in orders] == [list(range(len(orders[0])))] * 3


def test_wordings_are_drawn_anew_in_each_epoch(make_recipe, tmp_path: Path, train, monkeypatch) -> None:
    """Two epochs teach different thoughts and refusals for a row; told to keep them, the same."""
    from safecot_training.sft.collator import AnswerCollator

    taught: dict[str, list[str]] = {}

    def watched(self, row, real=AnswerCollator.encode):
        found = real(self, row)
        if "id" in row:
            labels = found["labels"][0]
            taught.setdefault(row["id"], []).append(self.processor.tokenizer.decode(labels[labels != -100]))
        return found

    monkeypatch.setattr(AnswerCollator, "encode", watched)
    settings = {"max_steps": -1, "epochs": 2, "save_steps": 100, "batch_size": 8, "gradient_accumulation": 1}
    train(make_recipe(**settings), tmp_path / "anew")
    assert {len(texts) for texts in taught.values()} == {2}
    changed = sum(len(set(texts)) == 2 for texts in taught.values())
    assert changed > 0.7 * len(taught)
    taught.clear()
    train(make_recipe(wordings="once", **settings), tmp_path / "once")
    assert all(len(set(texts)) == 1 for texts in taught.values())


def test_fewer_samples_are_the_first_ones(make_recipe, tmp_path: Path, train) -> None:
    rows, _ = load_rows(make_recipe(max_samples=10))
    everything, _ = load_rows(make_recipe())
    assert [row["id"] for row in rows] == [row["id"] for row in everything[:10]]
    assert train(make_recipe(max_samples=10, max_steps=2), tmp_path / "out").card.samples == 10


def test_processor_options_of_the_recipe_are_used(make_recipe) -> None:
    from safecot_training.sft.lengths import token_lengths
    from safecot_training.sft.loading import load_processor

    recipe = make_recipe("qwen2_5_vl", processor={"min_pixels": 28 * 28, "max_pixels": 2 * 28 * 28})
    from safecot_training.sft.train import checked_collator

    rows, _ = load_rows(recipe)
    few, many = (
        sum(
            token_lengths(
                checked_collator(given, *load_processor(given), FAMILIES["qwen2_5_vl"]),
                rows,
                image_sizes(rows),
            )
        )
        for given in (recipe, make_recipe("qwen2_5_vl"))
    )
    assert few == many - 3 * len(rows)  # one merged patch instead of four


def test_no_source_question_is_trained_on_and_validated_on(make_recipe, data_folder: Path) -> None:
    from safecot_training.data.dataset import clusters_of
    from safecot_training.sft.training_data import split_validation

    recipe = make_recipe(validation_samples=12)
    rows, held = split_validation(load_rows(recipe)[0], recipe)
    clusters = clusters_of(data_folder)
    assert held
    assert not {clusters[row["id"]] for row in rows} & {clusters[row["id"]] for row in held}
    with pytest.raises(SafecotError, match="leaves 0 to train on"):
        split_validation(rows, make_recipe(validation_samples=len(rows)))
