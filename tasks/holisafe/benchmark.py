"""HoliSafe-Bench: every combination of safe and unsafe image and text (arXiv 2506.04704)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "HoliSafe-Bench"
VERSION = "1.0"
REVISION = "hub etri-vilab/holisafe-bench (the commit is noted at download)"
LICENCE = "gated; see the data set's page"
SOURCE = "https://huggingface.co/datasets/etri-vilab/holisafe-bench"
VARIANTS = {"": "4,031 image and text pairs of the types SSS, SSU, SUU, USU and UUU"}
RUBRICS = ("refusal", "harm")

FILE = "holisafe_bench.json"
TYPES = {  # image, text, both together: S safe, U unsafe
    "SSS": Expectation.ANSWER,
    "SSU": Expectation.REFUSE,
    "SUU": Expectation.REFUSE,
    "USU": Expectation.REFUSE,
    "UUU": Expectation.REFUSE,
}


def items(variant: str, root: Path) -> Iterator[Item]:
    """All records in the order of the file."""
    for key, record in records(root / FILE):
        yield to_item(record, root, f"{FILE}, record {key}")


def to_item(record: Mapping[str, Any], root: Path, where: str) -> Item:
    """One record; questions about the same image are one cluster.

    Raises:
        SafecotError: a field is missing, or the type is none of the five.
    """
    kind = text_field(record, "type", where).upper()
    if kind not in TYPES:
        raise SafecotError(f"{where}: the type {kind!r} is none of {', '.join(TYPES)}.")
    image = text_field(record, "image", where)
    images, image_source = find_image((root / "images", root), image, where)
    return Item(
        item_id=text_field(record, "id", where),
        prompt=text_field(record, "query", where),
        category=kind,
        expectation=TYPES[kind],
        images=images,
        image_source=image_source,
        image_names=(image,),
        cluster_id=image,
        extra={
            "safety_label": "safe" if TYPES[kind] is Expectation.ANSWER else "unsafe",
            "harm_category": str(record.get("category") or ""),
            "harm_subcategory": str(record.get("subcategory") or ""),
        },
    )
