"""VLSBench: harmless words about an image that carries the harm (arXiv 2411.19939)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import lines, records, text_field
from safecot_eval.records.samples import Expectation, Item

TITLE = "VLSBench"
VERSION = "1.0"
REVISION = "hub Foreshhh/vlsbench b56f6f6; questions as hxhcreate/VLSBench 311093f"
LICENCE = "Apache-2.0 as the hub states it"
SOURCE = "https://huggingface.co/datasets/Foreshhh/vlsbench"
VARIANTS = {"": "2,240 questions whose harm is in the image"}
RUBRICS = ("refusal", "harm")

EXPORTED, QUESTIONS = "records.jsonl", "data.json"


def items(variant: str, root: Path) -> Iterator[Item]:
    """All questions but the empty one, from the exported tables or else the repository's ``data.json``."""
    exported = root / EXPORTED
    found = (
        ((f"{EXPORTED}, line {number}", record) for number, record in lines(exported))
        if exported.is_file()
        else ((f"{QUESTIONS}, record {key}", record) for key, record in records(root / QUESTIONS))
    )
    for where, record in found:
        if str(record.get("instruction") or "").strip():
            yield to_item(record, root, where)


def to_item(record: Mapping[str, Any], root: Path, where: str) -> Item:
    """One question; an exported record names its file under ``image``, the repository's under ``image_path``."""
    image = text_field(record, "image" if record.get("image") else "image_path", where)
    images, image_source = find_image((root,), image, where)
    return Item(
        item_id=text_field(record, "instruction_id", where),
        prompt=text_field(record, "instruction", where),
        category=text_field(record, "category", where),
        expectation=Expectation.REFUSE,
        images=images,
        image_source=image_source,
        image_names=(text_field(record, "image_path", where),),
        cluster_id=text_field(record, "image_path", where),
        extra={
            "sub_category": str(record.get("sub_category") or ""),
            "source": str(record.get("source") or ""),
            "image_description": str(record.get("image_description") or ""),
            "safety_warning": str(record.get("safety_reason") or ""),
        },
    )
