"""The mean of a paired difference of scores between 0 and 1 (probabilities, means of repeats).

Sources: Student, Biometrika 6 (1908) 1, for the interval; Fisher, *The Design of Experiments* (1935), section 21, for the
randomisation of signs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from safecot_eval.stats.compare import FLIPS, SEED, Comparison


def paired_mean_difference(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> Comparison:
    """Compare two models' scores on the items that both were scored on.

    Args:
        a: Scores of model A, shape (n,), 0 to 1; NaN is unscored.
        b: Scores of model B, the same items in the same order.
        level: Confidence level.

    Returns:
        The mean of a - b with Student's interval, within [-1, 1], and a sign-flip p value; ``b`` and ``c`` count the items
        where A's or B's score is higher. NaN with [-1, 1] and p = 1 if fewer than two items were scored for both.

    Raises:
        ValueError: shapes differ, or a score is outside 0 to 1.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError("both models need one score per item, in the same order")
    both = ~(np.isnan(first) | np.isnan(second))
    if not all(((x[both] >= 0) & (x[both] <= 1)).all() for x in (first, second)):
        raise ValueError("scores must be between 0 and 1, or NaN")
    d = first[both] - second[both]
    n, higher, lower = len(d), int((d > 0).sum()), int((d < 0).sum())
    if n < 2:
        return Comparison(math.nan, -1.0, 1.0, 1.0, higher, lower, n, "nothing in common")
    mean = float(d.mean())
    half = float(special.stdtrit(n - 1, 0.5 + level / 2)) * float(d.std(ddof=1)) / math.sqrt(n)
    low, high = max(-1.0, mean - half), min(1.0, mean + half)
    return Comparison(mean, low, high, _sign_flip(d), higher, lower, n, "student, sign-flip")


def _sign_flip(differences: NDArray[np.float64]) -> float:
    """As :func:`safecot_eval.stats.compare.sign_flip`, made for differences of which hardly two are equal."""
    nonzero = differences[differences != 0]
    if not len(nonzero):
        return 1.0
    signs = np.random.default_rng(SEED).integers(0, 2, size=(FLIPS, len(nonzero)), dtype=np.int8)
    flipped = np.abs(2 * (signs @ nonzero) - nonzero.sum())
    return float(((flipped >= abs(nonzero.sum()) - 1e-9).sum() + 1) / (FLIPS + 1))
