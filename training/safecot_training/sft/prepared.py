"""What a run starts from, read and checked before PyTorch is imported: a mistake in it is told within a second or two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.generate.models import weights
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.data.dataset import manifest_hash
from safecot_training.sft.card import CheckpointCard, read_card, require_replaceable
from safecot_training.sft.objectives import Objective
from safecot_training.sft.recipe import Method, Recipe
from safecot_training.sft.training_data import load_rows


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recipe's data, as its objective trains on them.

    Attributes:
        rows: Training rows; empty if the run is finished.
        manifest: Of the data folder.
        own_answers: Hash of a checkpoint's own answers that the rows are from; empty without any.
        finished: Card of the run, if it was finished before.
    """

    rows: list[dict[str, Any]]
    manifest: dict[str, Any]
    own_answers: str = ""
    finished: CheckpointCard | None = None


def prepare(recipe: Recipe, out: Path) -> Prepared:
    """Read what a recipe trains on, ask the judge of its rewards, and see whether its run is finished.

    Args:
        recipe: What to do.
        out: Output folder.

    Raises:
        SafecotError: bad data or own answers, a base that is nowhere, an output folder that holds something else, or a judge
            that does not answer.
    """
    rows, manifest = load_rows(recipe)
    if (card := _finished(recipe, manifest, out)) is not None:
        return Prepared([], manifest, finished=card)
    for form in _forms(recipe):
        require_replaceable(out / form, form)
    weights.require_whole_there(recipe.base_model, "Base model")
    if recipe.objective is Objective.SFT:
        return Prepared(rows, manifest)
    if recipe.objective is Objective.GRPO:
        from safecot_training.preference.reward_reader import reader_of

        reader_of(recipe.rewards)
    from safecot_training.preference.rows import rows_of

    rows, own_answers = rows_of(recipe, rows, manifest)
    return Prepared(rows, manifest, own_answers)


def _forms(recipe: Recipe) -> tuple[str, ...]:
    return ("merged",) if recipe.method is Method.FULL else ("merged", "adapter")


def _finished(recipe: Recipe, manifest: dict[str, Any], out: Path) -> CheckpointCard | None:
    """The card of a finished run of a recipe on these data, or None."""
    if not all((out / form / CHECKPOINT_CARD).is_file() for form in _forms(recipe)):
        return None
    card = read_card(out / "merged")
    mine = (recipe.hash, manifest_hash(manifest, recipe.variant.value))
    return card if (card.recipe_hash, card.data_manifest_hash) == mine else None
