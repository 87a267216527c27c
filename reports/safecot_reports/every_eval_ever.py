"""Results in the form of Every Eval Ever, the EvalEval coalition's shared format (its eval.schema.json, version 0.2.1).

One file per model and benchmark, at ``data/<benchmark>/<developer>/<model>/<uuid>.json``. The same submission always gives
the same file, so that exporting again adds nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safecot_eval.aggregate.definitions import METRICS
from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_text
from safecot_eval.util.paths import folder_name

SCHEMA_VERSION = "0.2.1"
_LEFT_OUT = ("tokens", "coverage")
_SPACE = uuid.UUID("6f1f3c1e-5d0b-5a52-9d3e-0c1a4f6f9b77")


def records(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The records of a submission: path below the export folder to content.

    Args:
        document: A sound submission.
    """
    found = {}
    developer, name = _names(document["model"])
    for block in document["tasks"]:
        names = (str(block["task"]), developer, name)
        path = "/".join(["data", *(folder_name(part, "unknown") for part in names)])
        content = _record(document, block, developer)
        identity = uuid.uuid5(_SPACE, f"{document['sha256']}/{block['task']}")
        found[f"{path}/{identity}.json"] = content
    return found


def write(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the records of a submission below a folder.

    Raises:
        SafecotError: the folder cannot be written to.
    """
    written = []
    for name, content in records(document).items():
        path = folder / name
        write_text(path, json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n")
        written.append(path)
    return written


def _record(document: Mapping[str, Any], block: Mapping[str, Any], developer: str) -> dict[str, Any]:
    source = block["provenance"]
    run_at = datetime.strptime(block["stamp"], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    created = datetime.strptime(document["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    model = document["model"]
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{block['task']}/{model}/{int(created.timestamp())}",
        "evaluation_timestamp": run_at.isoformat(),
        "retrieved_timestamp": str(int(created.timestamp())),
        "source_metadata": {
            "source_name": "safecot-eval",
            "source_type": "evaluation_run",
            "source_organization_name": document["submitter"]["name"] or "unknown",
            "evaluator_relationship": document["submitter"]["relationship"],
        },
        "eval_library": {
            "name": "lmms-eval",
            "version": source["lmms_eval"] or "unknown",
            "additional_details": {"safecot_eval": document["safecot_eval"]},
        },
        "model_info": {
            "name": model,
            "id": model,
            **({"developer": developer} if developer != "unknown" else {}),
        },
        "evaluation_results": [
            _result(block, rate)
            for rate in block["rates"]
            if rate["value"] is not None and rate["metric"] not in _LEFT_OUT
        ],
    }


def _result(block: Mapping[str, Any], rate: Mapping[str, Any]) -> dict[str, Any]:
    metric = METRICS[rate["metric"]]
    evaluator = f" by {rate['evaluator']}" if rate["evaluator"] else ""
    details = {
        "evaluator": rate["evaluator"],
        "items": str(rate["n_total"]),
        "items_scored": str(rate["n"]),
        "task_version": block["version"],
        "data_revision": block["data_revision"],
        "image_source": block["image_source"],
    }
    source = block["provenance"]
    arguments: dict[str, Any] = {}
    if source["command"]:
        arguments["execution_command"] = source["command"]
    if source["max_new_tokens"]:
        arguments["max_tokens"] = source["max_new_tokens"]
    return {
        "evaluation_name": f"{block['task']}: {metric.title}{evaluator}",
        "source_data": _source(block),
        "metric_config": {
            "evaluation_description": metric.definition,
            "lower_is_better": metric.better == "down",
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {
            "score": rate["value"],
            "details": details,
            "uncertainty": {
                "confidence_interval": {
                    "lower": rate["low"],
                    "upper": rate["high"],
                    "confidence_level": 0.95,
                    "method": rate["method"],
                },
                "num_samples": rate["n"],
            },
        },
        **({"generation_config": {"generation_args": arguments}} if arguments else {}),
    }


def _source(block: Mapping[str, Any]) -> dict[str, Any]:
    try:
        benchmark, _ = task_parts(block["task"])
    except SafecotError:
        return {"dataset_name": block["task"], "source_type": "other"}
    if benchmark.source.startswith("https://"):
        return {"dataset_name": benchmark.title, "source_type": "url", "url": [benchmark.source]}
    return {"dataset_name": benchmark.title, "source_type": "other"}


def _names(model: str) -> tuple[str, str]:
    """Developer and model.

    >>> _names("Qwen/Qwen2.5-VL-7B"), _names("my-vlm")
    (('Qwen', 'Qwen2.5-VL-7B'), ('unknown', 'my-vlm'))
    """
    developer, slash, name = model.partition("/")
    return (developer, name) if slash and developer and name else ("unknown", model)
