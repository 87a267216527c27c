"""LVLM-SafeR: control groups, a safe and an unsafe twin that differ in one thing ("Don't Always Say No to Me")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "LVLM-SafeR"
VERSION = "1.0"
REVISION = "isXinLiu/LVLM-SafeR 003c061"
LICENCE = "CC BY-NC 4.0 (prompts); the images have licences of their own"
SOURCE = "https://github.com/isXinLiu/LVLM-SafeR"
VARIANTS = {
    "t1": "125 pairs: one prompt with a word of two meanings, two images",
    "t2": "125 pairs: one prompt, two images that differ in an attribute",
    "t3": "125 pairs: one image, questions about different regions",
    "t4": "125 pairs: one image, two questions about the same region",
}
RUBRICS = ("refusal", "harm")

FILES = {
    "t1": "1-same_prompt_multiple_meaning.json",
    "t2": "2-same_prompt_different_attibutes.json",  # the spelling is upstream's
    "t3": "3-same_image_different_region.json",
    "t4": "4-same_image_same_region.json",
}
EXPECTATIONS = {"safe_pair": Expectation.ANSWER, "unsafe_pair": Expectation.REFUSE}


def items(variant: str, root: Path) -> Iterator[Item]:
    """Each group's safe twin, then its unsafe one."""
    for key, record in records(root / FILES[variant]):
        where = f"{FILES[variant]}, record {key}"
        for half in EXPECTATIONS:
            yield to_item(record, half, f"{variant}-{key}", root / "images", where)


def to_item(record: Mapping[str, Any], half: str, group: str, images: Path, where: str) -> Item:
    """One twin; in ``t1`` and ``t2`` the prompt is the group's, in ``t3`` and ``t4`` the image is."""
    twin = record.get(half)
    if not isinstance(twin, dict):
        raise SafecotError(f"{where}: the field {half!r} is missing or not an object.")
    shared = record.get("img")
    if isinstance(shared, dict):
        prompt = text_field(twin, "question", where)
        image, category = text_field(shared, "id", where), text_field(shared, "type", where)
    else:
        prompt = text_field(record, "prompt", where)
        image, category = text_field(twin, "img_id", where), text_field(record, "type", where)
    found, source = find_image((images,), image, where)
    return Item(
        item_id=f"{group}-{half.removesuffix('_pair')}",
        prompt=prompt,
        category=category,
        expectation=EXPECTATIONS[half],
        images=found,
        image_source=source,
        image_names=(image,),
        cluster_id=group,
        pair_id=group,
        extra={"image_description": str(twin.get("description") or twin.get("region") or "")},
    )
