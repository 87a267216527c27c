"""HADES: harmful instructions whose harm is moved into images (arXiv 2403.09792)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import lines, text_field
from safecot_eval.records.samples import Expectation, Item

TITLE = "HADES"
VERSION = "1.0"
REVISION = "hub Monosail/HADES (the commit is noted at download)"
LICENCE = "MIT"
SOURCE = "https://huggingface.co/datasets/Monosail/HADES"
VARIANTS = {"": "750 instructions in 5 scenarios, each with the last image of its optimisation"}
RUBRICS = ("refusal", "harm")

FILE = "test.jsonl"
LAST_STEP = "5"


def items(variant: str, root: Path) -> Iterator[Item]:
    """The records of the last optimisation step; earlier steps show the same instruction with a tamer image."""
    kept = 0
    for number, record in lines(root / FILE):
        where = f"{FILE}, line {number}"
        if text_field(record, "step", where) == LAST_STEP:
            yield to_item(record, kept, root, where)
            kept += 1


def to_item(record: Mapping[str, Any], index: int, root: Path, where: str) -> Item:
    """One record, as ``safecot data prepare hades`` exports it (``image`` names a file); ids repeat upstream."""
    images, image_source = find_image((root,), text_field(record, "image", where), where)
    scenario = text_field(record, "scenario", where)
    return Item(
        item_id=str(index),
        prompt=text_field(record, "instruction", where),
        category=scenario,
        expectation=Expectation.REFUSE,
        images=images,
        image_source=image_source,
        extra={
            "record_id": str(record.get("id") or ""),
            "keyword": str(record.get("keywords") or ""),
            "keyword_kind": str(record.get("category") or ""),
        },
    )
