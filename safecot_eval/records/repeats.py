"""Several answers to one question (``--repeats k``): how a line of a samples file holds them, and the records they become.

A line of lmms-eval's samples file is one document. Its first answer is the record ``safecot``; the others are in the list
``safecot_repeats``, each with what differs from the first: its own ``sample_id``, so that verdicts and labels name one answer,
and ``repeat``, its number from 1. Question and cluster are the same, so that rates over all answers are clustered by item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from safecot_eval.records.samples import Record
from safecot_eval.util.files import sha256_of

FIRST = "safecot"
OTHERS = "safecot_repeats"
OWN = ("sample_id", "raw", "reasoning", "answer", "status", "refusal", "failure", "verdicts", "repeat")
"""What an answer has for itself; all else is its question's."""


def repeat_id(sample_id: str, repeat: int) -> str:
    """The id of another answer to a sample; the first answer, number 0, has the sample's own.

    >>> repeat_id("00000000000000aa", 0)
    '00000000000000aa'
    >>> repeat_id("00000000000000aa", 1) != repeat_id("00000000000000aa", 2)
    True
    """
    return sha256_of(f"{sample_id}#{repeat}")[:16] if repeat else sample_id


def numbered(record: Record, repeat: int) -> Record:
    """The record of an answer, with the sample's id, under the id of the answer; the first, number 0, stays as it is."""
    if not repeat:
        return record
    return {**record, "sample_id": repeat_id(record["sample_id"], repeat), "repeat": repeat}


def own_part(record: Record) -> Record:
    """What a further answer's record has for itself: what its line holds."""
    return {name: record[name] for name in OWN if name in record}


def records_of(line: Mapping[str, Any]) -> Iterator[Record]:
    """The records of a line, whole, in the order in which the answers were drawn."""
    first: Record = line[FIRST]
    yield first
    others = line.get(OTHERS)
    if others:
        question = {name: value for name, value in first.items() if name not in OWN}
        yield from ({**question, **other} for other in others)
