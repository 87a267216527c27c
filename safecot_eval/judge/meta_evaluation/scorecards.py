"""Scorecards: what each evaluator is worth on every labelled set, what it costs and how long it takes.

A card is a JSON object: ``evaluator`` (as verdicts and tables spell it), ``title``, ``rows`` (one per labelled set) and,
where known, ``seconds_per_1000`` and ``dollars_per_1000`` answers. Cards that ship are in ``scorecards.json``, written by
``bench/scorecards.py``; a card of an evaluator that was measured here lies in the cache folder and is found as well.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from safecot_eval.judge.meta_evaluation.against_people import (
    ALL_MODELS,
    Readings,
    Row,
    compare,
    live_readings,
)
from safecot_eval.judge.meta_evaluation.labelled import Labelled, LabelSet
from safecot_eval.judge.rubrics import RubricSet
from safecot_eval.judge.work import Judge
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.records.verdicts import outcome_of
from safecot_eval.scoring import refusal
from safecot_eval.util.files import write_text
from safecot_eval.util.paths import cache_dir

SCHEMA = 1
SHIPPED = Path(__file__).with_name("scorecards.json")
LEAST_FOR_WORST = 5
"""Answers on either side that a model needs before its kappa can be the worst: with fewer it is noise."""

Card = dict[str, Any]


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
    """

    judge: Judge
    rubrics: Mapping[str, RubricSet]
    prices: tuple[float, float] | None = None
    counts: Callable[[], tuple[int, int]] | None = None
    trained_on: frozenset[str] = frozenset()


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
        for judge in rows[0].recorded:
            readings[f"{judge}/{labels.rubric}"] = [outcome.get(row.recorded[judge]) for row in rows]
        if live is not None and labels.rubric in live.rubrics:
            readings[f"{live.judge.id}/{labels.rubric}"] = _timed(live, labels, rows, found)
        for name, row in card_rows(labels, rows, readings).items():
            if (
                live is not None
                and name == f"{live.judge.id}/{labels.rubric}"
                and labels.name in live.trained_on
            ):
                row["trained_on"] = True
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


def _timed(
    live: Live, labels: LabelSet, rows: Sequence[Labelled], found: dict[str, Measured]
) -> list[bool | None]:
    before = live.counts() if live.counts else (0, 0)
    started = time.perf_counter()
    said = live_readings(live.judge, labels.rubric, rows, live.rubrics)
    seconds = time.perf_counter() - started
    after = live.counts() if live.counts else (0, 0)
    dollars = 0.0 if live.counts is None else None
    if live.prices is not None:
        used = zip(before, after, live.prices, strict=True)
        dollars = sum((b - a) * price / 1e6 for a, b, price in used)
    found.setdefault(f"{live.judge.id}/{labels.rubric}", Measured()).took(len(rows), seconds, dollars)
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


def save(cards: Sequence[Card], path: Path | None = None) -> list[Path]:
    """Write cards: to one file, or each to the cache folder, where pages find them.

    Raises:
        SafecotError: the place cannot be written to.
    """
    if path is not None:
        write_text(
            path, json.dumps({"schema": SCHEMA, "cards": list(cards)}, indent=1, ensure_ascii=False) + "\n"
        )
        return [path]
    written = []
    for one in cards:
        target = _folder() / (re.sub(r"[^\w.+@-]+", "-", one["evaluator"]) + ".json")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(
            target, json.dumps({"schema": SCHEMA, "cards": [one]}, indent=1, ensure_ascii=False) + "\n"
        )
        written.append(target)
    _known.cache_clear()
    return written


def _folder() -> Path:
    return cache_dir() / "judge" / "scorecards"


def scorecard(evaluator: Evaluator) -> Card | None:
    """The card of an evaluator, as it ships or as it was measured on this machine; None where there is none.

    A phrase list is known by its name and the hash of its phrases, a judge by its id and rubric.
    """
    cards = _known(str(_folder()))
    if evaluator.is_list:
        return cards.get(str(Evaluator.of_list(evaluator.id)))
    return cards.get(f"{evaluator.judge}/{evaluator.rubric}")


@lru_cache(maxsize=4)
def _known(folder: str) -> dict[str, Card]:
    found: dict[str, Card] = {}
    for path in (SHIPPED, *sorted(Path(folder).glob("*.json"))):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            cards = content["cards"] if content.get("schema") == SCHEMA else []
            found |= {str(one["evaluator"]): one for one in cards if one["rows"]}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # a card is an ornament: a page is made without it
    return found
