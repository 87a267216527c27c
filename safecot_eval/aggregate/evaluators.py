"""Evaluators against each other: confusion and kappa, corrected rates, and what the choice of phrase list changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import Columns
from safecot_eval.records.samples import Expectation
from safecot_eval.stats import clustered_rate, cohen_kappa, corrected_rate

KAPPA_UP_TO = 20_000
"""Items from which kappa is worked out; larger tables use that many, evenly spaced."""
ALL_MODELS = "(all models)"


def judge_views(tables: Sequence[Columns]) -> dict[str, Any]:
    """Agreement, corrected rates and list sensitivity of every run.

    Returns:
        ``agreement``: one dict per run and pair of evaluators that speak of the same thing (2 x 2 counts and kappa), and
        one over all runs of a task (model ``ALL_MODELS``);
        ``corrected``: raw and corrected rates where people labelled; ``lists``: rates under every phrase list.
    """
    return {
        "agreement": _with_totals([row for table in tables for row in _agreement(table)]),
        "corrected": [row for table in tables for row in _corrected(table)],
        "lists": [row for table in tables for row in _lists(table)],
    }


def _with_totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the pooled counts of each task and pair of evaluators before the rows of its models."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["a"], row["b"]), []).append(row)
    found = []
    for same in groups.values():
        if len(same) > 1:
            counts = np.sum([row["counts"] for row in same], axis=0)
            labels = np.repeat([(1, 1), (1, 0), (0, 1), (0, 0)], counts, axis=0)
            pooled = {**same[0], "model": ALL_MODELS, "n": len(labels), "counts": counts.tolist()}
            found.append({**pooled, **_kappa(labels[:, 0], labels[:, 1])})
        found += same
    return found


def _kappa(x: NDArray[np.int_], y: NDArray[np.int_]) -> dict[str, float | None]:
    """Cohen's kappa with its interval, from at most ``KAPPA_UP_TO`` items."""
    step = max(1, math.ceil(len(x) / KAPPA_UP_TO))
    kappa = cohen_kappa(x[::step].tolist(), y[::step].tolist())
    return {"kappa": _finite(kappa.value), "low": _finite(kappa.low), "high": _finite(kappa.high)}


def _agreement(table: Columns) -> list[dict[str, Any]]:
    readings = {name: table.reading(name) for name in table.evaluators if not name.startswith("shadow ")}
    found = []
    for (first, (kind, a)), (second, (other, b)) in combinations(sorted(readings.items()), 2):
        if not kind or kind != other:
            continue
        both = np.flatnonzero(~(np.isnan(a) | np.isnan(b)))
        if not len(both):
            continue
        x, y = a[both].astype(int), b[both].astype(int)
        found.append(
            {
                "model": table.model,
                "task": table.task,
                "outcome": kind,
                "a": first,
                "b": second,
                "n": len(both),
                "counts": [int(((x == i) & (y == j)).sum()) for i in (1, 0) for j in (1, 0)],
                **_kappa(x, y),
            }
        )
    return found


def _corrected(table: Columns) -> list[dict[str, Any]]:
    people = [name for name in table.evaluators if name.startswith("human:")]
    found = []
    for human in people:
        kind, truth = table.reading(human)
        if not kind:
            continue
        for name in table.evaluators:
            if name.startswith(("shadow ", "human:")) or table.reading(name)[0] != kind:
                continue
            said = table.reading(name)[1]
            for expectation in Expectation:
                about = table.expects(expectation)
                if about.any():
                    found += _one_correction(table, about, truth, said, kind, human, name, expectation)
    return found


def _one_correction(
    table: Columns,
    about: NDArray[np.bool_],
    truth: NDArray[np.float64],
    said: NDArray[np.float64],
    kind: str,
    human: str,
    name: str,
    expectation: Expectation,
) -> list[dict[str, Any]]:
    scored = about & ~np.isnan(said)
    labelled = scored & ~np.isnan(truth)
    if not labelled.any():
        return []
    clustered = clustered_rate(said[scored], table.cluster[scored])
    effect = max(1.0, clustered.n / clustered.n_eff)
    people = table.evaluators[human]
    result = corrected_rate(
        truth[labelled],
        said[labelled],
        said[scored],
        weights=people.weights[labelled] if people.weights is not None and people.unequal else None,
        design_effect=effect,
        n_total=int(about.sum()),
    )
    shown = result.estimate
    return [
        {
            "model": table.model,
            "task": table.task,
            "outcome": kind,
            "expectation": expectation.value,
            "evaluator": name,
            "human": human,
            "labels": int(labelled.sum()),
            "raw": clustered.value,
            "raw_low": clustered.low,
            "raw_high": clustered.high,
            "corrected": None if shown is None else _finite(shown.value),
            "low": None if shown is None else shown.low,
            "high": None if shown is None else shown.high,
            "refused": result.refused,
            "warnings": list(result.warnings),
        }
    ]


def _lists(table: Columns) -> list[dict[str, Any]]:
    found = []
    for name, labels in table.evaluators.items():
        if not name.startswith(("template:", "shadow ")):
            continue
        values = labels.binary({"refused": True, "complied": False})
        values[np.isnan(values)] = np.nan
        for expectation in Expectation:
            about = table.expects(expectation)
            if about.any():
                e = clustered_rate(values[about], table.cluster[about])
                found.append(
                    {
                        "model": table.model,
                        "task": table.task,
                        "list": name.removeprefix("shadow ").removeprefix("template:"),
                        "own": name.startswith("template:"),
                        "expectation": expectation.value,
                        "refused": _finite(e.value),
                        "low": e.low,
                        "high": e.high,
                        "n": e.n,
                    }
                )
    return found


def _finite(value: float) -> float | None:
    return None if math.isnan(value) or math.isinf(value) else value
