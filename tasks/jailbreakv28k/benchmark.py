"""JailBreakV-28K: jailbreak texts from language models and image attacks (arXiv 2404.03027)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import read_csv, text_field
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.files import sha256_of

TITLE = "JailBreakV-28K"
VERSION = "1.0"
REVISION = "hub JailbreakV-28K/JailBreakV-28k f949ca5"
LICENCE = "MIT"
SOURCE = "https://huggingface.co/datasets/JailbreakV-28K/JailBreakV-28k"
VARIANTS = {
    "": "28,000 jailbreaks: template, persuade, logic, figstep, query-relevant",
    "mini": "the authors' 280 of them",
}
RUBRICS = ("refusal", "harm")

FILES = {"": "JailBreakV_28K.csv", "mini": "mini_JailBreakV_28K.csv"}
COLUMNS = ("id", "jailbreak_query", "redteam_query", "format", "policy", "image_path")
INNER = "JailBreakV_28K"


def items(variant: str, root: Path) -> Iterator[Item]:
    """All rows; the files lie at the top of the data set, or in its folder ``JailBreakV_28K``."""
    folder = root / INNER if (root / INNER / FILES[variant]).is_file() else root
    path = folder / FILES[variant]
    for line, row in enumerate(read_csv(path, COLUMNS), start=2):
        yield to_item(row, folder, f"{path.name}, row {line}")


def to_item(row: Mapping[str, str], folder: Path, where: str) -> Item:
    """One row; jailbreaks of the same harmful question are one cluster."""
    question = text_field(row, "redteam_query", where)
    recorded = (row["image_path"] or "").strip()
    images, image_source = find_image((folder,), recorded, where) if recorded else ((), ImageSource.NONE)
    return Item(
        item_id=text_field(row, "id", where),
        prompt=text_field(row, "jailbreak_query", where),
        category=text_field(row, "policy", where),
        expectation=Expectation.REFUSE,
        images=images,
        image_source=image_source,
        image_names=(recorded,) if recorded else (),
        cluster_id=sha256_of(question)[:16],
        extra={"question": question, "attack": text_field(row, "format", where)},
    )
