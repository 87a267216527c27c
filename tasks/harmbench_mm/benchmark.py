"""HarmBench's 110 multimodal behaviours (arXiv 2402.04249)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import read_csv, text_field
from safecot_eval.records.samples import Expectation, Item

TITLE = "HarmBench (multimodal)"
VERSION = "1.0"
REVISION = "centerforaisafety/HarmBench 8e1604d"
LICENCE = "MIT"
SOURCE = "https://github.com/centerforaisafety/HarmBench"
VARIANTS = {"": "110 harmful requests about an image"}
RUBRICS = ("refusal", "harm")
DATA = "harmbench"

FILE = "behavior_datasets/harmbench_behaviors_multimodal_all.csv"
COLUMNS = ("Behavior", "BehaviorID", "SemanticCategory", "ImageFileName", "ImageDescription")


def items(variant: str, root: Path) -> Iterator[Item]:
    """All multimodal behaviours in the order of the file."""
    path = root / FILE
    for line, row in enumerate(read_csv(path, COLUMNS), start=2):
        yield to_item(row, root / "images", f"{path.name}, row {line}")


def to_item(row: Mapping[str, str], images: Path, where: str) -> Item:
    """One behaviour; the prompt is the behaviour itself (a direct request)."""
    found, source = find_image((images,), text_field(row, "ImageFileName", where), where)
    return Item(
        item_id=text_field(row, "BehaviorID", where),
        prompt=text_field(row, "Behavior", where),
        category=text_field(row, "SemanticCategory", where),
        expectation=Expectation.REFUSE,
        images=found,
        image_source=source,
        image_names=(text_field(row, "ImageFileName", where),),
        extra={"image_description": row.get("ImageDescription") or ""},
    )
