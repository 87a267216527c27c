"""MM-HarmfulBench: 100 questions that are harmful only with their image (arXiv 2401.11206)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import lines, text_field
from safecot_eval.records.samples import Expectation, Item

TITLE = "MM-HarmfulBench"
VERSION = "1.0"
REVISION = "Jihuai-wpy/InferAligner a30d73e"
LICENCE = "CC BY-NC 4.0"
SOURCE = "https://github.com/Jihuai-wpy/InferAligner"
VARIANTS = {"": "100 questions that need the image to be harmful"}
RUBRICS = ("refusal", "harm")

FILE = "questions.jsonl"


def items(variant: str, root: Path) -> Iterator[Item]:
    """All questions in the order of the file."""
    for index, (number, record) in enumerate(lines(root / FILE)):
        yield to_item(record, index, root / "images", f"{FILE}, line {number}")


def to_item(record: Mapping[str, Any], index: int, images: Path, where: str) -> Item:
    """One question; its image is ``images/<index>.jpg``, counted from 0."""
    found, source = find_image((images,), f"{index}.jpg", where)
    return Item(
        item_id=str(index),
        prompt=text_field(record, "question", where),
        category="harmful together",
        expectation=Expectation.REFUSE,
        images=found,
        image_source=source,
        image_names=(f"{index}.jpg",),
    )
