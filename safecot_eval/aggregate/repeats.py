"""Several answers to each item (``--repeats k``): worst of k, hit@k and flip rate, beside the mean that every rate is.

An item counts if all its k answers are scored. With n of them and answers that are independent with probability p, worst of k
is p to the power k in expectation, hit@k is 1 - (1 - p)^k, and the flip rate is what lies between; items differ, which is
what these rates show and a mean does not. Intervals are over items, clustered by source question as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import Columns

Floats = NDArray[np.float64]
EXTREMES: dict[str, tuple[tuple[str, bool], ...]] = {
    "crr": (("crr_worst", False), ("crr_hit", True)),
    "car": (("car_worst", False), ("car_hit", True)),
    "asr": (("asr_worst", True),),
}
"""Metric to those of the k answers together: whether the largest outcome counts, or the smallest."""


def by_item(
    columns: Columns, values: Floats, rows: NDArray[np.intp]
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """The smallest and the largest outcome among the answers to each item.

    Args:
        columns: The run.
        values: Outcomes, NaN for unscored, shape (m,).
        rows: The answers that they belong to, shape (m,).

    Returns:
        Smallest and largest, shape (items,), NaN unless all k answers are scored; and the row of each item's first answer.
    """
    item = np.arange(len(columns)) if columns.item is None else columns.item
    _, first, place, count = np.unique(item[rows], return_index=True, return_inverse=True, return_counts=True)
    least, most = np.full(len(first), np.inf), np.full(len(first), -np.inf)
    known = np.nan_to_num(values)
    np.minimum.at(least, place, known)
    np.maximum.at(most, place, known)
    unscored = np.bincount(place, np.isnan(values), minlength=len(first)) > 0
    out = unscored | (count < count.max(initial=0))
    least[out] = most[out] = np.nan
    return least, most, rows[first]


def together(
    columns: Columns, metric: str, values: Floats, rows: NDArray[np.intp]
) -> Iterator[tuple[str, Floats, NDArray[np.intp]]]:
    """The metrics of k answers together that belong to a metric: name, outcomes of the items, their rows."""
    if columns.item is None or metric not in EXTREMES or not len(rows):
        return
    least, most, first = by_item(columns, values, rows)
    for name, largest in EXTREMES[metric]:
        yield name, most if largest else least, first


def flips(columns: Columns, values: Floats, rows: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """For each item 1 if its answers are not all alike, 0 if they are, NaN if one is unscored; and the items' rows."""
    least, most, first = by_item(columns, values, rows)
    return most - least, first


def repeat_views(tables: Sequence[Columns], cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per evaluator of each run with several answers to an item.

    Args:
        tables: The runs.
        cells: Their cells on the leaderboard.

    Returns:
        ``model``, ``task``, ``evaluator``, ``k``, ``items``, and ``rates``: metric to ``value`` (None if nothing is scored), ``low``,
        ``high``, ``n``; of ``crr``, ``car`` and ``asr`` the mean over all answers and those of k together, and ``flip``.
    """
    shown = {*EXTREMES, *(name for names in EXTREMES.values() for name, _ in names), "flip"}
    found = []
    for table in tables:
        if table.item is None:
            continue
        rates: dict[str, dict[str, Any]] = {}
        for cell in cells:
            if (cell["model"], cell["task"]) == (table.model, table.task) and cell["metric"] in shown:
                of_one = {name: cell[name] for name in ("value", "low", "high", "n")}
                rates.setdefault(cell["evaluator"], {})[cell["metric"]] = of_one
        sizes = np.unique(table.item, return_counts=True)[1]
        head = {"model": table.model, "task": table.task, "k": int(sizes.max()), "items": len(sizes)}
        found += [{**head, "evaluator": name, "rates": of_one} for name, of_one in rates.items()]
    return found
