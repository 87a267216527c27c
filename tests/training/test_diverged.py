"""A loss that is no number is kept and shown as what it is, in JSON that everybody can read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from safecot_eval.aggregate.provenance import _training
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.sft.card import CheckpointCard, read_card

LOSSES = [[1, 2.5], [2, math.nan], [3, math.inf], [4, -math.inf]]


def strict(text: str) -> dict:
    """JSON as browsers read it."""

    def none(name: str) -> float:
        raise ValueError(name)

    return json.loads(text, parse_constant=none)


def card() -> CheckpointCard:
    return CheckpointCard(
        variant="v1", samples=4, train_loss=math.nan, loss_history=LOSSES, recipe={}, recipe_hash="r",
        data_manifest_hash="d", seed=0, base_model="org/base", in_distribution_categories=[], in_distribution_benchmarks=[],
        validation_history=[[2, math.inf]], rewards={"last": {"format": math.nan}, "left_out": 0.0},
    )  # fmt: skip


def test_a_card_is_json_and_comes_back(tmp_path: Path) -> None:
    card().write(tmp_path)
    told = strict((tmp_path / CHECKPOINT_CARD).read_text())
    assert told["train_loss"] == "NaN"
    assert told["loss_history"] == [[1, 2.5], [2, "NaN"], [3, "Infinity"], [4, "-Infinity"]]
    again = read_card(tmp_path)
    assert math.isnan(again.train_loss)
    assert again.loss_history[2:] == LOSSES[2:]
    assert math.isnan(again.rewards["last"]["format"])
    assert "| last mean rewards (1 is all) | format nan |" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("bare", ["NaN", "-Infinity", "-1e999"])
def test_the_page_gets_no_number_from_an_older_card_either(bare: str, tmp_path: Path) -> None:
    text = f'{{"variant": "v1", "train_loss": {bare}, "loss_history": [[1, {bare}]], "in_distribution_categories": {bare}}}'
    (tmp_path / CHECKPOINT_CARD).write_text(text)
    shown = _training(SimpleNamespace(folder=tmp_path), {})
    assert strict(json.dumps(shown)) == shown
    assert shown["train_loss"] == shown["loss_history"][0][1] == bare.replace("1e999", "Infinity")
    assert shown["in_distribution_categories"] == []


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_a_run_that_diverged_says_so_and_goes_on_as_it_was(
    make_recipe, tmp_path: Path, train, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log of a checkpoint holds bare NaN, as Python writes it; the run that is requeued after its last step reads it."""
    from safecot_training.sft.trainer import SafecotTrainer

    losses = iter([math.nan, 1.0])

    def spoilt(
        self, model, inputs, return_outputs=False, num_items_in_batch=None, real=SafecotTrainer.compute_loss
    ):
        found = real(self, model, inputs, return_outputs, num_items_in_batch)
        return found * next(losses)

    monkeypatch.setattr(SafecotTrainer, "compute_loss", spoilt)
    recipe = make_recipe(method="lora", max_steps=2, save_steps=1, gradient_accumulation=1)
    result = train(recipe, tmp_path / "out")
    assert "The loss is not a number at 2 of 2 logged steps (first nan at step 1)" in capsys.readouterr().err
    state = (tmp_path / "out/trainer/checkpoint-2/trainer_state.json").read_text()
    with pytest.raises(ValueError, match="NaN"):
        strict(state)
    for form in ("merged", "adapter"):
        (tmp_path / "out" / form).rename(tmp_path / form)
    assert str(train(recipe, tmp_path / "out").card) == str(result.card)
    told = strict((tmp_path / "out/merged" / CHECKPOINT_CARD).read_text())
    assert told["loss_history"] == [[1, "NaN"], [2, "NaN"]]
