"""Who says whether a sampled answer refuses, and whether it is useful: phrases, safecot-lite, or a judge behind an endpoint."""

from __future__ import annotations

import dataclasses
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
        self._unread = 0

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
        self._require_verdicts([reading for each in found for reading in each.values()], len(answers))
        return [self._told(answer, each) for answer, each in zip(answers, found, strict=True)]

    def _require_verdicts(self, readings: Sequence[ParsedJudgement], answers: int) -> None:
        """Stop at a judge that fails, or whose replies are no verdicts: rewards that nobody gives teach nothing.

        Raises:
            SafecotError: with the failure, or with what it replied.
        """
        missing = [reading for reading in readings if reading.label == Unscored.MISSING]
        if readings and len(missing) == len(readings):
            self._give_up(f"read none of {counted(answers, 'sampled answer')} ({readings[0].failure})")
        for reading in readings:
            self._unread = self._unread + 1 if reading.label in _NO_VERDICT else 0
        if self._unread >= ENOUGH:
            shown = " ".join(str(readings[-1].raw or readings[-1].failure).split())[:80]
            self._give_up(f"gave no verdict in its last {self._unread} replies (the last: {shown!r})")

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
