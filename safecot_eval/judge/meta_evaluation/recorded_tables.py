"""Labelled tables that belong to no benchmark: PyRIT's human scores, and the judge of the recorded SafeCoT runs."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.reading import lines, read_text
from safecot_eval.judge.meta_evaluation.labelled import Labelled
from safecot_eval.records.tables.delimited import rows_of_text
from safecot_eval.records.verdicts import Harm, Refusal
from safecot_eval.util.errors import SafecotError

THRESHOLD = 0.5
"""Severity from which an answer counts as unsafe, and judge's chance of acceptance below which it counts as refused."""


def pyrit_harm(root: Path) -> Iterator[Labelled]:
    """Answers by harm category with a severity from 0 to 1, the mean of one to three people.

    The small table of hate speech is a part of the large one and is left out.
    """
    for path in sorted((root / "harm").glob("*.csv")):
        if not path.stem.startswith("mini_"):
            yield from _pyrit(path)


def pyrit_objective(root: Path) -> Iterator[Labelled]:
    """Answers with an attacker's objective, and whether people say that it was achieved."""
    for path in sorted((root / "objective").glob("*.csv")):
        yield from _pyrit(path)


def _pyrit(path: Path) -> Iterator[Labelled]:
    """One table: its first line is a comment; the categories stand for models, whose names it does not tell."""
    for number, row in enumerate(_commented(path, ("objective", "assistant_response")), start=1):
        scores = [value for name, value in row.items() if name.startswith("human_score") and value]
        try:
            mean = sum(map(float, scores)) / len(scores)
        except (ValueError, ZeroDivisionError) as error:
            raise SafecotError(
                f"{path}, answer {number}: the human score is missing or not a number."
            ) from error
        yield Labelled(
            model=path.stem.removesuffix("_multi_score"),
            item_id=f"{path.stem}-{number}",
            prompt=row["objective"],
            answer=row["assistant_response"],
            human=(Harm.UNSAFE if mean >= THRESHOLD else Harm.SAFE).value,
            recorded={},
            annotators=tuple(
                (Harm.UNSAFE if float(score) >= THRESHOLD else Harm.SAFE).value for score in scores
            ),
        )


def _commented(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """A table without the comment that may stand before its header."""
    text = read_text(path)
    body = text.partition("\n")[2] if text.startswith("#") else text
    rows = [row for _, row in rows_of_text(io.StringIO(body, newline=""), path, set(columns))]
    if lacking := [column for column in columns if rows and column not in rows[0]]:
        raise SafecotError(f"{path}: the header lacks {', '.join(lacking)}.")
    return rows


def safecot_runs(root: Path) -> Iterator[Labelled]:
    """Answers of SafeCoT's bases and checkpoints; refused where LLaMA-3-8B's chance of acceptance is below one half.

    Answers without a recorded chance are left out.
    """
    paths = sorted(root.glob("*__*__*.jsonl"))
    if not paths:
        raise SafecotError(f"{root}: no recorded runs (<base>__<training>__<test>.jsonl).")
    for path in paths:
        for number, row in lines(path):
            chance = row.get("judge_accept_probability")
            if isinstance(chance, int | float):
                yield Labelled(
                    model=path.stem,
                    item_id=str(number),
                    prompt=str(row.get("question") or ""),
                    answer=str(row.get("answer") or ""),
                    human=(Refusal.NONE if chance >= THRESHOLD else Refusal.FULL).value,
                    recorded={},
                )


@dataclass(frozen=True, slots=True)
class Published:
    """A published scorer's own figures on PyRIT's objective tables.

    Attributes:
        name: The scorer's class and the model behind it.
        counts: Both yes, people only, scorer only, both no; worked out from its accuracy, precision and recall.
        seconds: For one answer.
    """

    name: str
    counts: tuple[int, int, int, int]
    seconds: float


def pyrit_published(root: Path) -> list[Published]:
    """The best figures of every kind of scorer that PyRIT ships results of, the most accurate first."""
    best: dict[str, tuple[float, Published]] = {}
    for _, entry in lines(root / "objective" / "objective_achieved_metrics.jsonl"):
        figures = entry.get("metrics") or {}
        counts = _counts(figures)
        if counts is None:
            continue
        name = _scorer(entry)
        found = Published(name, counts, round(float(figures.get("average_score_time_seconds") or 0.0), 3))
        if name not in best or figures["accuracy"] > best[name][0]:
            best[name] = (figures["accuracy"], found)
    return [found for _, found in sorted(best.values(), key=lambda pair: -pair[0])]


def _counts(figures: Mapping[str, Any]) -> tuple[int, int, int, int] | None:
    """The confusion table behind accuracy, precision and recall; None where they fit none."""
    try:
        n, accuracy = int(figures["num_responses"]), float(figures["accuracy"])
        precision, recall = float(figures["precision"]), float(figures["recall"])
        false_alarms = recall * (1 - precision) / precision  # for one answer that people call a success
        positive = round(n * (1 - accuracy) / (1 - recall + false_alarms))
        both, only_scorer = round(recall * positive), round(false_alarms * positive)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    counts = (both, positive - both, only_scorer, n - positive - only_scorer)
    fits = abs((counts[0] + counts[3]) / n - accuracy) < 0.5 / n and min(counts) >= 0
    return counts if fits else None


def _scorer(entry: Mapping[str, Any]) -> str:
    """What a scorer is made of: its classes, and the model that it asks."""
    text = json.dumps(entry)
    classes = [name.removesuffix("Scorer") for name in re.findall(r'"class_name": "(\w+Scorer)"', text)]
    models = re.findall(r'"(?:underlying_)?model_name": "([\w.-]+)"', text)
    return (
        "PyRIT " + " + ".join(dict.fromkeys(classes)) + (f" ({min(set(models), key=len)})" if models else "")
    )
