"""Paired comparisons against closed forms, scipy and statsmodels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.multitest import multipletests

from safecot_eval.stats import (
    holm,
    items_needed,
    mcnemar,
    minimum_detectable_difference,
    paired_difference,
    power,
    rank_ranges,
    sign_flip,
    tango_interval,
)

DISCORDANT = st.tuples(st.integers(0, 60), st.integers(0, 60))


@given(DISCORDANT)
def test_exact_mcnemar_agrees_with_statsmodels(pair):
    b, c = pair
    assert mcnemar(b, c, mid_p=False) == pytest.approx(oracle_mcnemar([[0, b], [c, 0]], exact=True).pvalue)


@given(DISCORDANT)
def test_mid_p_counts_the_observed_table_half(pair):
    b, c = pair
    exact, mid = mcnemar(b, c, mid_p=False), mcnemar(b, c)
    if b == c:
        assert mid == 1
    else:
        assert mid == pytest.approx(exact - stats.binom.pmf(b, b + c, 0.5))
    assert mcnemar(c, b) == pytest.approx(mid)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 3)


@pytest.mark.parametrize(
    ("b", "c", "n"), [(12, 2, 50), (0, 0, 44), (5, 5, 20), (43, 0, 43), (1, 0, 44), (0, 9, 12)]
)
def test_tango_limits_solve_the_score_equation(b, c, n):
    low, high = tango_interval(b, c, n)
    assert -1 <= low <= (b - c) / n <= high <= 1
    for limit in (low, high):
        if abs(limit) < 1:
            # The restricted likelihood, maximised by brute force over the share of "only B" pairs.
            q = np.linspace(max(0.0, -limit), (1 - limit) / 2, 2_000_001)[1:-1]
            likelihood = b * np.log(q + limit) + c * np.log(q) + (n - b - c) * np.log(1 - 2 * q - limit)
            best = q[np.argmax(likelihood)]
            score = (b - c - n * limit) / math.sqrt(n * (2 * best + limit - limit**2))
            assert abs(score) == pytest.approx(1.96, abs=5e-3)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
def test_swapping_the_models_negates_the_difference(b, c, rest):
    n = b + c + rest
    if n == 0:
        return
    low, high = tango_interval(b, c, n)
    assert tango_interval(c, b, n) == pytest.approx((-high, -low), abs=1e-8)


def test_paired_difference_uses_items_scored_for_both():
    found = paired_difference([1, 1, 0, np.nan, 1], [0, 1, 1, 1, np.nan])
    assert (found.n, found.b, found.c, found.diff) == (3, 1, 1, 0)
    nothing = paired_difference([np.nan], [1])
    assert math.isnan(nothing.diff)
    assert (nothing.low, nothing.high, nothing.p) == (-1, 1, 1)


def test_paired_difference_refuses_scores_that_are_not_yes_or_no():
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        paired_difference([0.5], [1])


def test_sign_flip_enumerates_few_clusters():
    sums = np.array([3, 1, -1, 2, 2, 0])
    flips = [abs(np.dot(s, sums)) for s in itertools.product((-1, 1), repeat=6)]
    assert sign_flip(sums) == pytest.approx(np.mean([f >= 7 for f in flips]))


def test_sign_flip_of_many_clusters_agrees_with_scipy():
    rng = np.random.default_rng(5)
    sums = rng.integers(-3, 4, 60).astype(float) + 0.35
    oracle = stats.permutation_test(
        (sums,), np.sum, permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert sign_flip(sums) == pytest.approx(oracle, abs=0.02)
    assert sign_flip(sums) == sign_flip(-sums)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=10))
def test_sign_flip_of_whole_numbers_is_exact(sums: list[int]) -> None:
    totals = [abs(sum(pattern)) for pattern in itertools.product(*((s, -s) for s in sums))]
    share = np.mean([total >= abs(sum(sums)) for total in totals])
    assert sign_flip(sums) == pytest.approx(share, abs=1e-12)


def test_sign_flip_keeps_its_digits_in_the_tail() -> None:
    assert sign_flip([3] * 40) == pytest.approx(2.0**-39, abs=1e-15)  # only all signs alike are as far out
    many = [1] * 700 + [-1] * 500 + [4] * 3
    ones, fours = stats.binom(1200, 0.5), stats.binom(3, 0.5)
    chance = sum(
        fours.pmf(k) * ones.pmf(n)
        for k in range(4)
        for n in range(1201)
        if abs(4 * (2 * k - 3) + 2 * n - 1200) >= 212
    )
    assert sign_flip(many) == pytest.approx(chance, rel=1e-4)


def test_sign_flip_of_single_items_is_exact_mcnemar():
    assert sign_flip(np.array([1] * 9 + [-1] * 2)) == pytest.approx(mcnemar(9, 2, mid_p=False))


def test_clusters_widen_the_interval_and_raise_the_p_value():
    a, b = np.repeat([1, 1, 0, 0, 1] * 6, 3), np.repeat([1, 0, 0, 0, 1] * 6, 3)
    items, questions = paired_difference(a, b), paired_difference(a, b, np.repeat(np.arange(30), 3))
    assert questions.diff == items.diff == 0.2
    assert questions.high - questions.low > 1.5 * (items.high - items.low)
    assert questions.p == pytest.approx(mcnemar(6, 0, mid_p=False))


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(pvalues):
    assert holm(pvalues) == pytest.approx(multipletests(pvalues, method="holm")[1])


def test_rank_ranges_from_wins_and_losses():
    # A beats C and D, B beats D.
    better = np.zeros((4, 4), dtype=bool)
    better[0, 2] = better[0, 3] = better[1, 3] = True
    assert rank_ranges(better) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    with pytest.raises(ValueError, match="square"):
        rank_ranges([[True, False]])


@pytest.mark.parametrize(
    ("n", "discordant", "points"),
    [(167, 0.1, 6.8), (167, 0.3, 11.8), (450, 0.2, 5.9), (1680, 0.1, 2.2), (5040, 0.3, 2.2)],
)
def test_minimum_detectable_difference(n, discordant, points):
    found = minimum_detectable_difference(n, discordant)
    assert 100 * found == pytest.approx(points, abs=0.06)
    assert power(n, found, discordant) == pytest.approx(0.8)


def test_items_needed_is_connors_formula():
    # (1.96 sqrt(0.2) + 0.8416 sqrt(0.2 - 0.01))^2 / 0.01 = 154.3
    assert items_needed(0.1, 0.2) == 155
    assert power(155, 0.1, 0.2) == pytest.approx(0.8, abs=0.005)


def test_power_is_what_a_simulation_finds():
    rng, hits = np.random.default_rng(1), 0
    for b, c, _ in rng.multinomial(300, [0.15, 0.07, 0.78], 4000):
        hits += mcnemar(int(b), int(c)) <= 0.05
    assert hits / 4000 == pytest.approx(power(300, 0.08, 0.22), abs=0.025)


def test_too_few_items_detect_nothing():
    assert math.isnan(minimum_detectable_difference(10, 0.1))
    with pytest.raises(ValueError, match="effect <= discordant"):
        items_needed(0.3, 0.2)
