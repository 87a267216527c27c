"""The difference of two models' balanced rates on the items that both were scored on.

Each half (requests to refuse, requests to answer) is a paired difference of proportions with its own interval; the two
are joined without a normal approximation by recovering their variances (MOVER: Zou, Huang & Zhang, Statistics in Medicine
28 (2009) 2579, for a sum of two correlated estimates).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from safecot_eval.stats.compare import Comparison, paired_difference, sign_flip

Floats = NDArray[np.float64]
NORMAL_FROM = 400
"""Clusters with a difference from which the flips' normal limit gives the p value: two weights make thousands of sums."""


class Half(NamedTuple):
    """Outcomes of two models on one half: ``a``, ``b`` of 0, 1 or NaN and the items' clusters, all of shape (n,).

    A cluster has the same number in both halves.
    """

    a: Floats
    b: Floats
    clusters: NDArray[np.int32]


def balanced_difference(first: Half, second: Half, *, level: float = 0.95) -> Comparison:
    """Half the one difference and half the other, with an interval and a p value over whole clusters.

    Args:
        first: One half.
        second: The other.
        level: Confidence level.

    Returns:
        The comparison; ``b`` and ``c`` count the items where only A or only B was right. NaN with [-1, 1] and p = 1 if the
        two models share no scored item in one of the halves.

    Raises:
        ValueError: see :func:`safecot_eval.stats.compare.paired_difference`.
    """
    found = [paired_difference(half.a, half.b, half.clusters, level=level) for half in (first, second)]
    n, wins, losses = (sum(getattr(one, name) for one in found) for name in ("n", "b", "c"))
    if not all(one.n for one in found):
        return Comparison(math.nan, -1.0, 1.0, 1.0, wins, losses, n, "nothing in common")
    sums, deviations = _cluster_sums(first, second)
    spread = math.sqrt(float((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    r = float((deviations[0] * deviations[1]).sum()) / spread if spread else 0.0
    diff = sum(one.diff for one in found) / 2
    low = diff - _joined([one.diff - one.low for one in found], r) / 2
    high = diff + _joined([one.high - one.diff for one in found], r) / 2
    return Comparison(diff, low, high, _p_value(sums), wins, losses, n, "mover of tango, cluster sign-flip")


def _p_value(sums: Floats) -> float:
    if np.count_nonzero(sums) < NORMAL_FROM:
        return sign_flip(sums)
    return float(2 * ndtr(-abs(sums.sum()) / math.sqrt(float((sums**2).sum()))))


def _joined(reaches: list[float], r: float) -> float:
    one, two = reaches
    return math.sqrt(max(one**2 + two**2 + 2 * r * one * two, 0.0))


def _cluster_sums(*halves: Half) -> tuple[Floats, tuple[Floats, Floats]]:
    """What every cluster adds to the difference, shape (G,), and to each half's error, twice shape (G,)."""
    differences = [half.a - half.b for half in halves]
    scored = [~np.isnan(d) for d in differences]
    kept = [d[rows] / rows.sum() for d, rows in zip(differences, scored, strict=True)]
    names = np.concatenate([half.clusters[rows] for half, rows in zip(halves, scored, strict=True)])
    places = np.unique(names, return_inverse=True)[1]
    parts = np.split(places, [len(kept[0])])
    size = int(places.max()) + 1
    sums = [np.bincount(at, weights=d, minlength=size) for at, d in zip(parts, kept, strict=True)]
    errors = [
        np.bincount(at, weights=d - d.mean(), minlength=size).astype(float)
        for at, d in zip(parts, kept, strict=True)
    ]
    # Rounded: equal sums of different clusters must be seen as equal by the sign flips, which count them.
    return np.round((sums[0] + sums[1]) / 2, 12), (errors[0], errors[1])
