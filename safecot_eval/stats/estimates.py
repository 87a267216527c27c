"""Rates with intervals, coverage and worst-case bounds, and their means over strata.

Sources: Wilson, JASA 22 (1927) 209; Clopper and Pearson, Biometrika 26 (1934) 404; Brown, Cai and DasGupta, Statist.
Sci. 16 (2001) 101 (why not Wald); Cochran, *Sampling Techniques* (1977), chapter 5 (strata). Formulas: ``docs/methods.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special  # not scipy.stats, which takes longer to load than a page to make

IntervalMethod = Literal["wilson", "clopper-pearson"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate and how far to trust it.

    Attributes:
        value: The rate over the scored samples, 0 to 1; NaN if nothing was scored.
        low: Lower limit of the interval.
        high: Upper limit of the interval.
        n: Scored samples.
        n_total: All samples, scored or not.
        n_eff: How many independent samples would be as informative as the ``n`` scored ones.
        method: How the interval was made, for a footnote.
        worst_low: The rate over all samples if every unscored one were 0.
        worst_high: The rate over all samples if every unscored one were 1.
    """

    value: float
    low: float
    high: float
    n: int
    n_total: int
    n_eff: float
    method: str
    worst_low: float
    worst_high: float

    @property
    def coverage(self) -> float:
        """Share of the samples that were scored (NaN if there are no samples)."""
        return self.n / self.n_total if self.n_total else math.nan


def rate(
    successes: int,
    n: int,
    *,
    n_total: int | None = None,
    method: IntervalMethod = "wilson",
    level: float = 0.95,
) -> Estimate:
    """Estimate a rate from independent yes/no outcomes.

    Args:
        successes: Scored samples with the outcome.
        n: Scored samples.
        n_total: All samples, with those that could not be scored (default: ``n``).
        method: ``wilson`` covers the nominal share on average; ``clopper-pearson`` at least that share always.
        level: Confidence level.

    Returns:
        The estimate; for ``n = 0`` its value is NaN and its interval is [0, 1].

    Raises:
        ValueError: not ``0 <= successes <= n <= n_total``.

    >>> e = rate(8, 10)
    >>> round(e.low, 4), round(e.high, 4)
    (0.4902, 0.9433)
    >>> rate(8, 10, n_total=16).worst_high
    0.875
    """
    total = n if n_total is None else n_total
    if not 0 <= successes <= n <= total:
        raise ValueError(f"need 0 <= successes <= n <= n_total, got {successes}, {n}, {total}")
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, total, 0.0, method, 0.0, 1.0)
    low, high = interval(successes / n, n, method, level)
    worst_low, worst_high = _worst(successes, n, total)
    return Estimate(successes / n, low, high, n, total, float(n), method, worst_low, worst_high)


def interval(value: float, n: float, method: IntervalMethod, level: float = 0.95) -> tuple[float, float]:
    """Interval for a rate seen in ``n`` independent samples (an effective n need not be whole)."""
    if method == "clopper-pearson":
        return clopper_pearson_interval(value, n, level)
    return wilson_interval(value, n, level)


def clopper_pearson_interval(value: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval; with an effective n it is that of Korn and Graubard (1998).

    >>> low, high = clopper_pearson_interval(0.8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4439, 0.9748)
    """
    if n <= 0:
        return 0.0, 1.0
    if math.isinf(n):
        return value, value
    tail, successes = (1 - level) / 2, value * n
    low = 0.0 if value <= 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if value >= 1 else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def wilson_interval(value: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a rate seen in ``n`` (not necessarily whole) independent samples.

    >>> wilson_interval(0.0, 20)[0]
    0.0
    """
    if n <= 0:
        return 0.0, 1.0
    if math.isinf(n):
        return value, value
    z = normal_quantile(level)
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At a rate of 0 or 1 the limit is the rate itself; rounding must not exclude it.
    low = 0.0 if value <= 0 else min(max(centre - half, 0.0), value)
    high = 1.0 if value >= 1 else max(min(centre + half, 1.0), value)
    return low, high


def normal_quantile(level: float) -> float:
    """The two-sided standard normal quantile of a confidence level (1.96 for 0.95)."""
    return float(special.ndtri(0.5 + level / 2))


def macro_mean(
    estimates: Sequence[Estimate], weights: Sequence[float] | None = None, *, level: float = 0.95
) -> Estimate:
    """Weighted mean of independent strata; each counts the same unless weights say otherwise.

    The variances of the strata add up, weighted, to an effective n for Wilson's interval. (Combining the strata's own
    limits, MOVER, covers too little where events are rare: ``bench/results/coverage.md``.)

    Args:
        estimates: One per stratum.
        weights: Non-negative, any scale.
        level: Confidence level.

    Returns:
        The mean. Its value is NaN if a stratum with positive weight has nothing scored: a mean over the strata
        that happen to be scored would be another quantity.

    Raises:
        ValueError: no strata, or weights that are negative, all zero or of another length.
    """
    w = np.ones(len(estimates)) if weights is None else np.asarray(weights, dtype=float)
    if len(estimates) == 0 or w.shape != (len(estimates),) or (w < 0).any() or w.sum() <= 0:
        raise ValueError("need at least one stratum, and one non-negative weight for each, not all zero")
    w = w / w.sum()
    kept = [(e, float(s)) for e, s in zip(estimates, w, strict=True) if s > 0]
    n, total = sum(e.n for e, _ in kept), sum(e.n_total for e, _ in kept)
    worst_low = sum(s * e.worst_low for e, s in kept)
    worst_high = sum(s * e.worst_high for e, s in kept)
    value = min(sum(s * e.value for e, s in kept), 1.0)  # NaN stays NaN
    method = "stratified " + "/".join(sorted({e.method for e, _ in kept}))
    if math.isnan(value):
        return Estimate(math.nan, 0.0, 1.0, n, total, 0.0, method, worst_low, worst_high)
    n_eff = _stratified_n_eff([e for e, _ in kept], [s for _, s in kept])
    low, high = wilson_interval(value, n_eff, level)
    return Estimate(value, low, high, n, total, n_eff, method, worst_low, worst_high)


def harmonic_mean(first: Estimate, second: Estimate, *, level: float = 0.95) -> Estimate:
    """Harmonic mean 2ab / (a + b) of two independent rates; 0 where either is 0.

    The variance is the delta method's, turned into an effective n for Wilson's interval. Where it is 0 (rates at an end) the
    smaller effective n of the two stands, or half of it for a mean of 0, which moves twice as fast as the rate that is 0.

    Returns:
        The mean; its value is NaN if either rate has nothing scored.

    >>> e = harmonic_mean(rate(30, 40), rate(60, 60))
    >>> round(e.value, 4)
    0.8571
    """
    n, total = first.n + second.n, first.n_total + second.n_total
    worst = [
        _harmonic(first.worst_low, second.worst_low),
        _harmonic(first.worst_high, second.worst_high),
    ]
    method = f"harmonic {'/'.join(sorted({first.method, second.method}))}"
    if math.isnan(first.value) or math.isnan(second.value):
        return Estimate(math.nan, 0.0, 1.0, n, total, 0.0, method, *worst)
    a, b = first.value, second.value
    value = _harmonic(a, b)
    variance = sum(
        (2 * other**2 / (a + b) ** 2) ** 2 * e.value * (1 - e.value) / e.n_eff
        for e, other in ((first, b), (second, a))
        if a + b > 0
    )
    least = min(first.n_eff, second.n_eff) / (1 if value else 2)
    n_eff = value * (1 - value) / variance if variance > 0 else least
    low, high = wilson_interval(value, n_eff, level)
    return Estimate(value, low, high, n, total, n_eff, method, *worst)


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def _worst(successes: float, n: int, total: int) -> tuple[float, float]:
    return successes / total, (successes + total - n) / total


def _stratified_n_eff(strata: Sequence[Estimate], weights: Sequence[float]) -> float:
    """Binomial sample size with the variance of a weighted mean of strata.

    A stratum where nothing (or everything) happened would claim no variance, so each borrows one observation from the
    mean over all samples, which itself gets half a success and half a failure.
    """
    sizes = np.minimum([e.n_eff for e in strata], 1e12)  # a run that was labelled whole has no sampling error
    w = np.asarray(weights)
    counts = np.array([e.value for e in strata]) * sizes
    overall = (counts.sum() + 0.5) / (sizes.sum() + 1)
    shrunk = (counts + overall) / (sizes + 1)
    mean = float(w @ shrunk)
    return mean * (1 - mean) / float(w**2 @ (shrunk * (1 - shrunk) / sizes))
