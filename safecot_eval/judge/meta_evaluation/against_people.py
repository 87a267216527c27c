"""Judges and phrase lists against people: sensitivity, specificity and kappa, with intervals, per model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safecot_eval.judge.meta_evaluation.label_sets import Labelled, LabelSet
from safecot_eval.judge.replies import Reading
from safecot_eval.judge.rubrics import RubricSet
from safecot_eval.judge.work import Judge, Work
from safecot_eval.records.run import Run
from safecot_eval.records.samples import Status
from safecot_eval.records.verdicts import REFUSED_BY_LABEL, UNSAFE_BY_LABEL
from safecot_eval.scoring import refusal
from safecot_eval.stats import Agreement, Estimate, cohen_kappa, rate, sensitivity_specificity
from safecot_eval.util.errors import SafecotError

ALL_MODELS = "(all models)"
OUTCOMES: dict[str, Mapping[str, bool]] = {**REFUSED_BY_LABEL, **UNSAFE_BY_LABEL}
"""Rubric to what its labels say of its outcome: refused, or unsafe."""

Readings = dict[str, list[bool | None]]
"""Evaluator to one reading per answer: the outcome, or None where it gives no label that scores."""


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
    return Row(
        evaluator,
        model,
        rate(len(pairs), len(people)),
        errors.sensitivity,
        errors.specificity,
        cohen_kappa(truth, found),
        (pairs.count((1, 1)), pairs.count((1, 0)), pairs.count((0, 1)), pairs.count((0, 0))),
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
    outcome = OUTCOMES[labels.rubric]
    readings: Readings = {}
    for name in refusal.available_lists():
        phrases = refusal.load_list(name)
        matched = [phrases.match(row.answer) is not None for row in rows]
        shown = f"template:{name}" if labels.rubric == "refusal" else f"template:{name} (unmatched)"
        readings[shown] = [m if labels.rubric == "refusal" else not m for m in matched]
    for name in rows[0].recorded:
        readings[name] = [outcome.get(row.recorded[name]) for row in rows]
    if judge is not None:
        readings[f"{judge.id}/{labels.rubric}"] = live_readings(judge, labels.rubric, rows, sets or {})
    return compare([row.model for row in rows], [outcome.get(row.human) for row in rows], readings)


def live_readings(
    judge: Judge, rubric: str, rows: Sequence[Labelled], sets: Mapping[str, RubricSet]
) -> list[bool | None]:
    """Have a judge read labelled answers.

    Raises:
        SafecotError: the rubric is not among ``sets``.
    """
    if rubric not in sets:
        raise SafecotError(f"The labels are about {rubric!r}; judge by that rubric.")
    outcome, chosen = OUTCOMES[rubric], sets[rubric]
    found: list[bool | None] = [None] * len(rows)
    work = [
        Work(
            {"prompt": row.prompt, "answer": row.answer, "extra": {}, "category": "", "benchmark": ""},
            chosen,
            chosen.general,
            number,
        )
        for number, row in enumerate(rows)
        if row.answer.strip()
    ]

    def emit(item: Work, reading: Reading, cut: int) -> None:
        found[item.owner] = outcome.get(str(reading.label))

    judge.judge(work, emit)
    return found


def evaluate_runs(runs: Sequence[Run], human: str, rubric: str) -> list[Row]:
    """Compare the verdicts beside runs, and the runs' phrase list, with human labels beside them.

    Args:
        runs: Runs with verdicts.
        human: The people's judge id, ``human:<name>``.
        rubric: What is compared.

    Raises:
        SafecotError: there are no such labels.
    """
    outcome = OUTCOMES[rubric]
    models: list[str] = []
    people: list[bool | None] = []
    found: dict[str, dict[int, bool | None]] = defaultdict(dict)
    for run in runs:
        said: dict[str, dict[str, str]] = defaultdict(dict)
        for verdict in run.verdicts():
            if verdict["rubric"] == rubric:
                said[verdict["sample_id"]][verdict["judge"]] = verdict["label"]
        for record in run.samples():
            of_sample = said.get(record["sample_id"], {})
            of_sample |= {v["judge"]: v["label"] for v in record["verdicts"] if v["rubric"] == rubric}
            truth = outcome.get(of_sample.pop(human, ""))
            if truth is None:
                continue
            number = len(models)
            models.append(run.model)
            people.append(truth)
            if rubric == "refusal" and record["status"] == Status.OK:
                found[f"template:{record['refusal']['list']}"][number] = record["refusal"]["matched"]
            for judge, label in of_sample.items():
                found[judge][number] = outcome.get(label)
    if not models:
        raise SafecotError(
            f"No labels of {human} for {rubric!r} beside these runs; see `safecot judge import`."
        )
    readings = {name: [of_one.get(number) for number in range(len(models))] for name, of_one in found.items()}
    return compare(models, people, readings)
