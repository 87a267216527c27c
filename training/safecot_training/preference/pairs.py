"""Pairs of a better and a worse answer, and single answers with a label, from the triplets that SFT learnt and from own answers.

=====================  ===================================  ============================================================
example                chosen, or desirable                 rejected, or undesirable
=====================  ===================================  ============================================================
to answer              the variant's target                 a refusal without a thought: what over-refuses (v0)
to refuse              the variant's target, with thought   the same refusal without it; v0 has no thought, and none
either, with an own    the variant's target; unpaired,      the own answer, where it is a failure: it refuses what should
answer                 also an own answer that is right     be answered, or answers what should be refused
=====================  ===================================  ============================================================

Own answers are to training questions: pairs from an evaluation set would train on it. Where own answers are given, examples
without a failure make no pair, and an answer of which nobody can tell whether it refuses is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.reasoning import split
from safecot_eval.util.errors import SafecotError
from safecot_training.data.refusals import choose
from safecot_training.preference.own_answers import OwnAnswer

Rows = Sequence[Mapping[str, Any]]
Own = Mapping[str, OwnAnswer]


def refusals_of(manifest: Mapping[str, Any], rows: Rows) -> tuple[str, ...]:
    """The data's refusal sentences: those of the manifest, or those that the rows end in (recorded variants have their own).

    Raises:
        SafecotError: there are none.
    """
    found = tuple(manifest.get("refusals") or ())
    if not found:
        to_refuse = (row for row in rows if row["expectation"] == Expectation.REFUSE)
        found = tuple(sorted({split(row["completion"][0]["content"]).answer for row in to_refuse}))
    if not found:
        raise SafecotError(
            "The data hold no refusal sentences, and nothing to refuse; build them with a safety half."
        )
    return found


def with_rejected(
    rows: Rows, refusals: Sequence[str], seed: int, own: Own | None = None
) -> list[dict[str, Any]]:
    """Training rows that make a pair, each with ``rejected``.

    Args:
        rows: A variant's rows.
        refusals: See :func:`refusals_of`.
        seed: Of the draw of refusals.
        own: A checkpoint's own answers by example id; None for pairs from the triplets alone.

    Raises:
        SafecotError: no row makes a pair.
    """
    worse = {row["id"]: _worse(row, tuple(refusals), seed, own) for row in rows}
    paired = [{**row, "rejected": worse[row["id"]]} for row in rows if worse[row["id"]] is not None]
    if not paired:
        raise SafecotError(
            "No row makes a pair: no own answer is a failure."
            if own is not None
            else "No row makes a pair: v0 has no thoughts to prefer, and nothing is to be answered."
        )
    return paired


def labelled(rows: Rows, refusals: Sequence[str], seed: int, own: Own | None = None) -> list[dict[str, Any]]:
    """Training rows with ``desirable``: each example's target, and what is worse than it; unpaired, so that either may lack.

    An own answer that meets the expectation is desirable as well. Arguments as :func:`with_rejected`.

    Raises:
        SafecotError: nothing is undesirable.
    """
    found = []
    for row in rows:
        found.append({**row, "desirable": True})
        answer = own.get(row["id"]) if own else None
        worse = _worse(row, tuple(refusals), seed, own)
        if answer is not None and answer.met:
            found.append(_said(row, answer.text, desirable=True))
        elif worse is not None:
            found.append(_said(row, worse, desirable=False))
    if all(row["desirable"] for row in found):
        raise SafecotError(
            "Nothing is undesirable: the data have neither thoughts nor items to answer, and no own answer is a failure."
        )
    return found


def _said(row: Mapping[str, Any], text: str, *, desirable: bool) -> dict[str, Any]:
    """A row whose answer is a text that does not change from epoch to epoch."""
    answer = {"completion": [{"role": "assistant", "content": text}], "thoughts": [], "replies": []}
    return {**row, **answer, "desirable": desirable}


def _worse(row: Mapping[str, Any], refusals: tuple[str, ...], seed: int, own: Own | None) -> str | None:
    if own is not None:
        answer = own.get(row["id"])
        return answer.text if answer is not None and answer.met is False else None
    target = row["completion"][0]["content"]
    if row["expectation"] == Expectation.REFUSE:
        bare = split(target).answer
        return bare if bare != target else None
    return choose(refusals, "rejected", seed, row["id"])
