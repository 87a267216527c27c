"""Pairs of a better and a worse answer, from the triplets that SFT learnt and from a checkpoint's own failures.

=====================  ===================================  ============================================================
example                chosen                               rejected
=====================  ===================================  ============================================================
to answer              the variant's target                 a refusal without a thought: what over-refuses (v0)
to refuse              the variant's target, with thought   the same refusal without it; v0 has no thought, and no pair
either, with an own    the variant's target                 the own answer, where it is a failure: it refuses what should
answer                                                      be answered, or answers what should be refused
=====================  ===================================  ============================================================

Own answers are to training questions (``{"id": EXAMPLE, "response": TEXT}`` a line): pairs from an evaluation set would train on
it. An own answer that is no failure makes no pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.reasoning import split
from safecot_eval.scoring.refusal import match
from safecot_eval.util.errors import SafecotError
from safecot_training.data.refusals import choose
from safecot_training.data.sanitise import sanitise


def read_own_answers(path: Path) -> dict[str, str]:
    """A checkpoint's answers to training questions, by example id.

    Raises:
        SafecotError: unreadable, or a line without ``id`` and ``response``.
    """
    answers = {}
    for number, row in enumerate_jsonl(path):
        if not isinstance(row.get("id"), str) or not isinstance(row.get("response"), str):
            raise SafecotError(f'{path}, line {number}: write {{"id": EXAMPLE, "response": TEXT}}.')
        answers[row["id"]] = row["response"]
    if not answers:
        raise SafecotError(f"{path}: holds no answers.")
    return answers


def with_rejected(
    rows: Sequence[Mapping[str, Any]],
    refusals: Sequence[str],
    seed: int,
    own: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Training rows that make a pair, each with ``rejected``.

    Args:
        rows: A variant's rows.
        refusals: The data set's refusal sentences.
        seed: Of the draw of refusals.
        own: A checkpoint's own answers by example id; None for pairs from the triplets alone.

    Raises:
        SafecotError: an own answer is to no example, the data have no refusals, or no row makes a pair.
    """
    known = {row["id"] for row in rows}
    if own and (unknown := sorted(set(own) - known)):
        raise SafecotError(
            f"The own answers name {unknown[0]!r}, which is no training example ({len(unknown)} such ids); pairs are of training "
            "questions only."
        )
    if not refusals:
        raise SafecotError("The data hold no refusal sentences; build them again with `safecot train data`.")
    paired = [
        {**row, "rejected": rejected}
        for row in rows
        if (rejected := _rejected(row, tuple(refusals), seed, own)) is not None
    ]
    if not paired:
        raise SafecotError(
            "No row makes a pair: v0 has no thoughts to prefer, and no own answer is a failure."
        )
    return paired


def _rejected(
    row: Mapping[str, Any], refusals: tuple[str, ...], seed: int, own: Mapping[str, str] | None
) -> str | None:
    to_refuse = row["expectation"] == Expectation.REFUSE
    if own and row["id"] in own:
        text = sanitise(own[row["id"]])
        failed = bool(text) and (match(split(own[row["id"]]).answer) is None) == to_refuse
        return own[row["id"]] if failed else None
    target = row["completion"][0]["content"]
    if to_refuse:
        bare = split(target).answer
        return bare if bare != target else None
    return choose(refusals, "rejected", seed, row["id"])
