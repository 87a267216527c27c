"""Correct an evaluator's rate with human labels, or say why that cannot be done honestly.

Sources: Angelopoulos, Duchi and Zrnic, "PPI++" (arXiv 2311.01453); Rogan and Gladen, Am. J. Epidemiol. 107 (1978) 71;
Lee et al. (arXiv 2511.21140), an interval for it that carries the calibration's error; Cochran, *Sampling Techniques*
(1977), chapter 7, for the regression estimator in a finite population. Formulas: ``docs/methods.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safecot_eval.stats.estimates import Estimate, normal_quantile, rate, wilson_interval
from safecot_eval.stats.homogeneity import error_homogeneity

MIN_LABELS = 30
MIN_PER_CLASS = 10  # human positives and negatives that labels from other models must have
MIN_YOUDEN = 0.2
HOMOGENEITY_LEVEL = 0.05
CORNER_WEIGHT = 0.6
"""Weight of each of four imagined labels (lowest and highest score, labelled 0 and 1) in the tuning weight and the
variance: a sample without a single error would otherwise claim that the evaluator makes none. Chosen for coverage
(``bench/results/coverage.md``, smoothing weights)."""


class Target(StrEnum):
    """What the interval is about."""

    POPULATION = "population"  # the rate over items like these (as every other interval of the leaderboard)
    RUN = "run"  # the rate over exactly the answers of this run, had people labelled all of them


@dataclass(frozen=True, slots=True)
class Correction:
    """A corrected rate, or the reason why there is none.

    Attributes:
        estimate: The corrected rate; None if refused.
        labels_only: The rate from the labels of this model alone; None if they are of other models.
        evaluator_only: The evaluator's own rate (its interval ignores the evaluator's error).
        check: The Rogan–Gladen rate, a second opinion; None if it cannot be had.
        n_labels: Human labels used.
        refused: Why there is no corrected rate; None if there is one.
        warnings: What a reader must know beside the number.
    """

    estimate: Estimate | None
    labels_only: Estimate | None
    evaluator_only: Estimate
    check: Estimate | None
    n_labels: int
    refused: str | None
    warnings: tuple[str, ...] = ()

    @property
    def shown(self) -> Estimate | None:
        """The corrected rate, or if it is refused the rate from this model's own labels."""
        return self.estimate or self.labels_only


def ppi(
    labels: ArrayLike,
    evaluator_on_labelled: ArrayLike,
    evaluator_on_all: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    target: Target = Target.POPULATION,
    design_effect: float = 1.0,
    n_total: int | None = None,
    level: float = 0.95,
) -> Estimate:
    """PPI++ rate: the evaluator's rate over all answers plus its mean error over the labelled ones.

    The weight of the evaluator is tuned on the labels and clipped to [0, 1], so that a useless evaluator leaves the
    labels alone. The variance becomes an effective n for Wilson's interval, which keeps the interval inside [0, 1].

    Args:
        labels: What people said, 0 or 1, shape (m,).
        evaluator_on_labelled: The evaluator on the same answers, 0 to 1 (a label or a probability), shape (m,).
        evaluator_on_all: The evaluator on all N answers, the labelled ones included, shape (N,).
        weights: Answers that each labelled one stands for (1 / probability of having been drawn), shape (m,);
            default N / m, a simple random sample.
        target: Whether the interval is about a population of items or about these N answers.
        design_effect: Of the N answers, where they share source questions (population only).
        n_total: All samples, with those the evaluator could not score (default N).
        level: Confidence level.

    Returns:
        The estimate; ``n`` is N, ``n_eff`` the number of labels alone that would be as informative.

    Raises:
        ValueError: shapes differ, no labels, more labels than answers, or a value outside [0, 1].
    """
    y, f, everything = (np.asarray(v, dtype=float) for v in (labels, evaluator_on_labelled, evaluator_on_all))
    m, size = len(y), len(everything)
    if m == 0 or y.shape != f.shape or m > size:
        raise ValueError("need at least one label, one evaluation for each, and no more labels than answers")
    if not np.isin(y, (0, 1)).all() or any(((v < 0) | (v > 1) | np.isnan(v)).any() for v in (f, everything)):
        raise ValueError("labels must be 0 or 1, the evaluator's scores between 0 and 1")
    w = np.full(m, size / m) if weights is None else np.asarray(weights, dtype=float)
    if w.shape != y.shape or (w <= 0).any():
        raise ValueError("need one positive weight for each label")
    w = w * (size / w.sum())
    slope, outcome_variance, sampling_variance = _moments(y, f, everything, w)
    value = float(np.clip(slope * everything.mean() + np.average(y - slope * f, weights=w), 0.0, 1.0))
    variance = sampling_variance
    if target is Target.POPULATION:
        variance += design_effect * outcome_variance / size
    n_eff = outcome_variance / variance if variance > 0 else math.inf
    low, high = wilson_interval(value, n_eff, level)
    low, high = (low if y.any() else 0.0), (1.0 if y.all() else high)  # 0 (or 1) was all that people saw
    total = size if n_total is None else n_total
    worst = value * size / total, (value * size + total - size) / total
    return Estimate(value, low, high, size, total, n_eff, f"ppi++ ({m} labels, {target.value})", *worst)


def rogan_gladen(
    labels: ArrayLike, evaluator_on_labelled: ArrayLike, evaluator_on_all: ArrayLike, *, level: float = 0.95
) -> Estimate | None:
    """Rogan–Gladen rate: the evaluator's rate unfolded with its sensitivity and specificity.

    Unlike PPI++ it needs only that the *error rates* carry over from the labelled answers, not the base rate. The
    interval is the delta method with one imagined success and failure in each of the three rates (as Lee et al.).

    Args:
        labels: What people said, 0 or 1, shape (m,).
        evaluator_on_labelled: The evaluator's label of the same answers, 0 or 1, shape (m,).
        evaluator_on_all: The evaluator's label of all answers, 0 or 1, shape (N,).
        level: Confidence level.

    Returns:
        The estimate, or None if people used only one of the two labels or sensitivity + specificity <= 1.
    """
    y, f, everything = (np.asarray(v, dtype=float) for v in (labels, evaluator_on_labelled, evaluator_on_all))
    youden = youden_index(y, f)
    if math.isnan(youden) or youden <= 0:
        return None
    sensitivity, specificity = float(f[y == 1].mean()), float(1 - f[y == 0].mean())
    size, raw = len(everything), float(everything.mean())
    value = min(max((raw + specificity - 1) / youden, 0.0), 1.0)

    def variance(successes: float, n: int) -> float:
        p = (successes + 1) / (n + 2)
        return p * (1 - p) / (n + 2)

    positives, negatives = int((y == 1).sum()), int((y == 0).sum())
    spread = (
        variance(raw * size, size)
        + value**2 * variance(sensitivity * positives, positives)
        + (1 - value) ** 2 * variance(specificity * negatives, negatives)
    )
    half = normal_quantile(level) * math.sqrt(spread) / youden
    n_eff = max(value * (1 - value), 1e-9) * youden**2 / spread
    method = f"rogan-gladen ({len(y)} labels)"
    low, high = max(value - half, 0.0), min(value + half, 1.0)
    return Estimate(value, low, high, size, size, n_eff, method, value, value)


def corrected_rate(
    labels: ArrayLike,
    evaluator_on_labelled: ArrayLike,
    evaluator_on_all: ArrayLike,
    *,
    label_models: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    target: Target = Target.POPULATION,
    design_effect: float = 1.0,
    n_total: int | None = None,
    level: float = 0.95,
) -> Correction:
    """Correct one model's rate, or refuse with a reason. A refusal is a value, never an exception.

    With labels of this model's own answers the rate is PPI++. With labels of other models' answers only their error
    rates are borrowed (Rogan–Gladen), with a warning, and only if those error rates are alike in all of them.

    Args:
        labels: Human labels, 0 or 1, shape (m,).
        evaluator_on_labelled: The evaluator's label of the same answers, 0 or 1, shape (m,).
        evaluator_on_all: The evaluator's label of all of this model's scored answers, shape (N,).
        label_models: Given if the labels are of *other* models: whose answer each one is, shape (m,).
        weights: See :func:`ppi`; not used with ``label_models``.
        target: See :class:`Target`.
        design_effect: See :func:`ppi`.
        n_total: All samples, with those the evaluator could not score.
        level: Confidence level.
    """
    y, f, everything = (np.asarray(v, dtype=float) for v in (labels, evaluator_on_labelled, evaluator_on_all))
    total = len(everything) if n_total is None else n_total
    raw = rate(int((everything >= 0.5).sum()), len(everything), n_total=total, level=level)
    own = label_models is None

    def result(
        estimate: Estimate | None, refused: str | None = None, warnings: tuple[str, ...] = ()
    ) -> Correction:
        alone = None
        if own and len(y):
            blind = np.zeros(len(everything))  # an evaluator that says nothing leaves the labels alone
            alone = ppi(
                y, blind[: len(y)], blind, weights=weights, target=target, n_total=n_total, level=level
            )
            alone = replace(alone, n=len(y), method=f"{len(y)} labels alone ({target.value})")
        check = rogan_gladen(y, f, everything, level=level) if own and len(y) and weights is None else None
        return Correction(estimate, alone, raw, check, len(y), refused, warnings)

    if len(y) < MIN_LABELS:
        return result(None, f"{len(y)} labels are too few; label at least {MIN_LABELS} answers")
    youden = youden_index(y, f, None if weights is None else np.asarray(weights, dtype=float))
    if youden < MIN_YOUDEN:
        return result(
            None, f"the evaluator is too weak: sensitivity + specificity - 1 = {youden:.2f} < {MIN_YOUDEN}"
        )
    if own:
        estimate = ppi(
            y,
            f,
            everything,
            weights=weights,
            target=target,
            design_effect=design_effect,
            n_total=n_total,
            level=level,
        )
        notes: tuple[str, ...] = ()
        if math.isnan(youden):
            notes = (
                "people used only one of the two labels, so the evaluator's error is not known on the other",
            )
        return result(estimate, warnings=notes)
    if min((y == 1).sum(), (y == 0).sum()) < MIN_PER_CLASS:
        return result(None, f"labels of other models need at least {MIN_PER_CLASS} of each kind")
    homogeneity = error_homogeneity(y, f, np.asarray(label_models))
    if homogeneity.models < 2:
        return result(
            None, "labels of a single other model cannot show that the evaluator's error carries over"
        )
    if homogeneity.p < HOMOGENEITY_LEVEL:
        return result(
            None,
            f"the evaluator's error differs between the labelled models (p = {homogeneity.p:.2g}); label this one",
        )
    borrowed = (
        f"error rates borrowed from {homogeneity.models} other models; label some of this model's answers"
    )
    return result(rogan_gladen(y, f, everything, level=level), warnings=(borrowed,))


def youden_index(
    labels: NDArray[np.float64], evaluator: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> float:
    """Sensitivity + specificity - 1; NaN if people used only one of the two labels."""
    w = np.ones(len(labels)) if weights is None else weights
    if not 0 < labels.sum() < len(labels):
        return math.nan
    yes = labels == 1
    return float(np.average(evaluator[yes], weights=w[yes]) - np.average(evaluator[~yes], weights=w[~yes]))


def _moments(
    y: NDArray[np.float64], f: NDArray[np.float64], everything: NDArray[np.float64], w: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Tuning weight, variance of one label, and variance of the estimate given the N answers."""
    lowest, highest = float(everything.min()), float(everything.max())
    upper = f > (lowest + highest) / 2
    heavy = float(w[upper].mean()) if upper.any() else float(w.mean())
    light = float(w[~upper].mean()) if (~upper).any() else float(w.mean())
    y_all = np.concatenate([y, [0, 1, 0, 1]])
    f_all = np.concatenate([f, [lowest, lowest, highest, highest]])
    w_all = np.concatenate([w, [light, light, heavy, heavy]])
    share = np.concatenate([np.ones(len(y)), np.full(4, CORNER_WEIGHT)])
    mass = share * w_all
    y_gap, f_gap = y_all - np.average(y_all, weights=mass), f_all - np.average(f_all, weights=mass)
    f_variance = np.average(f_gap**2, weights=mass)
    slope = 0.0
    if f_variance > 0:
        slope = float(np.clip(np.average(y_gap * f_gap, weights=mass) / f_variance, 0.0, 1.0))
    # An answer drawn for certain (weight 1) adds no sampling error: 1 - 1/w is the finite-population correction.
    remaining = np.clip(1 - 1 / w_all, 0.0, 1.0)
    spread = np.average((y_gap - slope * f_gap) ** 2 * remaining, weights=share * w_all**2)
    sampling = float(spread) * float((w**2).sum()) / float(w.sum()) ** 2
    return slope, float(np.average(y_gap**2, weights=mass)), sampling
