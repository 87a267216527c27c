"""A run as the block of a submission, and back: the same arrays that the leaderboard works with, without any text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from safecot_eval.aggregate.columns import EXPECTATIONS, STATUSES, Columns, Labels
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.benchmarks import registry
from safecot_eval.stats import Estimate

CODES = {
    "expectation": [value.value for value in EXPECTATIONS],
    "status": [value.value for value in STATUSES],
}
_COLUMNS = ("category", "cluster", "pair", "core", "expectation", "status", "tokens", "consistent")
_TYPES: dict[str, Any] = {
    "category": np.int16,
    "cluster": np.int32,
    "pair": np.int32,
    "core": np.int8,
    "expectation": np.int8,
    "status": np.int8,
    "tokens": np.int32,
    "consistent": np.int8,
}


def task_block(
    columns: Columns, stamp: str, samples_sha256: str, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """One task of a submission.

    Args:
        columns: The run.
        stamp: lmms-eval's time stamp.
        samples_sha256: Hash of the samples file, so that its holder can prove later what it said.
        provenance: See ``schema.json``; free of secrets and paths (:mod:`safecot_eval.submissions.shareable`).
    """
    return {
        "task": columns.task,
        "stamp": stamp,
        **dict(zip(("version", "data_revision", "image_source"), columns.key, strict=True)),
        "samples_sha256": samples_sha256,
        "categories": list(columns.categories),
        "columns": {
            "id": [f"{name:016x}" for name in columns.ids.tolist()],
            **{name: getattr(columns, name).tolist() for name in _COLUMNS},
        },
        "evaluators": [_evaluator(name, labels) for name, labels in columns.evaluators.items()],
        "rates": rates(columns),
        "provenance": dict(provenance),
    }


def _evaluator(name: str, labels: Labels) -> dict[str, Any]:
    weights = None if labels.weights is None else [_finite(w) for w in labels.weights.tolist()]
    return {
        "name": name,
        "rubric": labels.rubric,
        "judge": labels.judge,
        "labels": list(labels.names),
        "codes": labels.codes.tolist(),
        "weights": weights,
    }


def rates(columns: Columns) -> list[dict[str, Any]]:
    """Every rate of a run with its interval, in a fixed order.

    What a task is read as besides (``registry.also_refuse``) is left out: whoever reads the submission can work it out.
    """
    twice = registry.also_refuse(columns.task)
    found = sorted((name, e) for name, e in run_metrics(columns).items() if not (twice and name[0] == "crr"))
    return [
        {"metric": metric, "evaluator": evaluator, **_numbers(estimate)}
        for (metric, evaluator), estimate in found
        if not evaluator.startswith("shadow ")
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
    arrays: dict[str, Any] = {name: np.array(given[name], dtype=_TYPES[name]) for name in _COLUMNS}
    for name, ours in CODES.items():
        order = np.array([ours.index(theirs) for theirs in codes[name]], dtype=np.int8)
        arrays[name] = order[arrays[name]]
    found = Columns(
        model,
        block["task"],
        (block["version"], block["data_revision"], block["image_source"]),
        np.array([int(name, 16) for name in given["id"]], dtype=np.uint64),
        categories=tuple(block["categories"]),
        offset=np.full(len(given["id"]), -1, dtype=np.int64),
        **arrays,
    )
    for entry in block["evaluators"]:
        weights = entry["weights"]
        found.evaluators[entry["name"]] = Labels(
            entry["rubric"],
            entry["judge"],
            tuple(entry["labels"]),
            np.array(entry["codes"], dtype=np.int8),
            None
            if weights is None
            else np.array([math.nan if w is None else w for w in weights], dtype=np.float32),
        )
    return found
