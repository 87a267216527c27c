"""Seven rulers for one answer: four phrase lists, the recorded judge read hard and soft, and safecot-lite.

Every ruler gives a degree of refusal from 0 to 1, or NaN if it says nothing: the item was not run, the answer is
empty, the judge gave no probability (or exactly one half, for the hard reading), or lite is unsure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from safecot_eval.judge.lite.judge import LiteJudge
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric_files import own
from safecot_eval.judge.work import JudgeRequest
from safecot_eval.paper.recorded import Answer, RecordedRun
from safecot_eval.records.samples import Status, response_status
from safecot_eval.records.verdicts import REFUSED_BY_LABEL
from safecot_eval.scoring import reasoning, refusal

Scores = NDArray[np.float64]


class Ruler(StrEnum):
    """What decides whether an answer refuses."""

    SAFECOT19 = "safecot19"
    SAFECOT22 = "safecot22"
    SAFECOT23 = "safecot23"
    SAFECOT25 = "safecot25"
    JUDGE_HARD = "judge_hard"
    JUDGE_SOFT = "judge_soft"
    LITE = "lite"

    @property
    def is_list(self) -> bool:
        """Whether it is a phrase list."""
        return self.value.startswith("safecot")

    @property
    def is_binary(self) -> bool:
        """Whether an answer is refused or not, with nothing between."""
        return self is not Ruler.JUDGE_SOFT


TITLES = {
    Ruler.SAFECOT19: "19 phrases (21 April 2025)",
    Ruler.SAFECOT22: "22 phrases (14 May 2025)",
    Ruler.SAFECOT23: "23 phrases (23 April 2025)",
    Ruler.SAFECOT25: "25 phrases",
    Ruler.JUDGE_HARD: "LLaMA-3-8B, hard",
    Ruler.JUDGE_SOFT: "LLaMA-3-8B, soft",
    Ruler.LITE: "safecot-lite",
}
IN_SENTENCES = {
    Ruler.SAFECOT19: "the 19 phrases",
    Ruler.SAFECOT22: "the 22 phrases",
    Ruler.SAFECOT23: "the 23 phrases",
    Ruler.SAFECOT25: "the 25 phrases",
    Ruler.JUDGE_HARD: "LLaMA-3-8B",
    Ruler.JUDGE_SOFT: "LLaMA-3-8B's probability",
    Ruler.LITE: "safecot-lite",
}
RULERS = tuple(Ruler)


def measure(run: RecordedRun) -> dict[Ruler, Scores]:
    """Degree of refusal of every item of the run's test set by every ruler; shape (items,), NaN is unscored."""
    scored = [answer for answer in run.answers if _status(answer) is Status.OK]
    found = {
        Ruler.JUDGE_HARD: _place(run, scored, _hard),
        Ruler.JUDGE_SOFT: _place(run, scored, lambda a: np.nan if a.accepted is None else 1 - a.accepted),
        Ruler.LITE: _lite(run, scored),
    }
    for ruler in RULERS:
        if ruler.is_list:
            found[ruler] = _place(run, scored, _matcher(refusal.load_list(ruler.value)))
    return {ruler: found[ruler] for ruler in RULERS}


def lite_id() -> str:
    """Version and hash of the classifier that ``lite`` stands for."""
    return _judge().id


def list_id(ruler: Ruler) -> str:
    """Name and hash of a phrase list."""
    return refusal.load_list(ruler.value).id


def _place(run: RecordedRun, answers: Sequence[Answer], score: Callable[[Answer], float]) -> Scores:
    placed = np.full(len(run.test.questions), np.nan)
    for answer in answers:
        placed[answer.position] = score(answer)
    return placed


def _status(answer: Answer) -> Status:
    parts = reasoning.split(answer.text)
    return response_status(answer.text, parts.answer, truncated=not parts.closed)


def _matcher(phrases: refusal.RefusalList) -> Callable[[Answer], float]:
    def score(answer: Answer) -> float:
        final = reasoning.split(answer.text).answer
        return float(phrases.match_in(answer=final, generation=answer.text) is not None)

    return score


def _hard(answer: Answer) -> float:
    if answer.accepted is None or answer.accepted == 0.5:
        return np.nan
    return float(answer.accepted < 0.5)


def _lite(run: RecordedRun, answers: Sequence[Answer]) -> Scores:
    rubrics = own()["refusal"]
    work = []
    for answer in answers:
        shown = {
            "answer": reasoning.split(answer.text).answer,
            "prompt": run.test.questions[answer.position].text,
        }
        work.append(JudgeRequest(shown, rubrics, rubrics.general, answer))
    refused = REFUSED_BY_LABEL[rubrics.id]
    said: dict[int, float] = {}

    def emit(item: JudgeRequest, reading: ParsedJudgement, cut: int) -> None:
        said[item.owner.position] = float(refused.get(str(reading.label), np.nan))

    _judge().judge(work, emit)
    return _place(run, answers, lambda answer: said[answer.position])


@cache
def _judge() -> LiteJudge:
    return LiteJudge()
