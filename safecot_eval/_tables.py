"""Rows of :func:`safecot_eval.runs.load_runs`: one per sample and evaluator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from safecot_eval.verdicts import REFUSED_BY_LABEL

if TYPE_CHECKING:
    from safecot_eval.runs import Run

COLUMN_TYPES = {
    "model": "category",
    "task": "category",
    "benchmark": "category",
    "variant": "category",
    "sample_id": "string",
    "item_id": "string",
    "category": "category",
    "cluster_id": "string",
    "pair_id": "string",
    "core": "boolean",
    "expectation": "category",
    "status": "category",
    "evaluator": "category",
    "label": "category",
    "refused": "boolean",
    "probability": "Float64",
    "output_tokens": "Int64",
}

_COPIED = (
    "model",
    "task",
    "benchmark",
    "variant",
    "sample_id",
    "item_id",
    "category",
    "cluster_id",
    "pair_id",
    "core",
    "expectation",
    "status",
    "output_tokens",
)


def rows_of(run: Run) -> Iterator[dict[str, Any]]:
    """Yield the template row of every sample, then one row per verdict (in-run and sidecar)."""
    sidecar: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for verdict in run.verdicts():
        sidecar[verdict["sample_id"]].append(verdict)
    for record in run.samples():
        base = {key: record.get(key) for key in _COPIED}
        matched = record["refusal"]["matched"]
        label = None if matched is None else ("refused" if matched else "complied")
        evaluator = f"template:{record['refusal']['list']}"
        yield {**base, "evaluator": evaluator, "label": label, "refused": matched, "probability": None}
        seen: set[tuple[str, str]] = set()
        for verdict in (*sidecar.get(record["sample_id"], ()), *record["verdicts"]):
            key = (verdict["judge"], verdict["rubric"])
            if key in seen:
                continue
            seen.add(key)
            yield {
                **base,
                "evaluator": f"{verdict['judge']}/{verdict['rubric']}",
                "label": verdict["label"],
                "refused": REFUSED_BY_LABEL.get(verdict["rubric"], {}).get(verdict["label"]),
                "probability": verdict.get("probability"),
            }
