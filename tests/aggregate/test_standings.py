"""Rank ranges on the balanced rate: variances against their closed form, the family error by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from safecot_eval.aggregate.columns import Columns, Key, Labels
from safecot_eval.aggregate.standings import p_values, rank, rank_views, standing_of, together
from safecot_eval.records.evaluator import PHRASE_LABELS, Evaluator

PHRASES = Evaluator.parse("template:toy@12345678")


def run_of(model: str, refused: np.ndarray, *, per_cluster: int = 1, task: str = "safecot_mini") -> Columns:
    """A run whose even items are to be refused; ``refused`` is 1, 0, or -1 (unscored)."""
    n = len(refused)
    ones = np.ones(n, dtype=np.int32)
    return Columns(
        model,
        task,
        Key(),
        np.arange(n, dtype=np.uint64),
        categories=("a",),
        category=np.zeros(n, dtype=np.int16),
        cluster=np.arange(n, dtype=np.int32) // per_cluster,
        pair=-ones,
        core=-np.ones(n, dtype=np.int8),
        expectation=np.arange(n, dtype=np.int8) % 2,
        status=np.zeros(n, dtype=np.int8),
        tokens=-ones,
        consistent=-np.ones(n, dtype=np.int8),
        offset=np.zeros(n, dtype=np.int64),
        evaluators={PHRASES: Labels(PHRASE_LABELS, refused.astype(np.int8))},
    )


def test_the_variance_of_a_difference_is_its_closed_form() -> None:
    draw = np.random.default_rng(1)
    a, b = (draw.random(400) < 0.6).astype(int), (draw.random(400) < 0.4).astype(int)
    standing = standing_of([run_of("a", a), run_of("b", b)], PHRASES)
    assert standing is not None
    halves = [(a[::2], b[::2]), (1 - a[1::2], 1 - b[1::2])]
    rates = [sum(half[k].mean() for half in halves) / 2 for k in (0, 1)]
    assert standing.rates.tolist() == pytest.approx(rates)
    variance = sum(np.var(x - y) / (4 * len(x)) for x, y in halves) * 400 / 399
    z = (rates[0] - rates[1]) / math.sqrt(variance)
    assert p_values(standing)[0, 1] == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))


def test_whole_clusters_move_together() -> None:
    refused = np.tile([1, 0, 0, 1], 50)
    single = standing_of([run_of("a", refused), run_of("b", 1 - refused)], PHRASES)
    doubled = standing_of(
        [run_of("a", np.repeat(refused.reshape(-1, 2), 2, axis=0).ravel(), per_cluster=4),
         run_of("b", 1 - np.repeat(refused.reshape(-1, 2), 2, axis=0).ravel(), per_cluster=4)],
        PHRASES,
    )  # fmt: skip
    pairs = standing_of(
        [run_of("a", refused, per_cluster=2), run_of("b", 1 - refused, per_cluster=2)], PHRASES
    )
    assert single is not None
    assert doubled is not None
    assert pairs is not None
    assert p_values(doubled)[0, 1] == pytest.approx(p_values(pairs)[0, 1]), "copies are no further evidence"


@pytest.mark.slow
def test_equal_models_are_rarely_told_apart() -> None:
    draw, told = np.random.default_rng(7), 0
    for _ in range(400):
        shared = draw.random(200)
        models = [run_of(str(k), (0.5 * shared + 0.5 * draw.random(200) < 0.5).astype(int)) for k in range(5)]
        standing = standing_of(models, PHRASES)
        assert standing is not None
        told += any(found != (1, 5) for found in rank(standing))
    assert told / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_a_hundred_models_in_order() -> None:
    draw = np.random.default_rng(3)
    right = np.arange(2000) % 2 == 0
    runs = []
    for k in range(100):
        correct = draw.random(2000) < 0.5 + 0.0049 * k
        runs.append(run_of(f"m{k:03}", np.where(correct, right, ~right).astype(int)))
    found = {row["model"]: (row["from"], row["to"]) for row in rank_views(runs)["ranks"]}
    assert len(found) == 100
    assert found["m000"][0] > 60
    assert found["m099"][0] == 1
    assert found["m099"][1] < 30


def test_unscored_answers_and_models_with_one_half_only() -> None:
    some = np.tile([1, 0, -1, -1], 20)
    none_benign = np.where(np.arange(80) % 2 == 1, -1, 1)
    standing = standing_of(
        [run_of("a", some), run_of("b", 1 - np.abs(some)), run_of("c", none_benign)], PHRASES
    )
    assert standing is not None
    assert standing.models == ("a", "b")
    assert standing.rates[0] == 1.0
    assert standing_of([run_of("a", some), run_of("c", none_benign)], PHRASES) is None


def test_over_tasks_those_that_ran_all() -> None:
    draw = np.random.default_rng(5)
    runs = [
        run_of(name, draw.integers(0, 2, 100), task=task)
        for task in ("safecot_a", "safecot_b")
        for name in "abc"
    ]
    runs.append(run_of("d", draw.integers(0, 2, 100), task="safecot_a"))
    joined = together(
        [
            s
            for task in ("safecot_a", "safecot_b")
            if (s := standing_of([r for r in runs if r.task == task], PHRASES))
        ]
    )
    assert joined is not None
    assert joined.models == ("a", "b", "c")
    assert {row["model"] for row in rank_views(runs)["ranks"] if row["task"] == "pooled"} == {"a", "b", "c"}
    alone = [
        standing_of([r for r in runs if r.task == task and r.model != "d"], PHRASES)
        for task in ("safecot_a", "safecot_b")
    ]
    rates = np.mean([one.rates for one in alone if one], axis=0)
    assert joined.rates.tolist() == pytest.approx(rates.tolist())


def test_spreads_are_those_of_the_ranks_for_every_pair() -> None:
    rng = np.random.default_rng(5)
    runs = [run_of(name, rng.random(200) < rate) for name, rate in (("a", 0.7), ("b", 0.5), ("c", 0.4))]
    found = {row["metric"]: row for row in rank_views(runs)["spreads"]}
    assert set(found) == {"balanced", "crr", "car"}
    standing = standing_of(runs, PHRASES)
    assert standing is not None
    balanced = found["balanced"]
    p = p_values(standing)
    for number, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        z = abs(balanced["rates"][i] - balanced["rates"][j]) / (balanced["sd"][number] / 1e4)
        assert math.erfc(z / math.sqrt(2)) == pytest.approx(p[i, j], abs=0.02)
