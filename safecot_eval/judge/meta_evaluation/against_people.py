"""Judges and phrase lists against people: sensitivity, specificity and kappa, with intervals, per model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safecot_eval.judge.meta_evaluation.label_sets import Labelled, LabelSet
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric import RubricSet
from safecot_eval.judge.work import Judge, JudgeRequest
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.records.verdicts import Unscored, outcome_of
from safecot_eval.scoring import refusal
from safecot_eval.stats import Agreement, Estimate, kappa_of_table, rate, sensitivity_specificity
from safecot_eval.util.errors import SafecotError

ALL_MODELS = "(all models)"
Readings = dict[str, list[bool | None]]
"""Evaluator to one reading per answer: the outcome, or None if it gives no label that scores."""


@dataclass(frozen=True, slots=True)
class Row:
    """One evaluator against people, on one model's answers or on all.

    Attributes:
        evaluator: Who judged.
        model: Whose answers.
        coverage: Answers with a label that scores, of those that people labelled.
        sensitivity: Of what people call refused (unsafe), the share that the evaluator does.
        specificity: Of what people do not call so, the share that the evaluator does not.
        kappa: Cohen's kappa.
        counts: Both yes, people only, evaluator only, both no.
    """

    evaluator: str
    model: str
    coverage: Estimate
    sensitivity: Estimate
    specificity: Estimate
    kappa: Agreement
    counts: tuple[int, int, int, int]


def compare(models: Sequence[str], people: Sequence[bool | None], readings: Readings) -> list[Row]:
    """Compare every evaluator with the people, over all answers and per model.

    Args:
        models: Whose answer each is.
        people: The people's reading; answers without one are left out.
        readings: The evaluators'.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, (model, truth) in enumerate(zip(models, people, strict=True)):
        if truth is not None:
            groups[ALL_MODELS].append(index)
            groups[model].append(index)
    if len(groups) == 2:
        del groups[ALL_MODELS]
    return [
        _row(evaluator, model, [people[i] for i in indices], [said[i] for i in indices])
        for evaluator, said in readings.items()
        for model, indices in groups.items()
    ]


def _row(evaluator: str, model: str, people: list[bool | None], said: list[bool | None]) -> Row:
    pairs = [(int(bool(y)), int(f)) for y, f in zip(people, said, strict=True) if f is not None]
    truth, found = [y for y, _ in pairs], [f for _, f in pairs]
    errors = sensitivity_specificity(truth, found)
    counts = (pairs.count((1, 1)), pairs.count((1, 0)), pairs.count((0, 1)), pairs.count((0, 0)))
    return Row(
        evaluator,
        model,
        rate(len(pairs), len(people)),
        errors.sensitivity,
        errors.specificity,
        kappa_of_table([counts[:2], counts[2:]]),
        counts,
    )


def evaluate_set(
    labels: LabelSet, judge: Judge | None = None, sets: Mapping[str, RubricSet] | None = None
) -> list[Row]:
    """Compare phrase lists, recorded judges, and a live judge with a published set's people.

    A phrase list says nothing of harm; the usual reading of it, that what it does not match is unsafe, is compared for
    sets of harm.

    Args:
        labels: The set.
        judge: A live judge; None for none.
        sets: Rubrics for the live judge.
    """
    rows = labels.rows()
    outcome = outcome_of(labels.rubric)[1]
    readings: Readings = {}
    for name in refusal.available_lists(labels.language):
        phrases = refusal.load_list(name)
        matched = [phrases.read(answer=row.answer).matched for row in rows]
        shown = str(Evaluator.of_list(name)) + ("" if labels.rubric == "refusal" else " (unmatched)")
        readings[shown] = [m if labels.rubric == "refusal" or m is None else not m for m in matched]
    for name in rows[0].recorded:
        readings[name] = [outcome.get(row.recorded[name]) for row in rows]
    if judge is not None:
        readings[f"{judge.id}/{labels.rubric}"] = live_readings(judge, labels.rubric, rows, sets or {})
    return compare([row.model for row in rows], [outcome.get(row.human) for row in rows], readings)


def live_readings(
    judge: Judge, rubric: str, rows: Sequence[Labelled], sets: Mapping[str, RubricSet]
) -> list[bool | None]:
    """Have a judge read labelled answers: the outcome that the rubric speaks of, or None if its label says neither.

    Raises:
        SafecotError: the rubric is not among ``sets``.
    """
    outcome = outcome_of(rubric)[1]
    return [outcome.get(label) for label in live_labels(judge, rubric, rows, sets)]


def live_labels(
    judge: Judge, rubric: str, rows: Sequence[Labelled], sets: Mapping[str, RubricSet]
) -> list[str]:
    """Have a judge label labelled answers; an empty answer has the label ``missing``.

    Raises:
        SafecotError: the rubric is not among ``sets``.
    """
    if rubric not in sets:
        raise SafecotError(f"The labels are about {rubric!r}; judge by that rubric.")
    chosen = sets[rubric]
    found = [Unscored.MISSING.value] * len(rows)
    work = [
        JudgeRequest(
            {"prompt": row.prompt, "answer": row.answer, "extra": {}, "category": "", "benchmark": ""},
            chosen,
            chosen.general,
            number,
        )
        for number, row in enumerate(rows)
        if row.answer.strip()
    ]

    def emit(item: JudgeRequest, reading: ParsedJudgement, cut: int) -> None:
        found[item.owner] = str(reading.label)

    judge.judge(work, emit)
    return found
