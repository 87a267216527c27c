"""Is an evaluator's error the same for all models? Permutation test of equal sensitivity and equal specificity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

PERMUTATIONS = 10_000
SEED = 20_250_610


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """Result of the test.

    Attributes:
        p: Permutation p value; small where the error differs between models.
        statistic: Pearson's chi-square of the sensitivities plus that of the specificities.
        models: How many models have labels.
    """

    p: float
    statistic: float
    models: int


def error_homogeneity(labels: ArrayLike, evaluator: ArrayLike, models: ArrayLike) -> Homogeneity:
    """Test whether sensitivity and specificity are equal for all models.

    Given the human label, the evaluator's labels are exchangeable between models if its error is the same for all of
    them; the p value counts random exchanges (fixed seed) that differ between models at least as much. Small cells
    need no approximation.

    Args:
        labels: Human labels, 0 or 1, shape (m,).
        evaluator: The evaluator's labels, 0 or 1, shape (m,).
        models: Whose answer each is, shape (m,).
    """
    y, f = np.asarray(labels, dtype=int), np.asarray(evaluator, dtype=int)
    names, index = np.unique(np.asarray(models), return_inverse=True)
    if len(names) < 2:
        return Homogeneity(1.0, 0.0, len(names))
    rng = np.random.default_rng(SEED)
    observed, permuted = 0.0, np.zeros(PERMUTATIONS)
    for truth in (0, 1):
        chosen = y == truth
        sizes = np.bincount(index[chosen], minlength=len(names))
        hits = np.bincount(index[chosen], weights=f[chosen], minlength=len(names))
        total = int(hits.sum())
        if not 0 < total < sizes.sum():
            continue  # no error, or nothing but errors: nothing can differ
        draws = rng.multivariate_hypergeometric(sizes, total, size=PERMUTATIONS, method="marginals")
        observed += float(_chi_square(hits[None, :], sizes)[0])
        permuted += _chi_square(draws, sizes)
    p = (int((permuted >= observed - 1e-9).sum()) + 1) / (PERMUTATIONS + 1)
    return Homogeneity(p, observed, len(names))


def _chi_square(hits: ArrayLike, sizes: NDArray[np.int_]) -> NDArray[np.float64]:
    """Pearson's statistic of 2 x K tables with the same margins; ``hits`` has shape (tables, K)."""
    table, kept = np.asarray(hits, dtype=float), sizes > 0
    share = table.sum(axis=1, keepdims=True) / sizes.sum()
    gap = table[:, kept] - share * sizes[kept]
    statistic: NDArray[np.float64] = (gap**2 / (share * (1 - share) * sizes[kept])).sum(axis=1)
    return statistic
