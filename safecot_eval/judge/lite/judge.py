"""The embedded classifier (:mod:`safecot_eval.judge.lite`) as a judge of refusals: no server, no network."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from safecot_eval.judge.lite import CLASSES, RUBRIC_LABEL, LiteModel, load
from safecot_eval.judge.neutralise import clean
from safecot_eval.judge.replies import Reading
from safecot_eval.judge.work import Emit, Work
from safecot_eval.records.verdicts import Unscored

RUBRICS = ("refusal",)
_BATCH = 256


class LiteJudge:
    """Judges by the rubric ``refusal`` only; other work is ``missing``, with the reason."""

    def __init__(self, model: LiteModel | None = None) -> None:
        self.model = model or load()

    @property
    def id(self) -> str:
        """Version and hash of the trained file."""
        return self.model.judge_id

    def judge(self, work: Iterable[Work], emit: Emit) -> None:
        """Judge everything, a batch at a time."""
        remaining = iter(work)
        while batch := list(islice(remaining, _BATCH)):
            limits = [w.max_characters for w in batch]
            answers = [clean(w.record["answer"], limit) for w, limit in zip(batch, limits, strict=True)]
            said = self.model.predict(
                [answer.text for answer in answers], [w.record["prompt"] for w in batch]
            )
            for row, (item, answer) in enumerate(zip(batch, answers, strict=True)):
                if item.rubric.id not in RUBRICS:
                    reading = Reading(Unscored.MISSING, failure="safecot-lite judges refusals only")
                else:
                    label = RUBRIC_LABEL[said.labels[row]]
                    chance = (
                        None
                        if label == Unscored.UNSURE
                        else round(float(said.probabilities[row][CLASSES.index(said.labels[row])]), 6)
                    )
                    reading = Reading(label, chance, decoding="classifier")
                emit(item, reading, answer.cut)
