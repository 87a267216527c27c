"""Drawing: seeded, unbiased with its weights, and never an answer that cannot be scored."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safecot_eval.judge.people import Candidate, Stratum, candidates, draw
from safecot_eval.judge.people.sampling import allocate
from safecot_eval.records.run import find_runs


@given(
    st.dictionaries(st.tuples(st.text(max_size=3)), st.integers(1, 40), min_size=1, max_size=8),
    st.integers(1, 200),
)
def test_allocation_is_as_even_as_the_sizes_allow(sizes, n):
    shares = allocate(sizes, n, np.random.default_rng(0))
    assert sum(shares.values()) == min(n, sum(sizes.values()))
    assert all(0 < shares[key] <= sizes[key] for key in shares)
    unfilled = [shares.get(key, 0) for key in sizes if shares.get(key, 0) < sizes[key]]
    if unfilled:
        assert max(shares.values()) <= max(max(unfilled), min(unfilled) + 1)


def test_weights_make_a_stratified_draw_unbiased():
    pool = [Candidate(0, "m", "t", str(i), ("yes",) if i < 10 else ("no",)) for i in range(100)]
    totals = Counter()
    for seed in range(300):
        for d in draw(pool, 20, seed):
            totals[d.candidate.stratum] += d.weight
    assert totals["yes",] / 300 == pytest.approx(10)
    assert totals["no",] / 300 == pytest.approx(90)


def test_every_answer_is_as_likely_as_any_other():
    pool = [Candidate(0, "m", "t", str(i), ()) for i in range(10)]
    counts = Counter(d.candidate.sample_id for seed in range(1000) for d in draw(pool, 3, seed))
    # Binomial(1000, 0.3): standard deviation 14.5.
    assert all(abs(count - 300) < 60 for count in counts.values())


def test_same_seed_same_draw_another_seed_another():
    pool = [Candidate(0, "m", "t", str(i), ()) for i in range(50)]
    assert draw(pool, 10, 1) == draw(pool, 10, 1)
    assert draw(pool, 10, 1) != draw(pool, 10, 2)
    assert len(draw(pool, 99, 1)) == 50


def test_candidates_are_scored_answers_with_their_strata(runs):
    found = find_runs([runs])
    pool = candidates(found, [Stratum.VERDICT, Stratum.MODEL, Stratum.CATEGORY])
    assert len(pool) == 2 * 19
    sizes = Counter(c.stratum for c in pool)
    assert sizes["refused", "alpha", "mini/a"] == 5
    assert sizes["refused", "beta", "mini/a"] == 10
    assert sizes["complied", "beta", "mini/b"] == 9


def test_the_verdict_of_a_judge_can_be_the_stratum(runs):
    sidecar = runs / "alpha" / "verdicts" / "j.jsonl"
    sidecar.parent.mkdir()
    sidecar.write_text(
        '{"sample_id": "0000000000000001", "task": "safecot_mini", "rubric": "refusal", "judge": "j", "label": "full"}\n'
    )
    pool = candidates(find_runs([runs / "alpha"]), [Stratum.VERDICT], "j")
    assert Counter(c.stratum for c in pool) == {("full",): 1, ("missing",): 18}


def test_where_the_files_lie_does_not_change_the_draw(runs, tmp_path):
    here = draw(candidates(find_runs([runs])), 8, 3)
    moved = tmp_path / "zzz"
    (runs / "alpha").rename(moved)
    there = draw(candidates(find_runs([runs / "beta", moved])), 8, 3)
    assert [(d.candidate.model, d.candidate.sample_id) for d in here] == [
        (d.candidate.model, d.candidate.sample_id) for d in there
    ]
