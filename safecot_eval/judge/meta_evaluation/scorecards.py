"""Scorecards: what each evaluator is worth on every labelled set, what it costs and how long it takes.

:mod:`safecot_eval.records.scorecards` keeps their files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from safecot_eval.judge.meta_evaluation.against_people import (
    ALL_MODELS,
    Readings,
    Row,
    compare,
    live_labels,
)
from safecot_eval.judge.meta_evaluation.labelled import Labelled, LabelSet
from safecot_eval.judge.rubric import RubricSet
from safecot_eval.judge.work import Judge
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.records.scorecards import Card
from safecot_eval.records.verdicts import Outcome, outcome_of
from safecot_eval.scoring import refusal

CLASSES: dict[str, tuple[str, ...]] = {"outcome": tuple(map(str, Outcome))}
"""Rubrics with more than two classes: their cards say how well each is told."""
LEAST_FOR_WORST = 5
"""Answers on either side that a model needs before its kappa can be the worst: with fewer it is noise."""


@dataclass
class Measured:
    """An evaluator's rows while they are gathered."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    answers: int = 0
    seconds: float | None = None
    dollars: float | None = None

    def took(self, answers: int, seconds: float, dollars: float | None = None) -> None:
        """Add the time, and where known the price, of reading some answers."""
        self.answers += answers
        self.seconds = (self.seconds or 0.0) + seconds
        if dollars is not None:
            self.dollars = (self.dollars or 0.0) + dollars


@dataclass(frozen=True)
class Live:
    """A judge to measure.

    Attributes:
        judge: Who judges.
        rubrics: By which rubrics; sets of labels about others are passed over.
        prices: Dollars per million tokens, in and out; None where nothing is known.
        counts: Tokens in and out so far, of answers that were really asked; None for a judge that counts none.
        trained_on: Sets whose answers it learned from: its rows there say so.
        id: What its verdicts carry; it says which wording was used. By default the judge's own id.
    """

    judge: Judge
    rubrics: Mapping[str, RubricSet]
    prices: tuple[float, float] | None = None
    counts: Callable[[], tuple[int, int]] | None = None
    trained_on: frozenset[str] = frozenset()
    id: str = ""

    @property
    def name(self) -> str:
        """How cards call it."""
        return self.id or self.judge.id


def measure(
    sets: Sequence[LabelSet], live: Live | None = None, *, say: Callable[[str], None] = lambda line: None
) -> list[Card]:
    """Compare phrase lists, recorded judges and a live one with every labelled set.

    Args:
        sets: Labelled sets.
        live: A live judge; None for none.
        say: Receives a line for each set.

    Returns:
        One card per evaluator, in alphabetical order.
    """
    found: dict[str, Measured] = {}
    for labels in sets:
        rows = labels.rows()
        say(f"{labels.name}: {len(rows)} answers")
        readings: Readings = {}
        for name, said in _lists(labels, rows, found):
            readings[name] = said
        outcome = outcome_of(labels.rubric)[1]
        told: dict[str, list[str]] = {
            f"{judge}/{labels.rubric}": [row.recorded[judge] for row in rows] for judge in rows[0].recorded
        }
        own = "" if live is None else f"{live.name}/{labels.rubric}"
        if live is not None and labels.rubric in live.rubrics:
            told[own] = _timed(live, labels, rows, found)
        readings |= {name: [outcome.get(label) for label in said] for name, said in told.items()}
        for name, row in card_rows(labels, rows, readings).items():
            if live is not None and name == own and labels.name in live.trained_on:
                row["trained_on"] = True
            if labels.rubric in CLASSES and name in told:
                row |= classes([row.human for row in rows], told[name], CLASSES[labels.rubric])
            found.setdefault(name, Measured()).rows.append(row)
    return [card(name, measured) for name, measured in sorted(found.items())]


def _lists(
    labels: LabelSet, rows: Sequence[Labelled], found: dict[str, Measured]
) -> Iterable[tuple[str, list[bool | None]]]:
    """The phrase lists of the set's language, where it is about refusals; a list says nothing of harm."""
    if outcome_of(labels.rubric)[0] != "refused":
        return
    for name in refusal.available_lists(labels.language):
        phrases = refusal.load_list(name)
        started = time.perf_counter()
        said = [phrases.read(answer=row.answer).matched for row in rows]
        evaluator = str(Evaluator.of_list(phrases.id))
        found.setdefault(evaluator, Measured()).took(len(rows), time.perf_counter() - started, 0.0)
        yield evaluator, said


def _timed(live: Live, labels: LabelSet, rows: Sequence[Labelled], found: dict[str, Measured]) -> list[str]:
    before = live.counts() if live.counts else (0, 0)
    started = time.perf_counter()
    said = live_labels(live.judge, labels.rubric, rows, live.rubrics)
    seconds = time.perf_counter() - started
    after = live.counts() if live.counts else (0, 0)
    dollars = 0.0 if live.counts is None else None
    if live.prices is not None:
        used = zip(before, after, live.prices, strict=True)
        dollars = sum((b - a) * price / 1e6 for a, b, price in used)
    found.setdefault(f"{live.name}/{labels.rubric}", Measured()).took(len(rows), seconds, dollars)
    return said


def card_rows(labels: LabelSet, rows: Sequence[Labelled], readings: Readings) -> dict[str, dict[str, Any]]:
    """One card row per evaluator: all answers of the set together, and the model that it reads worst."""
    outcome = outcome_of(labels.rubric)[1]
    compared = compare([row.model for row in rows], [outcome.get(row.human) for row in rows], readings)
    found = {}
    for evaluator in readings:
        own = [row for row in compared if row.evaluator == evaluator]
        pooled = next((row for row in own if row.model == ALL_MODELS), own[0])
        found[evaluator] = {"set": labels.name} | row_content(pooled) | _worst(own)
    return found


def classes(people: Sequence[str], said: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """How well each class is told, over the answers to which people gave one.

    An answer to which the evaluator gives no class is missed: it lowers the F1 of the class that people gave it.

    Args:
        people: People's labels.
        said: The evaluator's.
        names: The classes, in the order of the table.

    Returns:
        ``classes``: for each ``n`` (people's), ``f1`` (None where neither gave it), ``precision``, ``recall``; ``macro_f1``
        over the classes that people gave; ``confusion``: people's classes by the evaluator's, with one column more for none.
    """
    pairs = [(truth, label) for truth, label in zip(people, said, strict=True) if truth in names]
    columns = [*names, None]
    table = [
        [sum(t == truth and (s if s in names else None) == label for t, s in pairs) for label in columns]
        for truth in names
    ]
    found: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        right, of_people = table[number][number], sum(table[number])
        of_evaluator = sum(row[number] for row in table)
        both = of_people + of_evaluator
        found[name] = {
            "n": of_people,
            "f1": round(2 * right / both, 4) if both else None,
            "precision": round(right / of_evaluator, 4) if of_evaluator else None,
            "recall": round(right / of_people, 4) if of_people else None,
        }
    given = [one["f1"] for one in found.values() if one["n"]]
    macro = round(sum(given) / len(given), 4) if given else None
    return {"classes": found, "macro_f1": macro, "confusion": table}


def row_content(row: Row) -> dict[str, Any]:
    """Numbers of a row: each with the limits of its 95 % interval; None where it is not defined."""
    return {
        "n": row.coverage.n_total,
        "coverage": _number(row.coverage.value),
        "kappa": _interval(row.kappa),
        "sensitivity": _interval(row.sensitivity),
        "specificity": _interval(row.specificity),
        "counts": list(row.counts),
    }


def _worst(rows: Sequence[Row]) -> dict[str, Any]:
    named = [
        row
        for row in rows
        if row.model != ALL_MODELS
        and min(sum(row.counts[:2]), sum(row.counts[2:])) >= LEAST_FOR_WORST
        and math.isfinite(row.kappa.value)
    ]
    if len(named) < 2:
        return {}
    worst = min(named, key=lambda row: row.kappa.value)
    return {"worst": {"model": worst.model, "kappa": _number(worst.kappa.value), "of": len(named)}}


def _interval(value: Any) -> list[float | None]:
    return [_number(getattr(value, name)) for name in ("value", "low", "high")]


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def card(evaluator: str, measured: Measured) -> Card:
    """A card from an evaluator's rows."""
    made: Card = {"evaluator": evaluator, "rows": measured.rows}
    for name, total in (("seconds_per_1000", measured.seconds), ("dollars_per_1000", measured.dollars)):
        if total is not None and measured.answers:
            made[name] = float(f"{1000 * total / measured.answers:.3g}")
    return made
