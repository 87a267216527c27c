"""PPI++, Rogan–Gladen, homogeneity and the refusals to correct."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from safecot_eval.stats import Target, corrected_rate, error_homogeneity, ppi, rate, rogan_gladen


def judged(rng, n, p, sensitivity=0.85, specificity=0.9):
    y = (rng.random(n) < p).astype(float)
    right = rng.random(n) < np.where(y == 1, sensitivity, specificity)
    return y, np.where(right, y, 1 - y)


def test_ppi_is_the_published_estimator_for_large_samples():
    # PPI++ (arXiv 2311.01453), equations 2 and 8, written out for a nested labelled sample.
    y, f = judged(np.random.default_rng(0), 60_000, 0.3)
    m, n = 20_000, 60_000
    weight = np.cov(y[:m], f[:m])[0, 1] / f[:m].var(ddof=1)
    value = weight * f.mean() + (y[:m] - weight * f[:m]).mean()
    variance = y[:m].var() / n + (1 / m - 1 / n) * (y[:m] - weight * f[:m]).var()
    e = ppi(y[:m], f[:m], f)
    assert e.value == pytest.approx(value, abs=1e-5)
    assert (e.high - e.low) / 2 == pytest.approx(1.96 * math.sqrt(variance), rel=1e-2)


def test_a_binary_evaluator_makes_ppi_the_post_stratified_rate():
    # 400 answers, 150 flagged. Labelled: 40 flagged of which 30 yes, 60 not flagged of which 6 yes.
    f_all = np.repeat([1, 0], [150, 250])
    f = np.repeat([1, 0], [40, 60])
    y = np.concatenate([np.repeat([1, 0], [30, 10]), np.repeat([1, 0], [6, 54])])
    exact = 150 / 400 * 30 / 40 + 250 / 400 * 6 / 60
    assert ppi(y, f, f_all).value == pytest.approx(exact, abs=5e-4)


def test_a_useless_evaluator_leaves_the_labels_alone():
    y = np.repeat([1, 0], [12, 48])
    constant = ppi(y, np.ones(60), np.ones(300))
    alone = rate(12, 60)
    assert constant.value == alone.value
    assert (constant.low, constant.high) == pytest.approx((alone.low, alone.high), abs=2e-3)


def test_a_perfect_evaluator_is_almost_the_whole_run():
    y = (np.random.default_rng(1).random(2000) < 0.4).astype(float)
    e = ppi(y[:400], y[:400], y)
    assert e.value == pytest.approx(y.mean(), abs=2e-3)
    assert 1200 < e.n_eff <= 2000


def test_labelling_everything_settles_the_run_but_not_the_population():
    y, f = judged(np.random.default_rng(2), 200, 0.2)
    run, population = ppi(y, f, f, target=Target.RUN), ppi(y, f, f)
    assert run.low == run.value == run.high == pytest.approx(y.mean())
    assert (population.low, population.high) == pytest.approx(
        (rate(int(y.sum()), 200).low, rate(int(y.sum()), 200).high), abs=3e-3
    )


def test_more_labels_make_the_interval_narrower():
    y, f = judged(np.random.default_rng(3), 1000, 0.3)
    widths = [(e := ppi(y[:m], f[:m], f)).high - e.low for m in (50, 100, 200, 400, 800)]
    assert widths == sorted(widths, reverse=True)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.02, 0.3, 1.0]))
def test_relabelling_yes_as_no_mirrors_the_interval(seed, p):
    y, f = judged(np.random.default_rng(seed), 120, p)
    e, mirrored = ppi(y[:40], f[:40], f), ppi(1 - y[:40], 1 - f[:40], 1 - f)
    assert 0 <= e.low <= e.value <= e.high <= 1
    assert (e.low, e.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-9)


def test_equal_weights_change_nothing():
    y, f = judged(np.random.default_rng(4), 300, 0.3)
    weighted, plain = ppi(y[:90], f[:90], f, weights=np.full(90, 7.0)), ppi(y[:90], f[:90], f)
    assert (weighted.low, weighted.high) == pytest.approx((plain.low, plain.high))


@pytest.mark.slow
def test_a_sample_stratified_by_verdict_is_unbiased_and_sharper():
    rng = np.random.default_rng(5)
    y, f = judged(rng, 1000, 0.05, 0.9, 0.97)
    flagged, rest = np.flatnonzero(f == 1), np.flatnonzero(f == 0)
    estimates, covered, widths = [], [], {"stratified": [], "simple": []}
    for _ in range(600):
        drawn = np.concatenate([rng.choice(flagged, 50, replace=False), rng.choice(rest, 50, replace=False)])
        weights = np.repeat([len(flagged) / 50, len(rest) / 50], 50)
        e = ppi(y[drawn], f[drawn], f, weights=weights, target=Target.RUN)
        estimates.append(e.value)
        covered.append(e.low <= y.mean() <= e.high)
        widths["stratified"].append(e.high - e.low)
        some = rng.choice(1000, 100, replace=False)
        simple = ppi(y[some], f[some], f, target=Target.RUN)
        widths["simple"].append(simple.high - simple.low)
    assert np.mean(estimates) == pytest.approx(y.mean(), abs=0.003)
    assert np.mean(covered) >= 0.94
    assert np.mean(widths["stratified"]) < np.mean(widths["simple"])


@pytest.mark.parametrize(
    ("labels", "scores", "everything"),
    [([], [], [1]), ([1, 0], [1], [1, 0, 1]), ([1], [1], []), ([0.5], [1], [1, 0]), ([1], [1.5], [1, 0])],
)
def test_impossible_input_is_refused(labels, scores, everything):
    with pytest.raises(ValueError, match="need at least one label|must be 0 or 1"):
        ppi(labels, scores, everything)


def test_rogan_gladen_closed_form():
    # Sensitivity 0.9, specificity 0.8, raw 0.34: (0.34 + 0.8 - 1) / 0.7 = 0.2
    y = np.repeat([1, 0], [50, 50])
    f = np.concatenate([np.repeat([1, 0], [45, 5]), np.repeat([1, 0], [10, 40])])
    e = rogan_gladen(y, f, np.repeat([1, 0], [340, 660]))
    assert e.value == pytest.approx(0.2)
    p, sp, se = 341 / 1002, 41 / 52, 46 / 52
    variance = (p * (1 - p) / 1002 + 0.8**2 * sp * (1 - sp) / 52 + 0.2**2 * se * (1 - se) / 52) / 0.7**2
    assert (e.high - e.low) / 2 == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-5)


def test_rogan_gladen_needs_both_labels_and_a_better_than_random_evaluator():
    assert rogan_gladen([1, 1], [1, 0], [1, 0, 1]) is None
    assert rogan_gladen([1, 0], [0, 1], [1, 0, 1]) is None


def test_homogeneity_statistic_is_pearsons_and_p_agrees_with_fisher():
    # Two models, only positives: sensitivities 18/20 and 11/20.
    y = np.ones(40)
    f = np.concatenate([np.repeat([1, 0], [18, 2]), np.repeat([1, 0], [11, 9])])
    models = np.repeat(["a", "b"], 20)
    found = error_homogeneity(y, f, models)
    table = [[18, 2], [11, 9]]
    assert found.statistic == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)
    assert found.p == pytest.approx(stats.fisher_exact(table).pvalue, abs=0.01)


@pytest.mark.slow
def test_homogeneity_test_has_its_level_and_finds_a_real_difference():
    rng = np.random.default_rng(6)
    models = np.repeat(list("abcd"), 60)
    false_alarms = 0
    for _ in range(100):
        y, f = judged(rng, 240, 0.4)
        false_alarms += error_homogeneity(y, f, models).p <= 0.05
    assert false_alarms <= 11  # binomial(100, 0.05): P(more) < 0.005
    y, f = judged(rng, 240, 0.4)
    f[models == "a"] = 1  # says yes to everything of one model
    assert error_homogeneity(y, f, models).p < 0.001


def test_one_model_cannot_be_tested():
    assert error_homogeneity([1, 0], [1, 0], ["a", "a"]).models == 1


def test_own_labels_are_corrected_with_a_check_beside():
    y, f = judged(np.random.default_rng(7), 1000, 0.3)
    found = corrected_rate(y[:150], f[:150], f, n_total=1100)
    assert found.refused is None
    assert found.estimate == ppi(y[:150], f[:150], f, n_total=1100)
    assert found.estimate.coverage == pytest.approx(1000 / 1100)
    assert found.check == rogan_gladen(y[:150], f[:150], f)
    assert found.evaluator_only.value == f.mean()
    assert found.labels_only.high - found.labels_only.low > found.estimate.high - found.estimate.low


def test_too_few_labels_are_refused():
    y, f = judged(np.random.default_rng(8), 100, 0.3)
    found = corrected_rate(y[:29], f[:29], f)
    assert found.estimate is None
    assert "29 labels are too few" in found.refused
    assert found.shown == found.labels_only
    assert corrected_rate([], [], f).shown is None


def test_a_weak_evaluator_is_refused():
    y, f = judged(np.random.default_rng(9), 400, 0.5, 0.55, 0.55)
    found = corrected_rate(y, f, f)
    assert found.estimate is None
    assert "too weak" in found.refused


def test_one_kind_of_label_only_is_corrected_with_a_warning():
    found = corrected_rate(np.zeros(50), np.zeros(50), np.zeros(200))
    assert found.estimate.low == 0
    assert "only one of the two labels" in found.warnings[0]


def test_labels_of_other_models_are_borrowed_with_a_warning_where_errors_are_alike():
    rng = np.random.default_rng(21)
    y, f = judged(rng, 400, 0.4)
    truth, everything = judged(rng, 2000, 0.1)
    found = corrected_rate(y, f, everything, label_models=np.repeat(list("abcd"), 100))
    assert found.refused is None
    assert "borrowed from 4 other models" in found.warnings[0]
    assert found.labels_only is None
    assert found.estimate.low <= truth.mean() <= found.estimate.high
    assert not found.evaluator_only.low <= truth.mean() <= found.evaluator_only.high


def test_labels_of_other_models_are_refused_where_errors_differ():
    rng = np.random.default_rng(11)
    y, f = judged(rng, 400, 0.4)
    models = np.repeat(list("abcd"), 100)
    f[models == "a"], y[models == "a"] = judged(rng, 100, 0.5, 0.5, 0.6)
    found = corrected_rate(y, f, np.ones(50), label_models=models)
    assert found.estimate is None
    assert found.shown is None
    assert "differs between the labelled models" in found.refused


def test_labels_of_a_single_other_model_or_of_one_kind_are_refused():
    y, f = judged(np.random.default_rng(12), 200, 0.4)
    assert "single other model" in corrected_rate(y, f, f, label_models=["a"] * 200).refused
    few = np.concatenate([np.ones(5), np.zeros(95)])
    assert "10 of each kind" in corrected_rate(few, few, few, label_models=list("ab") * 50).refused
