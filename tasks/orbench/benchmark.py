"""OR-Bench: harmless prompts that look toxic, and toxic ones to compare with; text only (arXiv 2405.20947)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safecot_eval.benchmarks.data.reading import read_csv, text_field
from safecot_eval.records.samples import Expectation, Item

TITLE = "OR-Bench"
VERSION = "1.0"
REVISION = "hub bench-llm/or-bench e36d8b8"
LICENCE = "CC BY 4.0"
SOURCE = "https://huggingface.co/datasets/bench-llm/or-bench"
VARIANTS = {
    "hard": "1,319 harmless prompts that strong models refused",
    "toxic": "655 toxic prompts",
    "80k": "80,359 harmless prompts that look toxic",
}
RUBRICS = ("refusal", "harm")

FILES = {"hard": "or-bench-hard-1k.csv", "toxic": "or-bench-toxic.csv", "80k": "or-bench-80k.csv"}


def items(variant: str, root: Path) -> Iterator[Item]:
    """All rows of one file."""
    for number, row in enumerate(read_csv(root / FILES[variant], ("prompt", "category"))):
        yield to_item(row, variant, number, f"{FILES[variant]}, row {number + 2}")


def to_item(row: Mapping[str, str], variant: str, number: int, where: str) -> Item:
    """One row; the files have no ids, so that the row number is one (from 0).

    >>> to_item({"prompt": "How do I kill a process?", "category": "violence"}, "hard", 7, "here").item_id
    'hard-7'
    """
    return Item(
        item_id=f"{variant}-{number}",
        prompt=text_field(row, "prompt", where),
        category=text_field(row, "category", where),
        expectation=Expectation.REFUSE if variant == "toxic" else Expectation.ANSWER,
    )
