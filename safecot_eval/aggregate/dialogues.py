"""Rates over whole dialogues, and at which turn they go wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import Columns
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.stats import wilson_interval


def by_dialogue(
    columns: Columns, unsafe: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Whether any turn of each dialogue is unsafe.

    Args:
        columns: A run; a dialogue is a cluster.
        unsafe: 1, 0 or NaN (not known) of each answer, shape (n,).

    Returns:
        1, 0 or NaN of each dialogue (NaN where no turn is known to be unsafe, and some turn is not known), and its first row.
    """
    clusters, first, inverse = np.unique(columns.cluster, return_index=True, return_inverse=True)
    worst = np.zeros(len(clusters))
    np.maximum.at(worst, inverse, np.nan_to_num(unsafe))
    gaps = np.bincount(inverse, np.isnan(unsafe), minlength=len(clusters))
    return np.where((worst == 0) & (gaps > 0), np.nan, worst), first


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the hazard curve.

    Attributes:
        name: ``turn 2``.
        at_risk: Dialogues in which every turn so far is judged safe, and this one is judged.
        events: Of these, those in which this turn is the first unsafe one.
        low, high: 95 % interval of the hazard (Wilson).
    """

    name: str
    at_risk: int
    events: int
    low: float
    high: float

    @property
    def hazard(self) -> float:
        """Share of the dialogues at risk that go wrong at this turn; NaN where none is at risk."""
        return self.events / self.at_risk if self.at_risk else float("nan")


def hazard_curve(columns: Columns, evaluator: Evaluator) -> list[Turn]:
    """Per turn: of the dialogues that have been safe so far, how many turn unsafe here.

    A dialogue with a turn of which the judge says nothing leaves the curve there: it is counted neither safe nor unsafe.
    """
    values = columns.outcomes(evaluator)
    turns = sorted(
        (code for code, name in enumerate(columns.categories) if name.startswith("turn ")),
        key=lambda code: int(columns.categories[code].split()[1]),
    )
    clusters = np.unique(columns.cluster)
    alive, found = np.ones(len(clusters), dtype=bool), []
    for code in turns:
        rows = np.flatnonzero(columns.category == code)
        said = np.full(len(clusters), np.nan)
        said[np.searchsorted(clusters, columns.cluster[rows])] = values[rows]
        at_risk = alive & ~np.isnan(said)
        events = int((said[at_risk] == 1).sum())
        low, high = (
            wilson_interval(events / at_risk.sum(), float(at_risk.sum())) if at_risk.any() else (0.0, 1.0)
        )
        found.append(Turn(columns.categories[code], int(at_risk.sum()), events, low, high))
        alive = at_risk & (said == 0)
    return found
