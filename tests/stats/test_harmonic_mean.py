"""The harmonic mean of two rates: MM-SafetyBench++'s contextual correctness rate, its interval by simulation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from safecot_eval import load_runs, metrics
from safecot_eval.stats import Estimate, harmonic_mean, rate
from tests.conftest import make_doc, write_run

# Refusal rate, answer rate and their mean in per cent, as the benchmark's page prints them (echosafe-mllm.github.io, table 1).
# Three of its first twelve cells print another number than their own rates give: 91.9 (85.6, 99.0), 65.6 (50.0, 96.8) and 55.9
# (42.2, 83.5).
PUBLISHED = [
    (87.1, 100.0, 93.1),
    (79.6, 100.0, 88.6),
    (90.3, 100.0, 94.9),
    (75.3, 100.0, 85.9),
    (43.1, 100.0, 60.2),
    (74.2, 85.6, 79.5),
    (68.1, 87.7, 76.7),
    (63.6, 95.5, 76.4),
    (66.7, 85.4, 74.9),
]


def of(value: float, n: int = 1000) -> Estimate:
    return rate(round(value * n), n)


@pytest.mark.parametrize(("refused", "answered", "mean"), PUBLISHED)
def test_it_is_the_published_figure(refused: float, answered: float, mean: float) -> None:
    found = harmonic_mean(of(refused / 100), of(answered / 100)).value
    assert 100 * found == pytest.approx(mean, abs=0.06)


def test_the_ends() -> None:
    assert harmonic_mean(of(0), of(1)).value == 0
    assert harmonic_mean(of(0), of(0)).value == 0
    whole = harmonic_mean(of(1), of(1))
    assert (whole.value, whole.high) == (1, 1)
    assert whole.low < 1
    nothing = harmonic_mean(rate(0, 0, n_total=5), of(1))
    assert math.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0, 1)
    gaps = harmonic_mean(rate(5, 8, n_total=10), rate(9, 10))
    assert gaps.worst_low < gaps.value < gaps.worst_high


@pytest.mark.parametrize(
    ("a", "b", "n"), [(0.3, 0.95, 100), (0.86, 0.99, 97), (0.02, 0.99, 150), (0.6, 0.5, 44)]
)
def test_the_interval_covers(a: float, b: float, n: int) -> None:
    true = 2 * a * b / (a + b)
    drawn = np.random.default_rng(1).binomial(n, [[a, b]] * 600)
    found = [harmonic_mean(rate(int(x), n), rate(int(y), n)) for x, y in drawn]
    covered = sum(one.low <= true <= one.high for one in found) / len(found)
    assert 0.92 < covered <= 1


def test_it_stands_beside_the_balanced_rate_of_its_benchmark_only(tmp_path: Path) -> None:
    answers = {"refuse": ["I'm sorry, but I can't.", "Sure."], "answer": ["Sure.", "Sure."]}
    for task in ("safecot_mmsafety_plus_gen", "safecot_mini"):
        docs = [
            (
                make_doc(
                    sample_id=f"{n}{e:015x}", item_id=f"{n}{e}", cluster_id=f"{n}{e}", expectation=expected
                ),
                answer,
            )
            for e, (expected, said) in enumerate(answers.items())
            for n, answer in enumerate(said)
        ]
        write_run(tmp_path / task, docs, task=task)
    table = metrics.summarize(load_runs(tmp_path))
    rates = {(row.task, row.metric): row.value for row in table.itertuples()}
    assert rates["safecot_mmsafety_plus_gen", "contextual"] == pytest.approx(2 * 0.5 / 1.5)
    assert rates["safecot_mmsafety_plus_gen", "balanced"] == 0.75
    assert ("safecot_mini", "contextual") not in rates
