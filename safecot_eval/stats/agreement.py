"""How well two annotators, or an annotator and an evaluator, agree.

Sources: Cohen, Educ. Psychol. Meas. 20 (1960) 37; Krippendorff, *Content Analysis* (2004), chapter 11, nominal data;
Gwet, Br. J. Math. Stat. Psychol. 61 (2008) 29 (AC1, which stays sensible where one label is rare).

All three are ``1 - observed disagreement / expected disagreement``. Their intervals take the jackknife variance over
units, express it as an effective number of units, and put Wilson's limits for the observed agreement into the formula:
unlike a bootstrap, that gives an honest interval if no disagreement was seen at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safecot_eval.stats.estimates import Estimate, rate, wilson_interval

Counts = NDArray[np.float64]
"""Units by labels: how many raters gave a unit that label, shape (U, K)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient with its interval.

    Attributes:
        value: At most 1; 0 is chance; NaN if it is not defined (only one label in use, or nothing rated twice).
        low: Lower limit of the 95 % interval.
        high: Upper limit.
        n: Units that at least two raters labelled.
        method: Name of the coefficient.
    """

    value: float
    low: float
    high: float
    n: int
    method: str


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """An evaluator against people, for a yes/no label.

    Attributes:
        sensitivity: Share of the human yes that the evaluator finds.
        specificity: Share of the human no that it leaves alone.
    """

    sensitivity: Estimate
    specificity: Estimate


def percent_agreement(a: Sequence[Hashable], b: Sequence[Hashable], *, level: float = 0.95) -> Estimate:
    """Share of units that both raters label alike (units with a missing label, None, are left out)."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return rate(sum(x == y for x, y in pairs), len(pairs), n_total=len(a), level=level)


def sensitivity_specificity(labels: ArrayLike, evaluator: ArrayLike, *, level: float = 0.95) -> ErrorRates:
    """Error rates of a yes/no evaluator against human labels, both 0 or 1, shape (n,)."""
    y, f = np.asarray(labels, dtype=int), np.asarray(evaluator, dtype=int)
    if y.shape != f.shape:
        raise ValueError("need one evaluator label for each human label")
    yes = y == 1
    return ErrorRates(
        rate(int(f[yes].sum()), int(yes.sum()), level=level),
        rate(int((1 - f[~yes]).sum()), int((~yes).sum()), level=level),
    )


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable], *, level: float = 0.95) -> Agreement:
    """Cohen's kappa of two raters (units with a missing label, None, are left out)."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    labels = {label: k for k, label in enumerate(dict.fromkeys(x for pair in pairs for x in pair))}
    table = np.zeros((len(labels), len(labels)))
    for x, y in pairs:
        table[labels[x], labels[y]] += 1
    return kappa_of_table(table, level=level)


def kappa_of_table(table: ArrayLike, *, level: float = 0.95) -> Agreement:
    """Cohen's kappa from counts: ``table[i, j]`` units have label i by the first rater and j by the second."""
    counts = np.asarray(table, dtype=float)
    return _interval("cohen's kappa", counts.ravel(), lambda t: _kappa(t.reshape(counts.shape)), level)


def krippendorff_alpha(ratings: Sequence[Sequence[Hashable]], *, level: float = 0.95) -> Agreement:
    """Krippendorff's alpha for nominal labels, any number of raters, labels may be missing.

    Args:
        ratings: One sequence per rater over the same units; None if a rater did not label a unit.
        level: Confidence level.
    """
    patterns, multiplicity = _patterns(ratings)
    return _interval("krippendorff's alpha", multiplicity, lambda m: _alpha(patterns, m), level)


def gwet_ac1(ratings: Sequence[Sequence[Hashable]], *, level: float = 0.95) -> Agreement:
    """Gwet's AC1 for nominal labels, any number of raters, labels may be missing.

    Args:
        ratings: One sequence per rater over the same units; None if a rater did not label a unit.
        level: Confidence level.
    """
    patterns, multiplicity = _patterns(ratings)
    return _interval("gwet's ac1", multiplicity, lambda m: _ac1(patterns, m), level)


def _kappa(table: NDArray[np.float64]) -> tuple[float, float]:
    """Observed and expected disagreement of a confusion table."""
    n = table.sum()
    expected = 1 - float((table.sum(axis=0) * table.sum(axis=1)).sum()) / n**2
    return 1 - float(np.trace(table)) / n, expected


def _alpha(patterns: Counts, multiplicity: NDArray[np.float64]) -> tuple[float, float]:
    """Observed and expected disagreement from the coincidences; patterns have at least two labels each."""
    raters = patterns.sum(axis=1)
    totals = multiplicity @ patterns
    n = totals.sum()
    alike = (patterns * (patterns - 1)).sum(axis=1) / (raters - 1)
    observed = 1 - float(multiplicity @ alike) / n
    return observed, 1 - float((totals * (totals - 1)).sum()) / (n * (n - 1))


def _ac1(patterns: Counts, multiplicity: NDArray[np.float64]) -> tuple[float, float]:
    raters = patterns.sum(axis=1)
    n = multiplicity.sum()
    alike = (patterns * (patterns - 1)).sum(axis=1) / (raters * (raters - 1))
    shares = multiplicity @ (patterns / raters[:, None]) / n
    chance = float((shares * (1 - shares)).sum()) / max(len(shares) - 1, 1)
    return 1 - float(multiplicity @ alike) / n, 1 - chance


def _patterns(ratings: Sequence[Sequence[Hashable]]) -> tuple[Counts, NDArray[np.float64]]:
    """Distinct label counts of the units with at least two labels, and how often each occurs."""
    units = [tuple(label for label in unit if label is not None) for unit in zip(*ratings, strict=True)]
    labels = {label: k for k, label in enumerate(dict.fromkeys(x for unit in units for x in unit))}
    table = np.zeros((len(units), len(labels)))
    for row, unit in enumerate(units):
        for label in unit:
            table[row, labels[label]] += 1
    table = table[table.sum(axis=1) >= 2]
    if len(table) == 0:
        return table, np.zeros(0)
    distinct, multiplicity = np.unique(table, axis=0, return_counts=True)
    return distinct, multiplicity.astype(float)


def _interval(
    method: str,
    multiplicity: NDArray[np.float64],
    disagreement: Callable[[NDArray[np.float64]], tuple[float, float]],
    level: float,
) -> Agreement:
    """Coefficient and interval; ``multiplicity`` counts units of each kind, so the jackknife has one term per kind."""
    n = int(multiplicity.sum())
    if n == 0:
        return Agreement(math.nan, -1.0, 1.0, 0, method)
    observed, expected = map(float, disagreement(multiplicity))
    if expected <= 0:
        return Agreement(math.nan, -1.0, 1.0, n, method)
    value = 1 - observed / expected
    n_eff = float(n)
    if n > 2 and 0 < observed < 1:
        left_out = []
        for kind in np.flatnonzero(multiplicity):
            reduced = multiplicity.copy()
            reduced[kind] -= 1
            one, other = disagreement(reduced)
            left_out.append((1 - one / other if other > 0 else value, multiplicity[kind]))
        values, counts = np.array(left_out).T
        centre = np.average(values, weights=counts)
        variance = (n - 1) / n * float(counts @ (values - centre) ** 2)
        if variance > 0:
            n_eff = observed * (1 - observed) / (expected**2 * variance)
    low, high = wilson_interval(1 - observed, n_eff, level)
    low, high = 1 - (1 - low) / expected, 1 - (1 - high) / expected
    return Agreement(value, max(low, -1.0), high, n, method)
