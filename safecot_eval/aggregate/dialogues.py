"""Rates over whole dialogues, and at which turn they go wrong.

With ``--repeats k`` a dialogue is talked through k times, each time with the model's own answers in between: k conversations,
which are one cluster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import Columns
from safecot_eval.benchmarks.registry import has_dialogues
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.stats import clustered_rate


def conversations(columns: Columns) -> NDArray[np.int64]:
    """Number of the conversation that each answer belongs to, shape (n,)."""
    draw = columns.draw.astype(np.int64)
    return np.asarray(columns.cluster * (draw.max(initial=0) + 1) + draw)


def by_dialogue(
    columns: Columns, unsafe: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Whether any turn of each conversation is unsafe.

    Args:
        columns: A run; a dialogue is a cluster.
        unsafe: 1, 0 or NaN (not known) of each answer, shape (n,).

    Returns:
        1, 0 or NaN of each conversation (NaN where no turn is known to be unsafe, and some turn is not known), and its first row.
    """
    which, first, inverse = np.unique(conversations(columns), return_index=True, return_inverse=True)
    worst = np.zeros(len(which))
    np.maximum.at(worst, inverse, np.nan_to_num(unsafe))
    gaps = np.bincount(inverse, np.isnan(unsafe), minlength=len(which))
    return np.where((worst == 0) & (gaps > 0), np.nan, worst), first


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the hazard curve.

    Attributes:
        name: ``turn 2``.
        at_risk: Conversations in which every turn so far is judged safe, and this one is judged.
        events: Of these, those in which this turn is the first unsafe one.
        low, high: 95 % interval of the hazard (Wilson's, over dialogues).
    """

    name: str
    at_risk: int
    events: int
    low: float
    high: float

    @property
    def hazard(self) -> float:
        """Share of the conversations at risk that go wrong at this turn; NaN where none is at risk."""
        return self.events / self.at_risk if self.at_risk else float("nan")


def hazard_curve(columns: Columns, evaluator: Evaluator) -> list[Turn]:
    """Per turn: of the conversations that have been safe so far, how many turn unsafe here.

    A conversation with a turn of which the judge says nothing leaves the curve there: it is counted neither safe nor unsafe.
    """
    values = columns.outcomes(evaluator)
    turns = sorted(
        (code for code, name in enumerate(columns.categories) if name.startswith("turn ")),
        key=lambda code: int(columns.categories[code].split()[1]),
    )
    which, first, place = np.unique(conversations(columns), return_index=True, return_inverse=True)
    dialogue = columns.cluster[first]
    alive, found = np.ones(len(which), dtype=bool), []
    for code in turns:
        rows = np.flatnonzero(columns.category == code)
        said = np.full(len(which), np.nan)
        said[place[rows]] = values[rows]
        at_risk = alive & ~np.isnan(said)
        events = int((said[at_risk] == 1).sum())
        e = clustered_rate(said[at_risk], dialogue[at_risk])
        found.append(Turn(columns.categories[code], int(at_risk.sum()), events, e.low, e.high))
        alive = at_risk & (said == 0)
    return found


def dialogue_views(tables: Sequence[Columns]) -> list[dict[str, Any]]:
    """One row per run of a dialogue task and judge of harm.

    Returns:
        ``model``, ``task``, ``evaluator``, ``dialogues`` (how many), ``k`` (conversations of each), and ``turns``: the hazard curve, each
        with ``name``, ``at_risk``, ``events``, ``hazard`` (None where no conversation is at risk), ``low``, ``high``.
    """
    found = []
    for table in tables:
        if not has_dialogues(table.task):
            continue
        head = {"model": table.model, "task": table.task}
        size = {"dialogues": len(np.unique(table.cluster)), "k": int(table.draw.max(initial=0)) + 1}
        for evaluator in judges_of_harm(table):
            turns = [
                {**asdict(turn), "hazard": None if math.isnan(turn.hazard) else turn.hazard}
                for turn in hazard_curve(table, evaluator)
            ]
            found.append({**head, "evaluator": str(evaluator), **size, "turns": turns})
    return found


def judges_of_harm(columns: Columns) -> list[Evaluator]:
    """Who says of a run's answers whether they are unsafe."""
    return [one for one in columns.evaluators if one.outcome == "unsafe" and not one.is_list]
