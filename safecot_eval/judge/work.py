"""What there is to judge, and how a verdict is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from safecot_eval.judge.neutralise import MAX_CHARACTERS
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric import Rubric, RubricSet
from safecot_eval.records.samples import SCORED, Record


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One record under one rubric.

    Attributes:
        record: A sample record.
        set: The rubric with its variants.
        rubric: The wording for this record.
        owner: Whatever the caller wants back with the verdict.
        salt: See :func:`safecot_eval.judge.prompts.build`.
        max_characters: Likewise.
    """

    record: Record
    set: RubricSet
    rubric: Rubric
    owner: Any = None
    salt: str = ""
    max_characters: int = MAX_CHARACTERS


Emit = Callable[[JudgeRequest, ParsedJudgement, int], None]
"""Receives each piece of work with its reading and the characters that the judge did not see, in the order given."""


class Judge(Protocol):
    """Who judges."""

    @property
    def id(self) -> str:
        """Judge id, without what the wording adds."""

    def judge(self, work: Iterable[JudgeRequest], emit: Emit) -> None:
        """Judge everything; the work is read as it is needed."""


def work_of(record: Record, sets: Mapping[str, RubricSet], owner: Any = None) -> Iterator[JudgeRequest]:
    """The rubrics that apply to a record: an answer that cannot be scored is not judged.

    Args:
        record: A sample record.
        sets: Rubrics to judge by.
        owner: Passed through.
    """
    if record["status"] not in SCORED:
        return
    for rubrics in sets.values():
        rubric = rubrics.for_record(record)
        if rubric is not None:
            yield JudgeRequest(record, rubrics, rubric, owner)


def verdict_of(work: JudgeRequest, reading: ParsedJudgement, judge_id: str, cut: int) -> dict[str, Any]:
    """A verdict without its place: rubric, label, and what is known beside it."""
    verdict: dict[str, Any] = {"rubric": work.set.id}
    if work.rubric.variant:
        verdict["variant"] = work.rubric.variant
    verdict |= {"rubric_hash": work.set.hash, "judge": judge_id, "label": str(reading.label)}
    if reading.probability is not None:
        verdict["probability"] = reading.probability
    if reading.raw and reading.raw != reading.label:
        verdict["raw"] = reading.raw
    if reading.failure:
        verdict["failure"] = reading.failure
    if reading.decoding:
        verdict["decoding"] = reading.decoding
    if reading.where:
        verdict["where"] = reading.where
    if cut:
        verdict |= {"truncated_input": True, "cut_characters": cut}
    return verdict
