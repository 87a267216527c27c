"""Paired comparisons of the models on the items that they share, and the ranks these leave open."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import Columns, Key
from safecot_eval.aggregate.definitions import METRICS
from safecot_eval.aggregate.metrics import measures
from safecot_eval.stats import (
    Half,
    balanced_difference,
    holm,
    minimum_detectable_difference,
    paired_difference,
    rank_ranges,
)
from safecot_eval.stats.clusters import design_effect

ALL_PAIRS_UP_TO = 12
"""Models up to which every pair is compared; above, each with the baseline (checkpoints with their base, too), without ranks."""
SIGNIFICANT = 0.05
BALANCED = "balanced"
_HALVES = ("crr", "car")
_COMPARED = (
    "crr",
    "car",
    "asr",
    "siuo_safe",
    "siuo_effective",
    "siuo_both",
    "pair_both_right",
    "consistency",
)


def pair_views(
    tables: Sequence[Columns], baseline: str | None, always: Collection[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Comparisons within each task, metric and evaluator; p values are Holm-adjusted within that family.

    Args:
        tables: The runs.
        baseline: Model that the others are compared with if there are too many for all pairs.
        always: Pairs that are compared however many models there are: a checkpoint and its base.

    Returns:
        ``pairs``: one dict per comparison (rate of ``a`` minus rate of ``b``); ``ranks``: one per model and column.
    """
    columns: defaultdict[tuple[str, Key, str, str], list[tuple[str, Compared]]] = defaultdict(list)
    for table in tables:
        for name, outcomes in _compared(table).items():
            columns[table.task, table.key, *name].append((table.model, outcomes))
    pairs: list[dict[str, Any]] = []
    ranks: list[dict[str, Any]] = []
    for (task, _, metric, evaluator), entries in sorted(columns.items(), key=lambda entry: entry[0]):
        if len(entries) < 2:
            continue
        entries.sort(key=lambda entry: entry[0])
        names = [name for name, _ in entries]
        everyone = len(entries) <= ALL_PAIRS_UP_TO
        anchor = names.index(baseline) if baseline in names else 0
        chosen = (
            list(combinations(range(len(entries)), 2))
            if everyone
            else [(i, anchor) for i in range(len(entries)) if i != anchor] + _pairs_of(names, always, anchor)
        )
        family = [_compare(entries[i], entries[j]) for i, j in chosen]
        adjusted = holm([row["p"] for row in family])
        for row, p in zip(family, adjusted, strict=True):
            row |= {
                "task": task,
                "metric": metric,
                "evaluator": evaluator,
                "p_holm": float(p),
                "family": len(family),
            }
            row["mde"] = _detectable(row, len(family))
        pairs += family
        if everyone and METRICS[metric].better and metric != BALANCED:  # whose ranks standings.py makes
            ranks += _ranks(family, chosen, names, task, metric, evaluator)
    return {"pairs": pairs, "ranks": ranks}


def _pairs_of(
    names: Sequence[str], always: Collection[tuple[str, str]], anchor: int
) -> list[tuple[int, int]]:
    """The pairs of ``always`` that are not compared with the baseline anyhow, by place."""
    found = [(names.index(a), names.index(b)) for a, b in always if a in names and b in names]
    return [pair for pair in found if anchor not in pair]


def compare_two(first: Sequence[Columns], second: Sequence[Columns]) -> list[dict[str, Any]]:
    """Every comparison of two models on comparable tasks; all of them are one Holm family."""
    found = []
    for a in first:
        for b in second:
            if (a.task, a.key) != (b.task, b.key):
                continue
            others = _compared(b)
            for (metric, evaluator), outcomes in _compared(a).items():
                if (metric, evaluator) in others:
                    head = {"task": a.task, "metric": metric, "evaluator": evaluator}
                    pair = _compare((a.model, outcomes), (b.model, others[metric, evaluator]))
                    found.append(head | pair)
    for row, p in zip(found, holm([row["p"] for row in found]), strict=True):
        row |= {"p_holm": float(p), "mde": _detectable(row, len(found))}
    return found


def blind_differences(tables: Sequence[Columns], title: str) -> list[dict[str, Any]]:
    """Each model minus itself asked with blank images, on the tasks that show some; one Holm family.

    Args:
        tables: The runs.
        title: What the blind preset adds to a model's name.
    """
    mark, found = f" + {title}", []
    shown = [table for table in tables if table.key.image_source not in ("", "none")]
    for blind in (table for table in shown if mark in table.model):
        own = _last_part(blind.model.replace(mark, "", 1))
        sighted = [t for t in shown if t.task == blind.task and _last_part(t.model) == own]
        found += compare_two(sighted[:1], [blind])
    for row, p in zip(found, holm([row["p"] for row in found]), strict=True):
        row |= {"p_holm": float(p), "mde": _detectable(row, len(found))}
    return found


def _last_part(model: str) -> str:
    """A model's name without its owner: with a preset it is called by the last part, without one as lmms-eval calls it."""
    return model.replace("__", "/").rstrip("/").rsplit("/", 1)[-1]


def _compared(table: Columns) -> dict[tuple[str, str], Compared]:
    """Outcomes by metric and evaluator, of the balanced rate those of its halves."""
    found: dict[tuple[str, str], Compared] = {
        m.name: (Outcomes(table.ids[m.rows], m.values, table.cluster[m.rows]),)
        for m in measures(table)
        if m.metric in _COMPARED
    }
    for _, evaluator in [name for name in found if name[0] == _HALVES[0]]:
        if (_HALVES[1], evaluator) in found:
            found[BALANCED, evaluator] = tuple(found[half, evaluator][0] for half in _HALVES)
    return found


class Outcomes:
    """Outcomes of one model in the order of the sample ids."""

    def __init__(
        self, ids: NDArray[np.uint64], values: NDArray[np.float64], cluster: NDArray[np.int32]
    ) -> None:
        self.ids, first = np.unique(ids, return_index=True)
        self.values, self.cluster = values[first], cluster[first]


Compared = tuple[Outcomes, ...]
"""What is compared of one model: one set of outcomes, or two whose rates are averaged."""


def _compare(first: tuple[str, Compared], second: tuple[str, Compared]) -> dict[str, Any]:
    (name_a, a), (name_b, b) = first, second
    halves = [_shared(one, other) for one, other in zip(a, b, strict=True)]
    found = balanced_difference(*halves) if len(halves) == 2 else paired_difference(*halves[0])
    return {
        "a": name_a,
        "b": name_b,
        "diff": None if math.isnan(found.diff) else found.diff,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "only_a": found.b,
        "only_b": found.c,
        "n": found.n,
        "n_eff": _effective(halves),
        "not_shared": sum(max(len(one.ids), len(other.ids)) for one, other in zip(a, b, strict=True))
        - found.n,
        "method": found.method,
    }


def _shared(a: Outcomes, b: Outcomes) -> Half:
    """The items of both."""
    if np.array_equal(a.ids, b.ids):
        return Half(a.values, b.values, a.cluster)
    _, rows_a, rows_b = np.intersect1d(a.ids, b.ids, assume_unique=True, return_indices=True)
    return Half(a.values[rows_a], b.values[rows_b], a.cluster[rows_a])


def _effective(halves: Sequence[Half]) -> float:
    """Independent items that would say as much: fewer where whole clusters answer alike or the halves differ in size."""
    difference = np.concatenate([half.a - half.b for half in halves])
    scored = ~np.isnan(difference)
    sizes = [int((~np.isnan(half.a - half.b)).sum()) for half in halves]
    if not all(sizes):
        return 0.0
    n = len(sizes) ** 2 / sum(1 / size for size in sizes)
    index = np.unique(np.concatenate([half.clusters for half in halves])[scored], return_inverse=True)[1]
    if index.max() + 1 == len(index):
        return n
    return n / max(1.0, design_effect(difference[scored], index, lowest=-1.0, highest=1.0))


def _detectable(row: dict[str, Any], family: int) -> float | None:
    """Smallest difference with 80 % power at the first step of Holm; at least 10 % discordant items are assumed."""
    if not row["n_eff"]:
        return None
    discordant = max((row["only_a"] + row["only_b"]) / row["n"], 0.1)
    found = minimum_detectable_difference(row["n_eff"], discordant, alpha=SIGNIFICANT / family)
    return None if math.isnan(found) else found


def _ranks(
    family: Sequence[dict[str, Any]],
    chosen: Sequence[tuple[int, int]],
    names: Sequence[str],
    task: str,
    metric: str,
    evaluator: str,
) -> list[dict[str, Any]]:
    better = np.zeros((len(names), len(names)), dtype=bool)
    up = METRICS[metric].better == "up"
    for row, (i, j) in zip(family, chosen, strict=True):
        if row["p_holm"] <= SIGNIFICANT and row["diff"]:
            winner, loser = (i, j) if (row["diff"] > 0) is up else (j, i)
            better[winner, loser] = True
    head = {"task": task, "metric": metric, "evaluator": evaluator, "of": len(names)}
    return [
        head | {"model": name, "from": low, "to": high}
        for name, (low, high) in zip(names, rank_ranges(better), strict=True)
    ]
