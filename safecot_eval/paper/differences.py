"""Paired differences between checkpoints of one base model, with p values corrected for all of one table.

A table is one test set by one ruler; its tests are one family for Holm's correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from safecot_eval.paper.measured import METRICS, Measured, Metric
from safecot_eval.paper.rulers import RULERS, Ruler
from safecot_eval.paper.trainings import CHAIN, Variant, chain, parse, reference, sizes
from safecot_eval.stats.compare import Comparison, holm


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of a table of differences.

    Attributes:
        test: Test set.
        base: Base model.
        first: Training of the run that the difference starts from.
        second: Training of the run that it leads to.
        step: What the row is about, for a table.
        ruler: By which ruler.
        metric: CRR or CAR.
        found: Rate of ``second`` less rate of ``first`` on their common items.
        p_holm: Corrected p value.
    """

    test: str
    base: str
    first: str
    second: str
    step: str
    ruler: Ruler
    metric: Metric
    found: Comparison
    p_holm: float = 1.0


Group = Mapping[str, Measured]
"""Training key to run, all of one base model on one test set."""


def along_the_chain(groups: Mapping[tuple[str, str], Group]) -> list[Difference]:
    """Base → v0 → v1 → v2 wherever they were recorded, and v0 → v2.

    Args:
        groups: (test, base) to the runs.
    """
    rows = []
    for (test, base), group in groups.items():
        found = chain(group)
        there = [variant for variant in CHAIN if variant in found]
        steps = list(pairwise(there))
        if Variant.V0 in found and Variant.V1 in found and Variant.V2 in found:
            steps.append((Variant.V0, Variant.V2))
        for first, second in steps:
            rows += _rows(test, base, group, found[first], found[second], f"{first} → {second}")
    return corrected(rows)


def of_mixtures(groups: Mapping[tuple[str, str], Group]) -> list[Difference]:
    """Every other mixture, source or writer less the run that it is to be compared with."""
    rows = []
    for (test, base), group in groups.items():
        standing = set(chain(group).values())
        curves = {key for curve in sizes(group).values() for key in curve.values()}
        for key in sorted(group):
            training = parse(key)
            if key in standing or (key in curves and training.size is not None):
                continue
            if (compared := reference(training, list(group))) is not None:
                rows += _rows(test, base, group, compared, key, training.different)
    return corrected(rows)


def corrected(rows: Sequence[Difference]) -> list[Difference]:
    """The rows with Holm's p values, a family per test set and ruler."""
    families: dict[tuple[str, Ruler], list[int]] = {}
    for index, row in enumerate(rows):
        families.setdefault((row.test, row.ruler), []).append(index)
    adjusted = list(rows)
    for family in families.values():
        for index, p in zip(family, holm([rows[index].found.p for index in family]), strict=True):
            adjusted[index] = replace(rows[index], p_holm=float(p))
    return adjusted


def _rows(test: str, base: str, group: Group, first: str, second: str, step: str) -> list[Difference]:
    rows = []
    for ruler in RULERS:
        for metric in METRICS:
            found = group[second].difference(group[first], ruler, metric)
            if found is not None:
                rows.append(Difference(test, base, first, second, step, ruler, metric, found))
    return rows
