"""``paper.csv``: one row per run and ruler."""

from __future__ import annotations

import csv
import io

from safecot_eval.paper.findings import Paper
from safecot_eval.paper.measured import Measured, Metric
from safecot_eval.paper.rulers import RULERS, Ruler

COLUMNS = (
    "run",
    "base",
    "training",
    "test",
    "ruler",
    "crr",
    "crr_low",
    "crr_high",
    "car",
    "car_low",
    "car_high",
    "n_unsafe",
    "n_safe",
)


def table(paper: Paper) -> str:
    """The rates of all runs by all rulers, in per cent; empty if there is none, with what they were counted over."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, run in paper.runs.items():
        for ruler in RULERS:
            writer.writerow(
                (name, run.run.base, run.run.training, run.run.test.name, ruler, *_row(run, ruler))
            )
    return text.getvalue()


def _row(run: Measured, ruler: Ruler) -> list[str]:
    cells, numbers = [], []
    for metric in (Metric.CRR, Metric.CAR):
        found = run.rate(ruler, metric)
        values = (None, None, None) if found is None else (found.value, found.low, found.high)
        cells += ["" if value is None else f"{100 * value:.4f}" for value in values]
        numbers.append(str(0 if found is None else found.n))
    return cells + numbers
