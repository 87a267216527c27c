"""From a variant's rows to those that an objective trains on."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safecot_eval.util.files import content_hash
from safecot_training.preference.failures import read_failures
from safecot_training.preference.own_answers import OwnAnswer, read_own_answers
from safecot_training.preference.pairs import Rows, labelled, refusals_of, with_rejected
from safecot_training.sft.objectives import Objective
from safecot_training.sft.recipe import Recipe
from safecot_training.sft.world import is_first_process


def rows_of(recipe: Recipe, rows: Rows, manifest: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """What a recipe's objective trains on.

    Returns:
        The rows, and a hash of the own answers that they are from; empty without any.

    Raises:
        SafecotError: unreadable own answers, or rows that leave nothing to prefer.
    """
    if recipe.objective is Objective.GRPO:
        return [dict(row) for row in rows], ""
    own = _own_answers(recipe, rows)
    refusals = () if own is not None else refusals_of(manifest, rows)
    if recipe.objective is Objective.DPO:
        made = with_rejected(rows, refusals, recipe.seed, own)
    else:
        made = labelled(rows, refusals, recipe.seed, own)
    if is_first_process():
        print(_counted(recipe, made), file=sys.stderr)
    return made, content_hash({name: answer.text for name, answer in own.items()}) if own else ""


def _own_answers(recipe: Recipe, rows: Rows) -> dict[str, OwnAnswer] | None:
    left_out: Counter[str] = Counter()
    if recipe.rejected:
        expectations = {str(row["id"]): str(row["expectation"]) for row in rows}
        own = read_own_answers(Path(recipe.rejected).expanduser(), expectations)
    elif recipe.failures:
        found = read_failures(
            Path(recipe.failures).expanduser(),
            Path(recipe.data).expanduser(),
            rows,
            recipe.failures_by,
            recipe.base_model,
        )
        own, left_out = found.own, found.left_out
    else:
        return None
    if is_first_process():
        met = Counter(answer.met for answer in own.values())
        text = f"Own answers: {len(own)}; {met[True]} as expected, {met[False]} not, {met[None]} that could not be determined."
        if left_out:
            text += (
                f" Left out: {', '.join(f'{count} {reason}' for reason, count in sorted(left_out.items()))}."
            )
        print(text, file=sys.stderr)
    return own


def _counted(recipe: Recipe, rows: Rows) -> str:
    by_expectation = Counter(str(row["expectation"]) for row in rows)
    told = ", ".join(f"{number} to {name}" for name, number in sorted(by_expectation.items()))
    if recipe.objective is Objective.DPO:
        return f"Pairs: {len(rows)} ({told})."
    wanted = sum(bool(row["desirable"]) for row in rows)
    text = f"Labelled answers: {wanted} desirable, {len(rows) - wanted} undesirable ({told})."
    ratio = recipe.desirable_weight * wanted / (recipe.undesirable_weight * (len(rows) - wanted))
    if not 1 <= ratio <= 4 / 3:
        text += (
            f" The sides weigh {ratio:.2f} to 1; KTO's authors advise 1 to 1.33: try undesirable_weight: "
            f"{wanted * recipe.desirable_weight / (len(rows) - wanted) / 1.15:.2g}."
        )
    return text
