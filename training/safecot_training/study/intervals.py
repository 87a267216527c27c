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


def contrast(first: Array, of: NDArray[np.str_], second: Array, other: NDArray[np.str_]) -> Interval:
    """Mean of one group's outcomes less the mean of another's; seeds, and twins that both groups share, are drawn together.

    Args:
        first: Shape (seeds, items of the group); NaN is unscored.
        of: Twin of each item.
        second: The other group's, with the same seeds.
        other: Twin of each item.
    """
    if np.isnan(first).all() or np.isnan(second).all():
        return Interval(float("nan"), -1.0, 1.0)
    index = np.unique(np.concatenate([of, other]), return_inverse=True)[1]
    weights = _weights(len(first), int(index.max()) + 1)
    parts = _means(first, index[: len(of)], *weights), _means(second, index[len(of) :], *weights)
    drawn = parts[0] - parts[1]
    value = float(np.nanmean(first) - np.nanmean(second))
    return Interval(value, float(np.nanquantile(drawn, 0.025)), float(np.nanquantile(drawn, 0.975)))


def _bootstrap(outcomes: Array, clusters: NDArray[np.str_]) -> tuple[float, float]:
    index = np.unique(clusters, return_inverse=True)[1]
    means = _means(outcomes, index, *_weights(len(outcomes), int(index.max()) + 1))
    return float(np.nanquantile(means, 0.025)), float(np.nanquantile(means, 0.975))


def _weights(seeds: int, count: int) -> tuple[Array, Array]:
    """How often each seed and each twin is drawn, shapes (resamples, seeds) and (resamples, twins)."""
    rng = np.random.default_rng(0)
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES).astype(float)
    return by_seed, rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)


def _means(outcomes: Array, index: NDArray[np.intp], by_seed: Array, by_cluster: Array) -> Array:
    """The mean in each resample, NaN where nothing scored was drawn."""
    count = by_cluster.shape[1]
    scored = ~np.isnan(outcomes)
    sums = np.stack(
        [np.bincount(index, np.where(s, row, 0.0), count) for row, s in zip(outcomes, scored, strict=True)]
    )
    numbers = np.stack([np.bincount(index, s.astype(float), count) for s in scored])
    totals = ((by_seed @ sums) * by_cluster).sum(axis=1)
    weights = ((by_seed @ numbers) * by_cluster).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(weights > 0, totals / weights, np.nan)
