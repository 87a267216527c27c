"""Agreement coefficients against closed forms and the libraries that have them."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa as oracle_kappa

from safecot_eval.stats import (
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    percent_agreement,
    rate,
    sensitivity_specificity,
)

LABELS = st.sampled_from(["full", "partial", "none"])
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=2, max_size=60)


@settings(max_examples=60)
@given(PAIRS)
def test_kappa_agrees_with_scikit_learn(pairs):
    a, b = zip(*pairs, strict=True)
    ours = cohen_kappa(a, b).value
    if len({*a, *b}) == 1 or (len(set(a)) == 1 and a == b):
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(cohen_kappa_score(a, b))


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.one_of(st.none(), LABELS)] * 3), min_size=2, max_size=40))
def test_alpha_agrees_with_the_krippendorff_package(units):
    ratings = list(zip(*units, strict=True))
    ours = krippendorff_alpha(ratings)
    codes = {"full": 0, "partial": 1, "none": 2, None: np.nan}
    paired = [u for u in units if sum(x is not None for x in u) >= 2]
    if len({x for u in paired for x in u if x is not None}) < 2:
        assert math.isnan(ours.value)
        return
    matrix = np.array([[codes[x] for x in rater] for rater in ratings], dtype=float)
    assert ours.value == pytest.approx(krippendorff.alpha(matrix, level_of_measurement="nominal"))
    assert ours.n == len(paired)


def test_alpha_of_krippendorffs_own_example():
    # Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: nominal alpha 0.743.
    raters = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    assert krippendorff_alpha(raters).value == pytest.approx(0.743, abs=5e-4)


def test_ac1_closed_form_and_its_point_against_kappa():
    # 118 both yes, 5 and 2 discordant, 0 both no: agreement 0.944 but kappa is below 0.
    a = ["yes"] * 123 + ["no"] * 2
    b = ["yes"] * 118 + ["no"] * 5 + ["yes"] * 2
    share = (123 + 120) / 250
    chance = 2 * share * (1 - share)
    assert gwet_ac1([a, b]).value == pytest.approx((118 / 125 - chance) / (1 - chance))
    assert gwet_ac1([a, b]).value > 0.9
    assert cohen_kappa(a, b).value < 0


def test_kappa_interval_is_the_analytic_one_for_large_samples():
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < 0.3
    a, b = (np.where(rng.random(4000) < 0.85, truth, ~truth).astype(int) for _ in range(2))
    ours, table = cohen_kappa(a.tolist(), b.tolist()), np.zeros((2, 2))
    np.add.at(table, (a, b), 1)
    theirs = oracle_kappa(table)
    assert ours.value == pytest.approx(theirs.kappa)
    assert (ours.low, ours.high) == pytest.approx((theirs.kappa_low, theirs.kappa_upp), abs=2e-3)


def test_perfect_agreement_has_an_interval_below_one():
    a = ["x"] * 10 + ["y"] * 10
    for found in (cohen_kappa(a, a), krippendorff_alpha([a, a]), gwet_ac1([a, a])):
        assert (found.value, found.high) == (1, 1)
        assert 0.5 < found.low < 0.75


@pytest.mark.parametrize("coefficient", [krippendorff_alpha, gwet_ac1])
def test_nothing_rated_twice_is_not_a_number(coefficient):
    found = coefficient([["x", None], [None, "y"]])
    assert math.isnan(found.value)
    assert found.n == 0


def test_percent_agreement_leaves_out_missing_labels():
    found = percent_agreement(["x", "y", None, "x"], ["x", "x", "x", "x"])
    assert (found.value, found.n, found.n_total) == (2 / 3, 3, 4)


def test_error_rates_of_a_yes_no_evaluator():
    found = sensitivity_specificity([1, 1, 1, 0, 0], [1, 1, 0, 0, 1])
    assert found.sensitivity == rate(2, 3)
    assert found.specificity == rate(1, 2)


def test_agreement_of_the_msts_annotators(data_dir):
    import csv

    path = data_dir / "msts" / "responses_english_multimodal.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    a, b = ([row[f"annot{k}_label"] == "1.2 - refusal only" for row in rows] for k in (1, 2))
    assert cohen_kappa(a, b).value == pytest.approx(cohen_kappa_score(a, b))
    assert 0.8 < cohen_kappa(a, b).low < cohen_kappa(a, b).high < 0.92
