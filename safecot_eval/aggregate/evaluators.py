"""Evaluators against each other: confusion and kappa, corrected rates, and what the choice of phrase list changes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from safecot_eval.aggregate.columns import Columns
from safecot_eval.aggregate.corrected import GroupRate, own_rates
from safecot_eval.records.evaluator import Kind
from safecot_eval.records.samples import Expectation
from safecot_eval.records.verdicts import outcome_of
from safecot_eval.stats import clustered_rate, kappa_of_table
from safecot_eval.util.errors import SafecotError

ALL_MODELS = "(all models)"


def judge_views(tables: Sequence[Columns]) -> dict[str, Any]:
    """Agreement, corrected rates and list sensitivity of every run.

    Returns:
        ``agreement``: one dict per run and pair of evaluators that speak of the same thing (2 x 2 counts and kappa), and
        one over all runs of a task (model ``ALL_MODELS``);
        ``corrected``: raw and corrected rates if people labelled; ``lists``: rates under every phrase list.
    """
    return {
        "agreement": _with_totals([row for table in tables for row in _agreement(table)]),
        "corrected": [_corrected(rate) for table in tables for rate in own_rates(table)],
        "lists": [row for table in tables for row in _lists(table)],
    }


def evaluators(tables: Sequence[Columns]) -> dict[str, dict[str, Any]]:
    """Everyone who labelled: by the spelling, what it is and what its labels say.

    Returns:
        ``kind``, ``name``, ``rubric``, ``outcome`` (what a yes means: ``refused``, ``unsafe`` …) and ``yes`` (label to
        True or False; labels that say neither are absent).
    """
    every = {one for table in tables for one in table.evaluators}
    return {
        str(one): {
            "kind": one.kind.value,
            "name": one.name,
            "rubric": one.rubric,
            "outcome": one.outcome,
            "yes": dict(one.by_label),
        }
        for one in sorted(every, key=str)
    }


def against_people(
    tables: Sequence[Columns], human: str, rubric: str
) -> tuple[list[str], list[bool | None], dict[str, list[bool | None]]]:
    """Every evaluator's outcomes on the answers that people labelled.

    Args:
        tables: The runs.
        human: Judge id of the people.
        rubric: What they were asked.

    Returns:
        For each labelled answer whose it is and the people's outcome, and by evaluator its outcome (None if it has
        none). A judge goes by its id, with rubric and hash where it asked in several prompt variants.

    Raises:
        SafecotError: there are no such labels.
    """
    models: list[str] = []
    people: list[bool | None] = []
    said: dict[str, dict[int, bool | None]] = defaultdict(dict)
    every = {one for table in tables for one in table.evaluators if one.rubric == rubric}
    judges = [one.judge for one in every]
    lists = outcome_of(rubric)[0] == "refused"
    for table in tables:
        for person in (one for one in table.evaluators if (one.judge, one.rubric) == (human, rubric)):
            truth = table.outcomes(person)
            rows = np.flatnonzero(~np.isnan(truth))
            numbers = range(len(models), len(models) + len(rows))
            models += [table.model] * len(rows)
            people += [bool(value) for value in truth[rows]]
            for one in table.evaluators:
                if (one.rubric != rubric and not (lists and one.kind is Kind.PHRASES)) or one == person:
                    continue
                name = str(one) if judges.count(one.judge) > 1 else one.judge
                values = table.outcomes(one)[rows].tolist()
                said[name] |= {
                    n: None if math.isnan(v) else bool(v) for n, v in zip(numbers, values, strict=True)
                }
    if not models:
        raise SafecotError(
            f"No labels of {human} for {rubric!r} beside these runs; see `safecot judge import`."
        )
    return models, people, {name: [found.get(n) for n in range(len(models))] for name, found in said.items()}


def _with_totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the pooled counts of each task and pair of evaluators before the rows of its models."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["task"], row["a"], row["b"]].append(row)
    found = []
    for same in groups.values():
        if len(same) > 1:
            counts = np.sum([row["counts"] for row in same], axis=0).tolist()
            found.append({**same[0], "model": ALL_MODELS, **_kappa(counts)})
        found += same
    return found


def _kappa(counts: list[int]) -> dict[str, Any]:
    """Cohen's kappa with its interval, from the counts: both yes, only the first, only the second, both no."""
    kappa = kappa_of_table(np.reshape(counts, (2, 2)))
    shown = {"kappa": kappa.value, "low": kappa.low, "high": kappa.high}
    return {"n": sum(counts), "counts": counts} | {name: _finite(value) for name, value in shown.items()}


def _agreement(table: Columns) -> list[dict[str, Any]]:
    shown = [one for one in table.evaluators if one.kind is not Kind.ALTERNATIVE and one.outcome]
    outcomes = {str(one): (one.outcome, table.outcomes(one)) for one in shown}
    found = []
    for (first, (outcome, a)), (second, (other, b)) in combinations(sorted(outcomes.items()), 2):
        both = ~(np.isnan(a) | np.isnan(b))
        if outcome == other and both.any():
            counts = [int(((a == i) & (b == j)).sum()) for i in (1, 0) for j in (1, 0)]
            head = {"model": table.model, "task": table.task, "outcome": outcome, "a": first, "b": second}
            found.append(head | _kappa(counts))
    return found


def _corrected(rate: GroupRate) -> dict[str, Any]:
    shown = rate.correction.estimate
    return {
        "model": rate.model,
        "task": rate.task,
        "outcome": rate.evaluator.outcome,
        "expectation": rate.expectation,
        "evaluator": str(rate.evaluator),
        "human": str(rate.human),
        "labels": rate.correction.n_labels,
        "raw": rate.raw.value,
        "raw_low": rate.raw.low,
        "raw_high": rate.raw.high,
        "corrected": None if shown is None else _finite(shown.value),
        "low": None if shown is None else shown.low,
        "high": None if shown is None else shown.high,
        "refused": rate.correction.refused,
        "warnings": list(rate.correction.warnings),
    }


def _lists(table: Columns) -> list[dict[str, Any]]:
    found = []
    for one in table.evaluators:
        if not one.is_list:
            continue
        values = table.outcomes(one)
        for expectation in Expectation:
            about = table.expects(expectation)
            if about.any():
                e = clustered_rate(values[about], table.cluster[about])
                found.append(
                    {
                        "model": table.model,
                        "task": table.task,
                        "list": one.id,
                        "own": one.kind is Kind.PHRASES,
                        "expectation": expectation.value,
                        "refused": _finite(e.value),
                        "low": e.low,
                        "high": e.high,
                        "n": e.n,
                    }
                )
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
