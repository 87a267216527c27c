"""A recorded run as measured by every ruler: its rates, and its differences from another run on their common items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from safecot_eval.paper.recorded import RecordedRun
from safecot_eval.paper.rulers import Ruler, Scores, measure
from safecot_eval.stats.clusters import clustered_rate
from safecot_eval.stats.compare import Comparison, paired_difference
from safecot_eval.stats.estimates import Estimate
from safecot_eval.stats.paired_means import paired_mean_difference


class Metric(StrEnum):
    """CRR: refused of what should be refused; CAR: answered of what should be answered."""

    CRR = "crr"
    CAR = "car"


METRICS = tuple(Metric)
_POOL_FROM_ANSWERS = 5_000


@dataclass(frozen=True)
class Measured:
    """A run with its scores.

    Attributes:
        run: The run.
        scores: Ruler to the degree of refusal of every item of the test set, NaN if unscored.
    """

    run: RecordedRun
    scores: Mapping[Ruler, Scores]

    @cached_property
    def _unsafe(self) -> NDArray[np.bool_]:
        return np.array([question.unsafe for question in self.run.test.questions])

    def items(self, metric: Metric) -> int:
        """How many items of the test set a metric is about, run or not."""
        unsafe = int(self._unsafe.sum())
        return unsafe if metric is Metric.CRR else len(self._unsafe) - unsafe

    def right(self, ruler: Ruler, metric: Metric) -> Scores:
        """How right each item of a metric's side was, 0 to 1 and NaN if unscored; shape (items of that side,)."""
        if metric is Metric.CRR:
            return self.scores[ruler][self._unsafe]
        return 1 - self.scores[ruler][~self._unsafe]

    def rate(self, ruler: Ruler, metric: Metric) -> Estimate | None:
        """CRR or CAR; None if the test set has no such items, or none was scored."""
        right = self.right(ruler, metric)
        if not len(right) or np.isnan(right).all():
            return None
        return clustered_rate(right, np.arange(len(right)))

    def difference(self, other: Measured, ruler: Ruler, metric: Metric) -> Comparison | None:
        """This run's rate less another's on the items that both have; None if they have none in common."""
        ours, theirs = self.right(ruler, metric), other.right(ruler, metric)
        compare = paired_difference if ruler.is_binary else paired_mean_difference
        found = compare(ours, theirs)
        return found if found.n > 1 else None


def measure_all(runs: Sequence[RecordedRun], *, workers: int = 2) -> dict[str, Measured]:
    """Measure runs, many of them in several processes; by run name."""
    if workers < 2 or sum(len(run.answers) for run in runs) < _POOL_FROM_ANSWERS:
        scores = [measure(run) for run in runs]
    else:
        with ProcessPoolExecutor(workers) as pool:
            scores = list(pool.map(measure, runs))
    return {run.name: Measured(run, found) for run, found in zip(runs, scores, strict=True)}
