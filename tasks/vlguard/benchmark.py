"""VLGuard's test set: harmful images, and harmless images with a harmless and a harmful instruction (arXiv 2402.02207)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "VLGuard"
VERSION = "1.1"
REVISION = "ys-zong/VLGuard a2f85c9; images hub ys-zong/VLGuard b0be37a"
LICENCE = "MIT as the hub states it; gated; no licence file in the repository"
SOURCE = "https://github.com/ys-zong/VLGuard"
VARIANTS = {
    "safe_safes": "558 harmless instructions about harmless images",
    "safe_unsafes": "558 harmful instructions about the same images",
    "unsafes": "442 instructions about harmful images",
}
REFUSAL_LISTS = dict.fromkeys(("safe_safes", "safe_unsafes", "unsafes"), "vlguard")
RUBRICS = ("refusal", "harm")

TEST = "test.json"
INSTRUCTION = {
    "safe_safes": "safe_instruction",
    "safe_unsafes": "unsafe_instruction",
    "unsafes": "instruction",
}


def items(variant: str, root: Path) -> Iterator[Item]:
    """The instructions of one subset, in the order of the file."""
    for key, record in records(root / TEST):
        if record.get("safe") is (variant != "unsafes"):
            yield to_item(record, variant, root, f"{TEST}, record {key}")


def to_item(record: Mapping[str, Any], variant: str, root: Path, where: str) -> Item:
    """One record's instruction of a subset; images lie at ``test/<image>`` (the unpacked zip) or ``<image>``.

    A harmless image's category is its source (the folder of the image), for want of another.
    """
    name = INSTRUCTION[variant]
    turns = [turn for turn in record.get("instr-resp") or () if isinstance(turn, dict) and name in turn]
    if len(turns) != 1:
        raise SafecotError(f"{where}: 'instr-resp' has {len(turns)} entries with {name!r}, not one.")
    image = text_field(record, "image", where)
    images, image_source = find_image((root / "test", root), image, where)
    return Item(
        item_id=text_field(record, "id", where),
        prompt=text_field(turns[0], name, where),
        category=str(record.get("harmful_subcategory") or PurePosixPath(image).parts[0]),
        expectation=Expectation.ANSWER if variant == "safe_safes" else Expectation.REFUSE,
        images=images,
        image_source=image_source,
        image_names=(image,),
        extra={"harmful_category": str(record.get("harmful_category") or "")},
    )
