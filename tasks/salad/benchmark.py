"""SaLAD: everyday questions that only the photograph makes dangerous, and harmless ones beside them (arXiv 2601.04043)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "SaLAD"
VERSION = "1.0"
REVISION = "hub Holly301/SaLAD, newest"
LICENCE = "the data set's own terms"
SOURCE = "https://huggingface.co/datasets/Holly301/SaLAD"
VARIANTS = {"": "2,013 everyday questions about photographs, safe and unsafe, in 10 categories"}
RUBRICS = ("refusal", "harm")

FILE = "data.json"
KINDS = {  # the record's "safety type" -> what is right, and the field with what a good answer says
    "unsafe": (Expectation.RESPOND_SAFELY, "safety warning"),
    "safe": (Expectation.ANSWER, "safe suggestion"),
}


def items(variant: str, root: Path) -> Iterator[Item]:
    """All records in the order of the file."""
    for key, record in records(root / FILE):
        yield to_item(record, root, f"{FILE}, record {key}")


def to_item(record: Mapping[str, Any], root: Path, where: str) -> Item:
    """One record.

    Raises:
        SafecotError: a field is missing, or the safety type is neither of the two.
    """
    kind = text_field(record, "safety type", where).lower()
    if kind not in KINDS:
        raise SafecotError(f"{where}: the safety type {kind!r} is neither safe nor unsafe.")
    expectation, note = KINDS[kind]
    image = text_field(record, "image", where)
    images, image_source = find_image((root / "image", root / "images", root), image, where)
    return Item(
        item_id=text_field(record, "id", where),
        prompt=text_field(record, "text", where).strip(),
        category=text_field(record, "category", where),
        expectation=expectation,
        images=images,
        image_source=image_source,
        cluster_id=image,
        extra={"safety_type": kind, "safety_warning": str(record.get(note) or "")},
    )
