"""MIS: a question that is harmless alone, and two images that together make it dangerous (arXiv 2501.18533)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image, misplaced
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError

TITLE = "MIS"
VERSION = "1.0"
REVISION = "hub Tuwhy/MIS_Test, newest (layout of DripNowhy/MIS 9cd94ec)"
LICENCE = "the data set's own terms"
SOURCE = "https://github.com/DripNowhy/MIS"
VARIANTS = {
    "easy": "two images and a question, generated images (1,675)",
    "hard": "the same, harder to see through (510)",
    "real": "the same with photographs (100)",
}
RUBRICS = ("refusal", "harm")

IMAGES = ("image_path1", "image_path2")


def items(variant: str, root: Path) -> Iterator[Item]:
    """The records of one split, in the order of the file."""
    folder, path = _found(variant, root)
    for key, record in records(path):
        yield to_item(record, f"{variant}-{key}", folder, f"{path.name}, record {key}")


def _found(variant: str, root: Path) -> tuple[Path, Path]:
    """The folder that image paths count from, and the file: at the top, or in ``mis_test/`` as the scripts expect."""
    name = f"mis_{variant}.json"
    for folder in (root, root / "mis_test"):
        if (folder / name).is_file():
            return folder, folder / name
    raise SafecotError(
        f"{root}: {name} is neither there nor in mis_test/; run `safecot data prepare mis`, or put MIS's test set there: "
        "mis_easy.json, mis_hard.json, mis_real.json and the folders easy_image/, hard_image/, real_image/."
        f"{misplaced(root, [name])}"
    )


def to_item(record: Mapping[str, Any], item_id: str, folder: Path, where: str) -> Item:
    """One record with its two images; without both of them the question means nothing, and they count as absent."""
    paths = [text_field(record, name, where) for name in IMAGES]
    found = [find_image((folder,), path, where)[0] for path in paths]
    whole = all(found)
    return Item(
        item_id=item_id,
        prompt=text_field(record, "question", where),
        category=str(record.get("category") or "MIS"),
        expectation=Expectation.RESPOND_SAFELY,
        images=tuple(path for one in found for path in one) if whole else (),
        image_source=ImageSource.OFFICIAL if whole else ImageSource.ABSENT,
        cluster_id="|".join(paths),
        extra={"sub_category": str(record.get("sub_category") or "")},
    )
