"""A run as the block of a submission, and back: the same arrays that the leaderboard works with, without any text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from safecot_eval.aggregate.columns import EXPECTATIONS, PER_SAMPLE, STATUSES, Columns, Key, Labels
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.benchmarks import registry
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_eval.stats import Estimate

CODES = {
    "expectation": [value.value for value in EXPECTATIONS],
    "status": [value.value for value in STATUSES],
}
_SHOWN = {Kind.PHRASES: "template", Kind.ALTERNATIVE: "shadow"}
"""What stands in place of a rubric for phrase lists."""


def task_block(
    columns: Columns, timestamp: str, samples_sha256: str, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """One task of a submission.

    Args:
        columns: The run.
        timestamp: lmms-eval's timestamp.
        samples_sha256: Hash of the samples file, so that its holder can prove later what it said.
        provenance: See ``schema.json``; free of secrets and paths (:mod:`safecot_eval.submissions.shareable`).
    """
    return {
        "task": columns.task,
        "stamp": timestamp,
        **{name: value for name, value in columns.key._asdict().items() if value or name != "protocol"},
        "samples_sha256": samples_sha256,
        "categories": list(columns.categories),
        "columns": {
            "id": [f"{name:016x}" for name in columns.ids.tolist()],
            **{name: getattr(columns, name).tolist() for name in PER_SAMPLE},
        },
        "evaluators": [
            {
                **identity(evaluator),
                "labels": list(labels.names),
                "codes": labels.codes.tolist(),
                "weights": None if labels.weights is None else [_finite(w) for w in labels.weights.tolist()],
            }
            for evaluator, labels in columns.evaluators.items()
        ],
        "rates": rates(columns),
        "provenance": dict(provenance),
    }


def identity(evaluator: Evaluator) -> dict[str, str]:
    """How a submission says who an evaluator is."""
    rubric = _SHOWN.get(evaluator.kind, evaluator.rubric)
    return {"name": str(evaluator), "rubric": rubric, "judge": evaluator.judge}


def rates(columns: Columns) -> list[dict[str, Any]]:
    """Every rate of a run with its interval, in a fixed order.

    What a task is read as besides (``registry.also_refuse``) is left out: whoever reads the submission can work it out. So
    are attack rates over whole categories, harmonic means, corrected rates, mean scores and probabilities, which no submission holds.
    """
    left_out = {
        "crr_soft",
        "car_soft",
        "attack_rate",
        "contextual",
        "strongreject",
        "toxicity",
        "dialogue_asr",
        *(["crr"] if registry.also_refuse(columns.task) else []),
    }
    return [
        {"metric": metric, "evaluator": evaluator, **_numbers(estimate)}
        for (metric, evaluator), estimate in sorted(run_metrics(columns).items())
        if metric not in left_out and not metric.endswith("_corrected")
    ]


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": _finite(estimate.value),
        "low": _finite(estimate.low),
        "high": _finite(estimate.high),
        "n": int(estimate.n),
        "n_total": int(estimate.n_total),
        "method": estimate.method,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def columns_of(model: str, block: Mapping[str, Any], codes: Mapping[str, Sequence[str]]) -> Columns:
    """The run of a block that has passed the checks of its shape and counts.

    Args:
        model: The submission's model name.
        block: One of its tasks.
        codes: The submission's names of expectations and statuses, which may be in another order than ours.
    """
    given = block["columns"]
    arrays: dict[str, Any] = {name: np.array(given[name], dtype=kind) for name, kind in PER_SAMPLE.items()}
    for name, ours in CODES.items():
        order = np.array([ours.index(theirs) for theirs in codes[name]], dtype=np.int8)
        arrays[name] = order[arrays[name]]
    evaluators = {
        Evaluator.parse(entry["name"]): Labels(
            tuple(entry["labels"]),
            np.array(entry["codes"], dtype=np.int8),
            None
            if entry["weights"] is None
            else np.array(entry["weights"], dtype=np.float64),  # null becomes NaN
        )
        for entry in block["evaluators"]
    }
    return Columns(
        model,
        block["task"],
        Key(**{name: block[name] for name in Key._fields if name in block}),
        np.array([int(name, 16) for name in given["id"]], dtype=np.uint64),
        categories=tuple(block["categories"]),
        offset=np.full(len(given["id"]), -1, dtype=np.int64),
        evaluators=evaluators,
        **arrays,
    )
