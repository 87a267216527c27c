"""StrongREJECT: 313 forbidden prompts, text only (arXiv 2402.10260)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safecot_eval.benchmarks.data.reading import read_csv, text_field
from safecot_eval.records.samples import Expectation, Item

TITLE = "StrongREJECT"
VERSION = "1.0"
REVISION = "alexandrasouly/strongreject f7cad6c"
LICENCE = "MIT (second-hand)"
SOURCE = "https://github.com/alexandrasouly/strongreject"
VARIANTS = {"": "313 forbidden prompts in 6 categories"}
RUBRICS = ("refusal", "harm", "strongreject")

FILE = "strongreject_dataset.csv"


def items(variant: str, root: Path) -> Iterator[Item]:
    """All prompts in the order of the file."""
    for number, row in enumerate(read_csv(root / FILE, ("category", "source", "forbidden_prompt"))):
        yield to_item(row, number, f"{FILE}, row {number + 2}")


def to_item(row: Mapping[str, str], number: int, where: str) -> Item:
    """One row; the file has no ids, so that the row number is one (from 0)."""
    return Item(
        item_id=str(number),
        prompt=text_field(row, "forbidden_prompt", where),
        category=text_field(row, "category", where),
        expectation=Expectation.REFUSE,
        extra={"source": row.get("source") or ""},
    )
