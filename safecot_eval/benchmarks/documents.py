"""The documents that lmms-eval gets for a task: one flat row per item, with the hashes of its images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from safecot_eval.benchmarks import catalogue, images
from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.records.samples import BEFORE, Item, sample_id
from safecot_eval.util.files import sha256_of


def documents(task_name: str, items: Sequence[Item] | None = None) -> list[dict[str, Any]]:
    """The documents of a task, in the order of its items; see :func:`load_docs` for their columns.

    Args:
        task_name: A task.
        items: Its items as they were really asked; None for its own.

    Raises:
        SafecotError: the task's data are missing or malformed.
    """
    benchmark, variant = task_parts(task_name)
    return [
        {
            **_document(benchmark.name, item),
            "benchmark_version": benchmark.version,
            "variant": variant,
            "data_revision": benchmark.revision,
            "rubrics": json.dumps(benchmark.rubrics_of.get(variant, benchmark.rubrics)),
            "refusal_list": benchmark.refusal_list(variant) or "",
            "also_refuse": variant in benchmark.also_refuse,
        }
        for item in (catalogue.items_of(task_name) if items is None else items)
    ]


def own_documents(name: str, revision: str, items: Sequence[Item]) -> list[dict[str, Any]]:
    """The documents of questions that belong to no benchmark.

    Args:
        name: What stands for the benchmark's name.
        revision: Where the questions come from.
        items: The questions; a hash of them is the version, so that other questions under this name are told apart.
    """
    asked = json.dumps(sorted([item.item_id, item.prompt] for item in items))
    return [
        {
            **_document(name, item),
            "benchmark_version": f"own-{sha256_of(asked)[:8]}",
            "variant": "",
            "data_revision": revision,
            "rubrics": json.dumps(["refusal", "harm"]),
            "refusal_list": "",
            "also_refuse": False,
        }
        for item in items
    ]


def _document(benchmark: str, item: Item) -> dict[str, Any]:
    inspected = [images.inspect(path) for path in item.images]
    hashes = [info.sha256 for info in inspected]
    errors = [info.error for info in inspected if info.error]
    before = json.dumps(item.before, ensure_ascii=False) if item.before else ""
    return {
        "sample_id": sample_id(benchmark, item.item_id, before + item.prompt, hashes),
        "item_id": item.item_id,
        "benchmark": benchmark,
        "category": item.category,
        "cluster_id": item.cluster_id or item.item_id,
        "pair_id": item.pair_id,
        "core": item.core,
        "expectation": item.expectation.value,
        "prompt": item.prompt,
        "images": json.dumps([str(path) for path in item.images]),
        "image_sha256": json.dumps(hashes),
        "image_source": item.image_source.value,
        "image_error": "; ".join(errors),
        "extra": json.dumps({**item.extra, **({BEFORE: before} if before else {})}),
    }
