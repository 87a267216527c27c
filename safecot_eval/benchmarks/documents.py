"""The documents that lmms-eval gets for a task: one flat row per item, with the hashes of its images."""

from __future__ import annotations

import json
from typing import Any

from safecot_eval.benchmarks import catalogue, images
from safecot_eval.benchmarks.registry import leaf_parts
from safecot_eval.records.samples import Item, sample_id


def documents(leaf: str) -> list[dict[str, Any]]:
    """The documents of a leaf, in the order of its items; see :func:`load_docs` for their columns.

    Raises:
        SafecotError: the leaf's data are missing or malformed.
    """
    benchmark, variant = leaf_parts(leaf)
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
        for item in catalogue.items_of(leaf)
    ]


def _document(benchmark: str, item: Item) -> dict[str, Any]:
    inspected = [images.inspect(path) for path in item.images]
    hashes = [info.sha256 for info in inspected]
    errors = [info.error for info in inspected if info.error]
    return {
        "sample_id": sample_id(benchmark, item.item_id, item.prompt, hashes),
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
        "extra": json.dumps(dict(item.extra)),
    }
