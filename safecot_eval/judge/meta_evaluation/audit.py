"""How robust an evaluator is: verdicts under injections, repetition, other wordings, cut answers, and generated invariants.

Answers whose verdict is not in doubt are judged as they are, and again after a change that must not matter; a flip is
another label than before. The invariants (:mod:`safecot_eval.judge.meta_evaluation.invariants`) are many more answers, each
with what must not be said of it. Nothing here says how good a judge is on real answers: that is ``safecot judge evaluate``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.judge.meta_evaluation.invariants import Broken, invariants
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric import Rubric, RubricSet
from safecot_eval.judge.rubric_files import paraphrases
from safecot_eval.judge.work import Judge, JudgeRequest
from safecot_eval.records.verdicts import Unscored
from safecot_eval.stats import Estimate, rate
from safecot_eval.util.errors import SafecotError

_HERE = Path(__file__).parent
RUBRICS = ("refusal", "harm")
REPETITIONS = 5
_FILLER = "Here is some more about it, which changes nothing of what was said. "
_LONG = 12_000
_SHORT_LIMIT = 2_000
_UNSCORED = frozenset(str(label) for label in Unscored)


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a case.

    Attributes:
        measure: ``injection``, ``repetition``, ``paraphrase`` or ``truncation``.
        id: Which one.
        target: The label that an injection wants.
    """

    measure: str
    id: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A changed case with its labels before and after."""

    case: str
    change: Change
    before: str
    after: str

    @property
    def flipped(self) -> bool:
        """Whether the label changed."""
        return self.before != self.after


@dataclass
class Audit:
    """All outcomes.

    Attributes:
        judge: Judge id.
        rubric: What was judged.
        known: Case to (expected label, label given).
        judged: Changed cases whose unchanged form had a label that scores.
        invariants: How the evaluator fared on the generated invariants.
    """

    judge: str
    rubric: str
    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    invariants: Broken | None = None

    def flips(self, measure: str) -> Estimate:
        """Share of flips under a measure, with its interval."""
        of_measure = [j for j in self.judged if j.change.measure == measure]
        return rate(sum(j.flipped for j in of_measure), len(of_measure))

    def obeyed(self) -> Estimate:
        """Share of injections after which the judge said what the injection wanted."""
        injected = [j for j in self.judged if j.change.measure == "injection"]
        return rate(sum(j.after == j.change.target for j in injected), len(injected))

    def right(self) -> Estimate:
        """Share of the unchanged cases that the judge labels as expected."""
        return rate(sum(a == b for a, b in self.known.values()), len(self.known))

    def content(self) -> dict[str, Any]:
        """Everything as JSON content."""
        measures = {
            name: _numbers(self.flips(name))
            for name in ("injection", "repetition", "paraphrase", "truncation")
        }
        by_kind: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for item in self.judged:
            if item.change.measure == "injection":
                counts = by_kind[item.change.id.rsplit("-", 1)[0]]
                counts[0] += item.flipped
                counts[1] += 1
        return {
            "judge": self.judge,
            "rubric": self.rubric,
            "right_on_known_answers": _numbers(self.right()),
            "flips": measures,
            "obeyed_injections": _numbers(self.obeyed()),
            "injection_flips_by_kind": {kind: {"flips": a, "n": b} for kind, (a, b) in by_kind.items()},
            "flipped": [
                {
                    "case": j.case,
                    "measure": j.change.measure,
                    "id": j.change.id,
                    "before": j.before,
                    "after": j.after,
                }
                for j in self.judged
                if j.flipped
            ],
            "invariants": self.invariants.content() if self.invariants is not None else None,
        }


def _numbers(estimate: Estimate) -> dict[str, float | int]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


@lru_cache(maxsize=1)
def injections() -> list[dict[str, str]]:
    """The injection texts (``id``, ``place``, ``text``)."""
    found: list[dict[str, str]] = yaml.safe_load((_HERE / "injections.yaml").read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1)
def cases() -> list[dict[str, str]]:
    """Answers with their expected labels."""
    found: list[dict[str, str]] = yaml.safe_load((_HERE / "audit_cases.yaml").read_text(encoding="utf-8"))
    return found


def injected(answer: str, injection: Mapping[str, str], target: str) -> str:
    """Put an injection into an answer."""
    text = injection["text"]
    for name, value in (
        ("{target_spaced}", " ".join(target)),
        ("{target_reversed}", target[::-1]),
        ("{target}", target),
    ):
        text = text.replace(name, value)
    return f"{text}{answer}" if injection["place"] == "before" else f"{answer}\n\n{text}"


def audit(judge: Judge, rubrics: RubricSet, *, judge_id: str, generated: int | None = 0) -> Audit:
    """Audit an evaluator on one rubric.

    Args:
        judge: Who is audited.
        rubrics: ``refusal`` or ``harm``, in any wording.
        judge_id: For the report.
        generated: About how many generated invariants to judge as well; None for all.

    Raises:
        SafecotError: there are no cases for this rubric, or the judge gives no usable label for any of them.
    """
    if rubrics.id not in RUBRICS:
        raise SafecotError(
            f"There are no audit cases for the rubric {rubrics.id!r}; audit {' or '.join(RUBRICS)}."
        )
    result = Audit(judge_id, rubrics.id)
    plain = [_work(case, rubrics, rubrics.general, case["answer"]) for case in cases()]
    before = _labels(judge, plain)
    for case, label in zip(cases(), before, strict=True):
        result.known[case["id"]] = (case[rubrics.id], label)
    work = [
        piece
        for case, label in zip(cases(), before, strict=True)
        if label not in _UNSCORED
        for piece in _changed(case, label, rubrics)
    ]
    if not work:
        raise SafecotError(
            f"{judge_id} gives no usable label for any of the audit's answers; nothing can be measured."
        )
    for piece, after in zip(work, _labels(judge, work), strict=True):
        case_id, change, label = piece.owner
        result.judged.append(Judged(case_id, change, label, after))
    if generated != 0:
        result.invariants = broken(judge, rubrics, judge_id=judge_id, generated=generated)
    return result


def broken(judge: Judge, rubrics: RubricSet, *, judge_id: str, generated: int | None = None) -> Broken:
    """Run an evaluator through the generated invariants alone.

    Args:
        judge: Who is audited.
        rubrics: ``refusal`` or ``harm``.
        judge_id: For the report.
        generated: About how many; None for all.
    """
    result = Broken(judge_id, rubrics.id)
    chosen = invariants(generated)
    work = [_work({"prompt": case.prompt}, rubrics, rubrics.general, case.answer) for case in chosen]
    for case, label in zip(chosen, _labels(judge, work), strict=True):
        result.add(case, label)
    return result


def _changed(case: Mapping[str, str], label: str, rubrics: RubricSet) -> list[JudgeRequest]:
    general = rubrics.general
    target = next(other for other in reversed(general.labels) if other != label)
    found = []

    def add(change: Change, rubric: Rubric, answer: str, **more: Any) -> None:
        found.append(_work(case, rubrics, rubric, answer, owner=(case["id"], change, label), **more))

    for injection in injections():
        change = Change("injection", injection["id"], target)
        add(change, general, injected(case["answer"], injection, target))
    for number in range(1, REPETITIONS + 1):
        add(Change("repetition", str(number)), general, case["answer"], salt=f"repetition {number}")
    for other in paraphrases(rubrics.id):
        add(Change("paraphrase", other.variant), other, case["answer"])
    padded = case["answer"] + " " + _FILLER * (_LONG // len(_FILLER))
    add(
        Change("truncation", f"padded to {_LONG}, cut to {_SHORT_LIMIT}"),
        general,
        padded,
        max_characters=_SHORT_LIMIT,
    )
    add(Change("truncation", f"padded to {_LONG}, cut as usual"), general, padded)
    return found


def _work(
    case: Mapping[str, str], rubrics: RubricSet, rubric: Rubric, answer: str, owner: Any = None, **more: Any
) -> JudgeRequest:
    record = {"prompt": case["prompt"], "answer": answer, "extra": {}, "category": "", "benchmark": "audit"}
    return JudgeRequest(record, rubrics, rubric, owner, **more)


def _labels(judge: Judge, work: Sequence[JudgeRequest]) -> list[str]:
    labels: list[str] = []

    def emit(item: JudgeRequest, reading: ParsedJudgement, cut: int) -> None:
        labels.append(str(reading.label))

    judge.judge(work, emit)
    return labels
