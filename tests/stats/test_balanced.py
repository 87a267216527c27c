"""The paired difference of balanced rates: a closed form, whole clusters, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest

from safecot_eval.stats import balanced_difference, paired_difference, sign_flip
from safecot_eval.stats.balanced import NORMAL_FROM, Half


def half(a: list[float], b: list[float], start: int = 0) -> Half:
    return Half(np.array(a), np.array(b), np.arange(start, start + len(a), dtype=np.int32))


def test_it_is_the_mean_of_both_differences() -> None:
    refuse = half([1, 1, 1, 0, np.nan], [0, 0, 1, 0, 1])
    answer = half([1, 0], [1, 1], start=9)
    found = balanced_difference(refuse, answer)
    assert found.diff == pytest.approx((2 / 4 - 1 / 2) / 2)
    assert (found.n, found.b, found.c) == (6, 2, 1)
    # Independent halves: variances recovered from each interval add up.
    one, two = (paired_difference(h.a, h.b) for h in (refuse, answer))
    assert found.diff - found.low == pytest.approx(np.hypot(one.diff - one.low, two.diff - two.low) / 2)
    assert found.high - found.diff == pytest.approx(np.hypot(one.high - one.diff, two.high - two.diff) / 2)


def test_the_same_question_in_both_halves_counts_once() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 2, (2, 40)).astype(float)
    refuse, answer = half(list(a), list(b)), half(list(1 - a), list(1 - b))
    found = balanced_difference(refuse, answer)  # what one half wins the other loses
    assert (found.diff, found.p) == (pytest.approx(0), 1)
    assert found.high - found.low < 1e-6
    alike = balanced_difference(refuse, refuse)
    assert alike.high - alike.low == pytest.approx(np.diff(_interval(refuse))[0])


def _interval(one: Half) -> tuple[float, float]:
    found = paired_difference(one.a, one.b)
    return found.low, found.high


def test_many_clusters_have_the_p_value_of_the_flips() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.random((2, 1200)) < np.array([[0.55], [0.5]])).astype(float)
    first, second = half(list(a[:700]), list(b[:700])), half(list(a[700:]), list(b[700:]), 700)
    sums = np.concatenate([(a - b)[:700] / 1400, (a - b)[700:] / 1000])
    assert np.count_nonzero(sums) >= NORMAL_FROM
    assert balanced_difference(first, second).p == pytest.approx(sign_flip(sums.round(12)), abs=0.01)


def test_nothing_in_common() -> None:
    empty = half([np.nan], [1.0])
    found = balanced_difference(half([1], [0]), empty)
    assert np.isnan(found.diff)
    assert (found.low, found.high, found.p, found.method) == (-1, 1, 1, "nothing in common")


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_coverage_and_size(shift: float) -> None:
    rng = np.random.default_rng(11)
    covered = rejected = 0
    rounds = 400
    for _ in range(rounds):
        ease = rng.beta(2, 2, 80)
        a, b = (rng.random((2, 80)) < np.stack([np.minimum(ease + shift, 1), ease])).astype(float)
        truth = (np.minimum(ease + shift, 1) - ease).reshape(2, 40)
        found = balanced_difference(half(list(a[:40]), list(b[:40])), half(list(a[40:]), list(b[40:]), 40))
        covered += found.low <= truth.mean() <= found.high
        rejected += found.p <= 0.05
    assert covered / rounds >= 0.93
    assert (rejected / rounds <= 0.07) if shift == 0 else (rejected / rounds >= 0.5)
