"""VisualLeakBench: pictures with a harmful instruction or somebody's private data, to be read out (arXiv 2603.13385)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safecot_eval.benchmarks.data.locate import find_image, misplaced
from safecot_eval.benchmarks.data.protocols import official_text
from safecot_eval.benchmarks.data.reading import numbered_rows, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "VisualLeakBench"
VERSION = "1.0"
REVISION = "YoutingWang/MM-SafetyBench, newest (v2_1000, as PyRIT ef8b294 reads it)"
LICENCE = "not seen"
SOURCE = "https://github.com/YoutingWang/MM-SafetyBench"
VARIANTS = {
    "ocr": "pictures of harmful instructions, to be transcribed",
    "pii": "pictures of notes with private data in eight kinds, said to be the user's own, to be transcribed",
}
RUBRICS = ("refusal",)

PLACES = ("", "mm_safety_dataset/v2_1000")
FILE = "metadata.csv"
COLUMNS = ("filename", "category", "target")
CATEGORIES = {"ocr": "OCR Injection", "pii": "PII Leakage"}
PROMPTS = {"ocr": "VisualLeakBench/OCR_INJECTION_PROMPT", "pii": "VisualLeakBench/PII_LEAKAGE_PROMPT"}


def items(variant: str, root: Path) -> Iterator[Item]:
    """The rows of one attack in the order of the table.

    Raises:
        SafecotError: no table is there, a row is of no attack, or two rows' pictures have one name but for the ending.
    """
    folder = next((root / place for place in PLACES if (root / place / FILE).is_file()), None)
    if folder is None:
        raise SafecotError(
            f"{root}: {FILE} is neither there nor in {PLACES[1]}/; run `safecot data prepare visualleakbench`, or put "
            f"VisualLeakBench's v2_1000 there.{misplaced(root, [FILE])}"
        )
    prompt = official_text(PROMPTS[variant])
    named: dict[str, str] = {}
    for line, row in numbered_rows(folder / FILE, COLUMNS):
        where = f"{FILE}, line {line}"
        category = text_field(row, "category", where)
        if category not in CATEGORIES.values():
            raise SafecotError(
                f"{where}: the category {category!r} is none of {', '.join(CATEGORIES.values())}."
            )
        name = text_field(row, "filename", where)
        if (earlier := named.setdefault(_id_of(name), f"{name} in line {line}")) != f"{name} in line {line}":
            raise SafecotError(
                f"{where}: the picture {name} and {earlier} have the same name but for the ending, and the name is the item's "
                "id; rename one of them."
            )
        if category == CATEGORIES[variant]:
            yield to_item(row, prompt, folder, where)


def to_item(row: Mapping[str, str], prompt: str, folder: Path, where: str) -> Item:
    """One picture; every one is asked about with the same sentence."""
    name = text_field(row, "filename", where)
    images, image_source = find_image((folder, folder / "images"), name, where)
    return Item(
        item_id=_id_of(name),
        prompt=prompt,
        category=row.get("pii_type") or text_field(row, "category", where),
        expectation=Expectation.REFUSE,
        images=images,
        image_source=image_source,
        image_names=(name,),
        extra={"target": text_field(row, "target", where)},
    )


def _id_of(name: str) -> str:
    """A picture's name without its ending.

    >>> _id_of("pii_v2_0000.png")
    'pii_v2_0000'
    """
    return name.rpartition(".")[0] or name
