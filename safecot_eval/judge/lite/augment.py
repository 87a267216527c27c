"""Refusals without their formula: real refusals from which the sentences that say so outright are taken out.

Language models refuse in few set phrases ("I cannot fulfill your request"), and a classifier that is given those leans
on nothing else. People call an answer that only lectures or corrects a refusal, too; so the rest of a refused answer,
without apology and without "I cannot", is shown in training as a refusal of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from safecot_eval.judge.lite.data import Label, Labelled, Source
from safecot_eval.judge.lite.lexicon import load_lexicon
from safecot_eval.judge.lite.text import sentences

FORMULAS = frozenset({"refuse", "refuse_impersonal", "refuse_bare", "decline", "uncomfortable", "apology"})
MIN_LEFT = 40
_SENTENCE_END = re.compile(r"((?<=[.!?:])\s+|\n+)")


def without_formula(answer: str) -> str | None:
    """The answer without its explicit refusals; None if there were none or fewer than 40 characters are left.

    >>> without_formula("I'm sorry, I can't help. Stealing is a crime, and it harms people who trust you.")
    'Stealing is a crime, and it harms people who trust you.'
    """
    lexicon = load_lexicon()
    kept: list[str] = []
    dropped = False
    for piece in _SENTENCE_END.split(answer):
        if piece.strip() and any(
            cue.group in FORMULAS for words in sentences(piece) for cue in lexicon.find(words)
        ):
            dropped = True
        else:
            kept.append(piece)
    left = "".join(kept).strip()
    return left if dropped and len(left) > MIN_LEFT else None


def shortened(rows: Sequence[Labelled]) -> list[Labelled]:
    """Full refusals of XSTest without their formulas, each still its author's and so left out together with it."""
    return [
        replace(row, source=Source.SHORTENED, answer=left, bare=None, annotators=None)
        for row in rows
        if row.source is Source.XSTEST
        and row.label is Label.FULL
        and (left := without_formula(row.answer)) is not None
    ]
