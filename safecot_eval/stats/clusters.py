"""Rates over items that share a source question: cluster-robust variance, design effect, effective n.

Source: Miller, "Adding error bars to evals" (arXiv 2411.00640), section 2.2, with the small-sample factor G/(G-1); Kish,
*Survey Sampling* (1965), for the design effect; Korn and Graubard, Surv. Methodol. 24 (1998) 193, for putting the
effective n into a binomial interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safecot_eval.stats.estimates import Estimate, IntervalMethod, interval, rate

PSEUDO_CLUSTERS = 0.1
"""Weight of each of two imagined clusters of average size, one all 0 and one all 1, in the design effect only.

Without them the design effect of a rare outcome is decided by one or two clusters and the intervals cover too little;
larger weights make them cover too much (``bench/results/coverage.md``, smoothing weights)."""


def clustered_rate(
    outcomes: ArrayLike,
    clusters: ArrayLike,
    *,
    n_total: int | None = None,
    method: IntervalMethod = "wilson",
    level: float = 0.95,
) -> Estimate:
    """Estimate a rate from outcomes that are independent between clusters but not within them.

    Args:
        outcomes: Shape (n,), 0 to 1: yes/no, or means of repeated generations. NaN is an unscored sample.
        clusters: Which cluster (source question) each outcome belongs to, shape (n,).
        n_total: All samples (default: the length of ``outcomes``).
        method: As for :func:`rate`.
        level: Confidence level.

    Returns:
        The estimate, with Wilson's (or Clopper and Pearson's) interval at the effective n. Where no two scored yes/no items share a cluster this
        is :func:`rate`.

    Raises:
        ValueError: shapes differ, or ``n_total`` is smaller than the number of outcomes.
    """
    x, groups = np.asarray(outcomes, dtype=float), np.asarray(clusters)
    total = len(x) if n_total is None else n_total
    if x.ndim != 1 or x.shape != groups.shape or total < len(x):
        raise ValueError("outcomes and clusters must be vectors of the same length, at most n_total")
    scored = ~np.isnan(x)
    x = x[scored]
    index = np.unique(groups[scored], return_inverse=True)[1]
    n = len(x)
    binary = bool(np.isin(x, (0, 1)).all())
    if n == 0 or (binary and len(np.unique(index)) == n):
        return rate(int(x.sum()), n, n_total=total, method=method, level=level)
    value, successes = float(x.mean()), float(x.sum())
    n_eff = n / design_effect(x, index, lowest=0.0, highest=1.0)
    low, high = interval(value, n_eff, method, level)
    worst = successes / total, (successes + total - n) / total
    return Estimate(value, low, high, n, total, n_eff, f"{method}, cluster-robust", *worst)


def design_effect(x: NDArray[np.float64], index: NDArray[np.intp], *, lowest: float, highest: float) -> float:
    """Variance of the mean with clusters, divided by its variance if the same outcomes were independent.

    The reference variance is the binomial one for rates (``lowest`` 0, ``highest`` 1) and the sample variance for
    differences (-1, 1). At most what fully dependent clusters would give (Kish: sum of squared sizes over n).

    Args:
        x: Outcomes, shape (n,).
        index: Cluster numbers from 0, shape (n,).
        lowest: Outcome of the first imagined cluster (see :data:`PSEUDO_CLUSTERS`).
        highest: Outcome of the second.
    """
    sizes = np.bincount(index).astype(float)
    n, count = len(x), len(sizes)
    size, extra = n / count, PSEUDO_CLUSTERS
    ends = np.array([lowest, highest])
    weight = n + 2 * extra * size
    mean = (x.sum() + extra * size * ends.sum()) / weight
    sums = np.bincount(index, weights=x) - sizes * mean
    clustered = float((sums**2).sum() + extra * ((size * (ends - mean)) ** 2).sum())
    clustered *= count / (count - 1) if count > 1 else 1.0
    if (lowest, highest) == (0.0, 1.0):
        independent = weight * mean * (1 - mean)
    else:
        independent = float(((x - mean) ** 2).sum() + extra * size * ((ends - mean) ** 2).sum())
    return min(clustered / float(independent), float((sizes**2).sum()) / n)
