"""Paired differences of scores: against scipy's t test, by their false positive rate, and where nothing can be said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from safecot_eval.stats import Outcome, at_least, at_most, paired_mean_difference


def test_interval_is_students() -> None:
    rng = np.random.default_rng(1)
    a = rng.random(120)
    b = np.clip(a + rng.normal(-0.05, 0.2, 120), 0, 1)
    found = paired_mean_difference(a, b)
    oracle = scipy_stats.ttest_rel(a, b)
    limits = oracle.confidence_interval(0.95)
    assert found.diff == pytest.approx(float((a - b).mean()))
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high))
    assert found.p == pytest.approx(oracle.pvalue, abs=0.02)
    assert found.b + found.c <= found.n == 120


@pytest.mark.slow
def test_p_values_are_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(2)
    small = sum(
        paired_mean_difference(*rng.beta(0.3, 0.3, (2, 40))).p <= 0.1  # two modes, as a judge's probabilities
        for _ in range(400)
    )
    assert 20 <= small <= 62, "10 % of 400, within four standard errors"


def test_only_common_items_count() -> None:
    nan = math.nan
    found = paired_mean_difference([0.1, nan, 0.9, 0.5], [0.2, 0.3, nan, 0.5])
    assert found.n == 2
    assert found.diff == pytest.approx(-0.05)
    assert paired_mean_difference([nan, 0.5], [0.5, nan]).p == 1.0
    assert math.isnan(paired_mean_difference([nan, 0.5], [0.5, nan]).diff)
    assert paired_mean_difference([0.5, 0.5], [0.5, 0.5]).p == 1.0


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        paired_mean_difference([1.5, 0.2], [0.1, 0.2])
    with pytest.raises(ValueError, match="one score per item"):
        paired_mean_difference([0.5], [0.1, 0.2])


def test_a_claim_is_decided_by_its_whole_interval() -> None:
    assert at_least(0.8, 0.9, 0.8) is Outcome.HOLDS
    assert at_least(0.0, 0.9, 0.0, strictly=True) is Outcome.UNDECIDED
    assert at_least(0.1, 0.79, 0.8) is Outcome.FAILS
    assert at_most(0.0, 0.1, 0.1) is Outcome.HOLDS
    assert at_most(0.11, 0.2, 0.1) is Outcome.FAILS
    assert at_most(0.05, 0.2, 0.1) is Outcome.UNDECIDED
