"""Two models on the same items, and many models together.

Sources: McNemar, Psychometrika 12 (1947) 153; Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13 (2013) 91 (mid-p);
Tango, Stat. Med. 17 (1998) 891 (score interval for a paired difference); Holm, Scand. J. Statist. 6 (1979) 65.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from safecot_eval.stats.clusters import design_effect
from safecot_eval.stats.crossing import crossing
from safecot_eval.stats.estimates import normal_quantile

FLIPS = 10_000
EXACT_FLIPS_UP_TO = 13  # 2**13 sign patterns cost no more than FLIPS random ones
SEED = 20_250_610
LONGEST_SPAN = 2**20
"""Sum of the clusters' absolute sums up to which the exact distribution is made; beyond it takes seconds."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison: rate of A minus rate of B over the same items.

    Attributes:
        diff: Mean of a - b.
        low: Lower limit.
        high: Upper limit.
        p: Two-sided p value of no difference.
        b: Items where only A has the outcome.
        c: Items where only B has it.
        n: Items scored for both.
        method: How interval and p value were made.
    """

    diff: float
    low: float
    high: float
    p: float
    b: int
    c: int
    n: int
    method: str


def mcnemar(b: int, c: int, *, mid_p: bool = True) -> float:
    """Two-sided p value for equal rates from the discordant pairs.

    Args:
        b: Pairs where only the first has the outcome.
        c: Pairs where only the second has it.
        mid_p: Count the observed table half (close to the nominal level); otherwise the exact binomial test, which is
            conservative.

    >>> round(mcnemar(2, 8, mid_p=False), 6)
    0.109375
    """
    if b < 0 or c < 0:
        raise ValueError(f"counts cannot be negative: {b}, {c}")
    if b + c == 0:
        return 1.0
    exact = min(1.0, 2 * float(special.betainc(max(b, c), min(b, c) + 1, 0.5)))
    if not mid_p or b == c:
        return exact
    return exact - float(math.comb(b + c, b) / 2 ** (b + c))


def paired_difference(
    a: ArrayLike, b: ArrayLike, clusters: ArrayLike | None = None, *, level: float = 0.95
) -> Comparison:
    """Compare two models on the items that both were scored on.

    Args:
        a: Outcomes of model A, shape (n,), 0 or 1; NaN is unscored.
        b: Outcomes of model B, the same items in the same order.
        clusters: Source question of each item (integers are sorted much faster than strings). Given, the p value is a sign-flip permutation of whole clusters (exact) and the interval uses the effective number of items.
        level: Confidence level.

    Returns:
        The comparison; NaN with the interval [-1, 1] and p = 1 if no item was scored for both.

    Raises:
        ValueError: shapes differ, or an outcome is neither 0, 1 nor NaN.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError("both models need one outcome per item, in the same order")
    both = ~(np.isnan(first) | np.isnan(second))
    d = first[both] - second[both]
    if not np.isin(first[both], (0, 1)).all() or not np.isin(second[both], (0, 1)).all():
        raise ValueError("outcomes must be 0, 1 or NaN")
    n, wins, losses = len(d), int((d == 1).sum()), int((d == -1).sum())
    if n == 0:
        return Comparison(math.nan, -1.0, 1.0, 1.0, 0, 0, 0, "nothing in common")
    index = None if clusters is None else np.unique(np.asarray(clusters)[both], return_inverse=True)[1]
    if index is None or index.max() + 1 == n:
        low, high = tango_interval(wins, losses, n, level)
        return Comparison(
            (wins - losses) / n, low, high, mcnemar(wins, losses), wins, losses, n, "tango, mcnemar mid-p"
        )
    effect = design_effect(d, index, lowest=-1.0, highest=1.0)
    low, high = tango_interval(wins / effect, losses / effect, n / effect, level)
    p = sign_flip(np.bincount(index, weights=d))
    return Comparison(
        (wins - losses) / n, low, high, p, wins, losses, n, "tango at effective n, cluster sign-flip"
    )


def tango_interval(b: float, c: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Tango's score interval for a paired difference of proportions (his equations 2 to 5).

    Args:
        b: Pairs where only the first has the outcome (not necessarily whole, for an effective n).
        c: Pairs where only the second has it.
        n: All pairs.
        level: Confidence level.
    """
    z = normal_quantile(level)
    difference = (b - c) / n

    def distance(delta: float) -> float:
        linear = -b - c + (2 * n - b + c) * delta
        root = math.sqrt(max(linear**2 + 8 * n * c * delta * (1 - delta), 0.0))
        q = (root - linear) / (4 * n)  # share of "only B" pairs, most likely given delta
        variance = n * (2 * q + delta * (1 - delta))
        gap = b - c - n * delta
        return abs(gap) / math.sqrt(variance) - z if variance > 1e-12 else (1e9 if gap else -z)

    low = -1.0 if distance(-1.0 + 1e-12) <= 0 else crossing(distance, -1.0 + 1e-12, difference)
    high = 1.0 if distance(1.0 - 1e-12) <= 0 else crossing(distance, 1.0 - 1e-12, difference)
    return min(low, difference), max(high, difference)


def sign_flip(sums: ArrayLike) -> float:
    """Two-sided permutation p value that cluster sums are symmetric about 0.

    Over all 2^G patterns of signs where the sums are whole numbers, as those of yes/no items are, or G is at most
    ``EXACT_FLIPS_UP_TO``; over ``FLIPS`` random ones otherwise.

    Args:
        sums: Sum of the paired differences in each cluster, shape (G,).

    >>> sign_flip([2, 1, 1])
    0.25
    """
    totals = np.asarray(sums, dtype=float)
    nonzero = totals[totals != 0]
    if len(nonzero) == 0:
        return 1.0
    observed = abs(nonzero.sum()) - 1e-9
    sizes, counts = np.unique(np.abs(nonzero), return_counts=True)
    if (sizes == np.round(sizes)).all() and (span := int(sizes @ counts)) <= LONGEST_SPAN:
        return max(_exact_flip(sizes, counts, span, observed), 2.0 ** (1 - len(nonzero)))
    if len(nonzero) <= EXACT_FLIPS_UP_TO:
        bits = (np.arange(2 ** len(nonzero))[:, None] >> np.arange(len(nonzero))) & 1
        return float((np.abs((1 - 2 * bits) @ nonzero) >= observed).mean())
    # Equal absolute sums are exchangeable, so their signed total is binomial: few draws instead of G per permutation.
    rng = np.random.default_rng(SEED)
    flipped = (2 * rng.binomial(counts, 0.5, size=(FLIPS, len(counts))) - counts) @ sizes
    return float(((np.abs(flipped) >= observed).sum() + 1) / (FLIPS + 1))


def _exact_flip(sizes: NDArray[np.float64], counts: NDArray[np.intp], span: int, observed: float) -> float:
    """The p value of all flips of whole numbers: the total's distribution is what its characteristic function transforms to.

    A sum that is s or -s with equal odds has the characteristic function cos(st), independent sums multiply. Exact to about 1e-15,
    so that the smallest p value (all signs equal) is the caller's to put in.
    """
    length = 1 << (2 * span).bit_length()  # more than 2 * span + 1: totals from -span to span do not overlap
    angles = 2 * np.pi * np.arange(length // 2 + 1) / length
    characteristic = np.ones(len(angles))
    for size, count in zip(sizes, counts, strict=True):
        characteristic *= np.cos(size * angles) ** int(count)
    chances = np.fft.irfft(characteristic, length)
    return min(1.0, float(2 * chances[math.ceil(observed) : span + 1].sum())) if observed > 0 else 1.0


def holm(pvalues: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down adjusted p values for one family, in the order given.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(pvalues, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def rank_ranges(better: ArrayLike) -> list[tuple[int, int]]:
    """Ranks that the significant differences leave open to each of K models.

    Args:
        better: Shape (K, K), true if the row's model is significantly better than the column's.

    Returns:
        For each model 1 + the models significantly better than it, and K - the models significantly worse.

    >>> rank_ranges([[False, True, True], [False, False, False], [False, False, False]])
    [(1, 1), (2, 3), (2, 3)]
    """
    wins = np.asarray(better, dtype=bool)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1]:
        raise ValueError("need a square table of significant wins")
    return [(1 + int(wins[:, k].sum()), len(wins) - int(wins[k].sum())) for k in range(len(wins))]
