"""Rates and differences over several seeds and items that come in twins.

An outcome varies with the item and with the training run. Both are drawn again: seeds with replacement, and twins with
replacement, independently (the pigeonhole bootstrap: Owen, Ann. Appl. Stat. 1 (2007) 386; it errs on the wide side).
With three seeds this is honest rather than precise. A bootstrap of outcomes that are all alike has no width, so a rate's
interval also spans Wilson's at the effective number of items (:func:`safecot_eval.stats.clusters.clustered_rate`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safecot_eval.stats.clusters import clustered_rate

RESAMPLES = 2000
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def rate(outcomes: Array, clusters: NDArray[np.str_]) -> Interval:
    """A mean of outcomes between 0 and 1.

    Args:
        outcomes: Shape (seeds, items); NaN is unscored.
        clusters: Twin of each item, shape (items,).

    Returns:
        NaN in [0, 1] if nothing is scored.
    """
    if np.isnan(outcomes).all():
        return Interval(float("nan"), 0.0, 1.0)
    low, high = _bootstrap(outcomes, clusters)
    flat = outcomes.ravel()
    wilson = clustered_rate(flat, np.tile(clusters, len(outcomes)))
    return Interval(float(np.nanmean(flat)), min(low, wilson.low), max(high, wilson.high))


def difference(first: Array, second: Array, clusters: NDArray[np.str_]) -> Interval:
    """Mean of ``first - second`` over items that both have; both of shape (seeds, items), paired by seed and item."""
    paired = first - second
    if np.isnan(paired).all():
        return Interval(float("nan"), -1.0, 1.0)
    low, high = _bootstrap(paired, clusters)
    return Interval(float(np.nanmean(paired)), low, high)


def _bootstrap(outcomes: Array, clusters: NDArray[np.str_]) -> tuple[float, float]:
    index = np.unique(clusters, return_inverse=True)[1]
    seeds, count = len(outcomes), int(index.max()) + 1
    scored = ~np.isnan(outcomes)
    sums = np.stack(
        [np.bincount(index, np.where(s, row, 0.0), count) for row, s in zip(outcomes, scored, strict=True)]
    )
    numbers = np.stack([np.bincount(index, s.astype(float), count) for s in scored])
    rng = np.random.default_rng(0)
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES).astype(float)
    by_cluster = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
    totals = ((by_seed @ sums) * by_cluster).sum(axis=1)
    weights = ((by_seed @ numbers) * by_cluster).sum(axis=1)
    means = totals[weights > 0] / weights[weights > 0]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
