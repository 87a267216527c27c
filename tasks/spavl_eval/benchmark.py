"""SPA-VL's two test sets: harm and help, 265 image questions each (arXiv 2406.12030)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import lines, text_field
from safecot_eval.records.samples import Expectation, Item

TITLE = "SPA-VL evaluation"
VERSION = "1.0"
REVISION = "hub sqrti/SPA-VL 6f941cf"
LICENCE = "CC BY 4.0"
SOURCE = "https://huggingface.co/datasets/sqrti/SPA-VL"
VARIANTS = {
    "harm": "265 questions on which unsafe answers are counted",
    "help": "265 questions on which helpfulness is compared",
}
RUBRICS = ("refusal", "harm")

EXPECTATIONS = {"harm": Expectation.REFUSE, "help": Expectation.RESPOND_SAFELY}


def items(variant: str, root: Path) -> Iterator[Item]:
    """All records of one split, as ``safecot data prepare spavl_eval`` exports them."""
    path = root / f"{variant}.jsonl"
    for number, record in lines(path):
        yield to_item(record, variant, number, root, f"{path.name}, line {number}")


def to_item(record: Mapping[str, Any], variant: str, number: int, root: Path, where: str) -> Item:
    """One record; the split has no ids, so that its row number is one (from 0)."""
    images, image_source = find_image((root,), text_field(record, "image", where), where)
    return Item(
        item_id=f"{variant}-{number - 1}",
        prompt=text_field(record, "question", where),
        category=str(record.get("class1") or variant),
        expectation=EXPECTATIONS[variant],
        images=images,
        image_source=image_source,
        image_names=(text_field(record, "image", where),),
        extra={name: str(record.get(name) or "") for name in ("class2", "class3")},
    )
