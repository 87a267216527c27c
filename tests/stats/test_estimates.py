"""Rates, strata and repeats against closed forms and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from safecot_eval.stats import clustered_rate, macro_mean, rate, wilson_interval

COUNTS = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("method", "oracle"), [("wilson", "wilson"), ("clopper-pearson", "beta")])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 44), (1, 44), (22, 44), (44, 44), (34, 1680), (1679, 1680)])
def test_rate_agrees_with_statsmodels(k, n, level, method, oracle):
    estimate = rate(k, n, method=method, level=level)
    low, high = proportion_confint(k, n, alpha=1 - level, method=oracle)
    assert estimate.value == k / n
    assert estimate.low == pytest.approx(low, abs=1e-9)
    assert estimate.high == pytest.approx(high, abs=1e-9)


def test_wilson_closed_form_when_nothing_is_seen():
    z2 = 1.959963984540054**2
    assert wilson_interval(0.0, 20) == pytest.approx((0.0, z2 / (20 + z2)))


@given(COUNTS, st.sampled_from(["wilson", "clopper-pearson"]))
def test_interval_contains_the_rate_and_mirrors(counts, method):
    k, n = counts
    estimate, mirrored = rate(k, n, method=method), rate(n - k, n, method=method)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low == pytest.approx(1 - mirrored.high, abs=1e-9)


@given(COUNTS, st.integers(0, 100))
def test_worst_case_bounds_are_the_two_extreme_completions(counts, unscored):
    k, n = counts
    estimate = rate(k, n, n_total=n + unscored)
    assert estimate.worst_low == rate(k, n + unscored).value
    assert estimate.worst_high == rate(k + unscored, n + unscored).value
    assert estimate.coverage == n / (n + unscored)


def test_nothing_scored_is_not_zero():
    nothing = rate(0, 0, n_total=7)
    assert math.isnan(nothing.value)
    assert (nothing.low, nothing.high, nothing.worst_low, nothing.worst_high) == (0, 1, 0, 1)
    assert nothing.coverage == 0
    assert math.isnan(rate(0, 0).coverage)


@pytest.mark.parametrize(("k", "n", "total"), [(-1, 4, 4), (5, 4, 4), (1, 4, 3)])
def test_impossible_counts_are_refused(k, n, total):
    with pytest.raises(ValueError, match="successes"):
        rate(k, n, n_total=total)


def test_cluster_variance_is_millers_for_many_clusters():
    rng = np.random.default_rng(3)
    index = np.repeat(np.arange(4000), 3)
    x = np.where(rng.random(12000) < 0.6, (rng.random(4000) < 0.3)[index], rng.random(12000) < 0.3)
    estimate = clustered_rate(x, index)
    sums = np.array([x[index == g].sum() for g in range(4000)]) - 3 * x.mean()
    variance = 4000 / 3999 * (sums**2).sum() / 12000**2  # Miller 2024, eq. 4, with G / (G - 1)
    implied = estimate.value * (1 - estimate.value) / estimate.n_eff
    assert implied == pytest.approx(variance, rel=2e-3)


def test_fully_dependent_clusters_count_once():
    x = np.repeat([1, 0, 0, 1, 0, 0, 0, 1, 0, 0] * 5, 3)
    estimate = clustered_rate(x, np.repeat(np.arange(50), 3))
    assert estimate.n_eff == pytest.approx(50, rel=0.03)
    assert (estimate.low, estimate.high) == pytest.approx((rate(15, 50).low, rate(15, 50).high), abs=0.005)


def test_singleton_clusters_change_nothing():
    x = [1, 0, 0, 1, 1]
    assert clustered_rate(x, list("abcde"), n_total=6) == rate(3, 5, n_total=6)


def test_no_event_in_clusters_counts_each_cluster_once():
    estimate = clustered_rate(np.zeros(30), np.repeat(np.arange(10), 3))
    assert estimate.high == pytest.approx(rate(0, 10).high)


def test_unscored_items_leave_the_rate_and_enter_the_bounds():
    estimate = clustered_rate([1, 0, np.nan, 1], [1, 1, 2, 2], n_total=5)
    assert (estimate.value, estimate.n, estimate.n_total) == (2 / 3, 3, 5)
    assert (estimate.worst_low, estimate.worst_high) == (2 / 5, 4 / 5)


def test_order_of_items_and_names_of_clusters_do_not_matter():
    rng = np.random.default_rng(0)
    x, index, order = rng.random(60) < 0.4, np.repeat(np.arange(20), 3), rng.permutation(60)
    renamed = np.array([f"q{99 - g}" for g in index])
    moved, kept = clustered_rate(x[order], renamed[order]), clustered_rate(x, index)
    assert (moved.low, moved.high, moved.n_eff) == pytest.approx((kept.low, kept.high, kept.n_eff))


def test_macro_counts_strata_alike():
    macro = macro_mean([rate(8, 10), rate(10, 40, n_total=50)])
    assert macro.value == pytest.approx((0.8 + 0.25) / 2)
    assert macro.worst_high == pytest.approx((0.8 + 20 / 50) / 2)
    assert (macro.n, macro.n_total) == (50, 60)


def test_macro_error_propagates_the_strata_errors():
    strata = [rate(300, 1000), rate(1400, 2000)]
    variance = 0.25 * (0.3 * 0.7 / 1000 + 0.7 * 0.3 / 2000)
    macro = macro_mean(strata)
    assert (macro.high - macro.low) / 2 == pytest.approx(1.96 * math.sqrt(variance), rel=0.01)


def test_one_stratum_is_itself():
    one = rate(22, 44)
    macro = macro_mean([one], [3.0])
    assert (macro.value, macro.low, macro.high) == pytest.approx((one.value, one.low, one.high), abs=2e-3)


def test_macro_over_an_unscored_stratum_is_not_a_number():
    assert math.isnan(macro_mean([rate(3, 4), rate(0, 0, n_total=4)]).value)
    assert macro_mean([rate(3, 4), rate(0, 0, n_total=4)], [1, 0]).value == 0.75


@pytest.mark.parametrize("weights", [[1], [-1, 2], [0, 0]])
def test_macro_weights_must_fit(weights):
    with pytest.raises(ValueError, match="non-negative weight"):
        macro_mean([rate(1, 2), rate(1, 2)], weights)


def test_clopper_pearson_with_clusters_is_korn_and_graubards():
    outcomes, clusters = [1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0], np.repeat(np.arange(4), 3)
    wilson = clustered_rate(outcomes, clusters)
    exact = clustered_rate(outcomes, clusters, method="clopper-pearson")
    assert exact.method == "clopper-pearson, cluster-robust"
    assert exact.n_eff == wilson.n_eff == pytest.approx(4)
    alone = rate(2, 4, method="clopper-pearson")
    assert (exact.low, exact.high) == (pytest.approx(alone.low), pytest.approx(alone.high))
    assert exact.low < wilson.low < wilson.high < exact.high
