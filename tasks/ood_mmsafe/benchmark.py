"""OOD-MMSafe: harmless questions whose answer leads, through what the picture shows, to harm (arXiv 2603.09706)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data import any_layout
from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "OOD-MMSafe"
VERSION = "1.0"
REVISION = "the user's copy (no published files were found)"
LICENCE = "not seen"
SOURCE = "https://arxiv.org/abs/2603.09706"
VARIANTS = {"": "455 questions about pictures whose danger lies in what comes of it"}
RUBRICS = ("refusal", "harm")

STEMS = ("records", "OOD-MMSafe", "test", "data")
FOLDERS = ("", "images", "image", "imgs")
HAZARD = ("safety_warning", "hazard", "consequence", "risk", "latent_hazard")


def items(variant: str, root: Path) -> Iterator[Item]:
    """The records in the order of the table; where none has an id, their numbers are the ids.

    Raises:
        SafecotError: some records have an id and others have none, which a number could not stand for.
    """
    found = list(any_layout.table(root, TITLE, STEMS))
    without = [where for where, record in found if any_layout.optional(record, any_layout.ID) is None]
    if without and len(without) < len(found):
        raise SafecotError(
            f"{without[0]}: no id in a column {', '.join(any_layout.ID)}, as {len(without)} of {len(found)} records; give every "
            "record one, or none."
        )
    for number, (where, record) in enumerate(found):
        yield to_item(record, number, root, where)


def to_item(record: Mapping[str, Any], number: int, root: Path, where: str) -> Item:
    """One question with its picture."""
    image = any_layout.named(record, any_layout.IMAGE, where)
    images, image_source = find_image([root / folder for folder in FOLDERS], image, where)
    return Item(
        item_id=any_layout.optional(record, any_layout.ID) or str(number),
        prompt=any_layout.named(record, any_layout.QUESTION, where),
        category=any_layout.optional(record, any_layout.CATEGORY) or TITLE,
        expectation=Expectation.RESPOND_SAFELY,
        images=images,
        image_source=image_source,
        image_names=(image,),
        cluster_id=image,
        extra={"safety_warning": any_layout.optional(record, HAZARD) or ""},
    )
