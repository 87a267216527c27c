"""Who says whether a sampled answer refuses, and whether it is useful: phrases, safecot-lite, or a judge behind an endpoint."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from safecot_eval.judge.endpoint.endpoint import URL, configured
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.lite.judge import LiteJudge
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric_files import choose
from safecot_eval.judge.work import Judge, JudgeRequest, work_of
from safecot_eval.records.verdicts import REFUSED_BY_LABEL, USEFUL_BY_LABEL, Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted
from safecot_training.preference.rewards import Sampled
from safecot_training.sft.objectives import Evaluator, RewardSettings

ENOUGH = 16
"""Replies in a row without a verdict that tell a judge which cannot judge."""
_NO_VERDICT = (Unscored.MISSING, Unscored.UNPARSEABLE, Unscored.JUDGE_REFUSED)
_BY_LABEL = {"refusal": REFUSED_BY_LABEL["refusal"], "outcome": USEFUL_BY_LABEL["outcome"]}


class RewardReader:
    """Reads batches of sampled answers.

    Attributes:
        judge: Who is asked; None for the phrases alone.
        rubrics: What it is asked.
    """

    def __init__(self, judge: Judge | None, rubrics: Sequence[str]) -> None:
        self.judge = judge
        self.rubrics = tuple(rubrics)
        self._sets = choose(rubrics) if rubrics else {}
        self._unread: Counter[str] = Counter()

    def read(self, answers: Sequence[Sampled]) -> list[Sampled]:
        """The answers with the judge's readings instead of the phrases'; as they are without a judge.

        Raises:
            SafecotError: an endpoint judged none of the answers.
        """
        if self.judge is None:
            return list(answers)
        found: list[dict[str, ParsedJudgement]] = [{} for _ in answers]

        def emit(work: JudgeRequest, reading: ParsedJudgement, cut: int) -> None:
            found[work.owner][work.set.id] = reading

        work = [
            request
            for number, answer in enumerate(answers)
            for request in work_of(answer.record, self._sets, owner=number)
        ]
        self.judge.judge(work, emit)
        self._require_verdicts(found)
        return [self._told(answer, each) for answer, each in zip(answers, found, strict=True)]

    def _require_verdicts(self, found: Sequence[Mapping[str, ParsedJudgement]]) -> None:
        """Stop at a judge that fails, or whose replies to one of the questions are no verdicts: such rewards teach nothing.

        Raises:
            SafecotError: with the failure, or with what it replied.
        """
        readings = [(rubric, reading) for each in found for rubric, reading in each.items()]
        if readings and all(reading.label == Unscored.MISSING for _, reading in readings):
            failure = readings[0][1].failure
            self._give_up(f"read none of {counted(len(found), 'sampled answer')} ({failure})")
        for rubric, reading in readings:
            self._unread[rubric] = self._unread[rubric] + 1 if reading.label in _NO_VERDICT else 0
            if self._unread[rubric] >= ENOUGH:
                shown = " ".join(str(reading.raw or reading.failure).split())[:80]
                self._give_up(
                    f"gave no verdict ({rubric}) in its last {ENOUGH} replies (the last: {shown!r})"
                )

    def _give_up(self, why: str) -> NoReturn:
        raise SafecotError(
            f"The judge {self.judge.id if self.judge else ''} {why}; see to it and run the same command again (it goes on from the "
            "last checkpoint)."
        )

    def _told(self, answer: Sampled, readings: Mapping[str, ParsedJudgement]) -> Sampled:
        values: dict[str, Any] = {
            rubric: _BY_LABEL[rubric].get(str(readings[rubric].label)) if rubric in readings else None
            for rubric in self.rubrics
        }
        judged = "outcome" in self.rubrics
        return dataclasses.replace(
            answer, refused=values["refusal"], useful=values.get("outcome"), judged=judged
        )


def reader_of(settings: RewardSettings) -> RewardReader:
    """The reader of a recipe.

    Raises:
        SafecotError: a judge without an address, or one that does not answer.
    """
    if settings.by is Evaluator.PHRASES:
        return RewardReader(None, ())
    if settings.by is Evaluator.LITE:
        return RewardReader(LiteJudge(), ("refusal",))
    endpoint = configured(
        url=settings.judge_url or None,
        model=settings.judge_model or None,
        named_by=("rewards.judge_url", "rewards.judge_model"),
    )
    if endpoint is None:
        raise SafecotError(
            f"rewards: by: judge needs an endpoint; give judge_url: http://HOST:PORT/v1, or set {URL}."
        )
    judge = RemoteJudge(endpoint)
    judge.check()
    return RewardReader(judge, ("refusal", "outcome") if settings.acceptance else ("refusal",))
