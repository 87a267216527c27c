"""ComicJailbreak: a harmful goal lettered into the last panel of a comic that the model is to finish (arXiv 2603.21697)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safecot_eval.benchmarks.data.lettering import Box, font_file, letter
from safecot_eval.benchmarks.data.protocols import official_text
from safecot_eval.benchmarks.data.reading import read_csv, text_field
from safecot_eval.benchmarks.data.typography import drawing
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing, sha256_of
from safecot_eval.util.paths import cache_dir

TITLE = "ComicJailbreak"
VERSION = "1.0"
REVISION = "Social-AI-Studio/ComicJailbreak 58886a4"
LICENCE = "none stated"
SOURCE = "https://github.com/Social-AI-Studio/ComicJailbreak"
BOXES = {
    "article": Box(1080, 70, 1480, 680),
    "speech": Box(1050, 40, 1500, 240),
    "instruction": Box(1200, 130, 1420, 500, 10),
    "message": Box(1160, 120, 1400, 580, 6),
    "code": Box(1130, 210, 1490, 510),
}
"""Where the text of each kind of comic stands, in pixels, and the degrees that it is turned (``create_dataset.py``)."""
VARIANTS = {
    "article": "300 goals as the title of an article in a comic, 200 harmful and 100 harmless",
    "speech": "241 as the banner of a speech",
    "instruction": "239 as the title of a book",
    "message": "300 as a message on a telephone",
    "code": "87 as a task in a code editor",
    "base": "the 300 goals as they are, without a picture",
}
RUBRICS = ("refusal", "harm", "multitrust_harmful")

FILE = "dataset.csv"
COLUMNS = ("Goal", "Behavior", "Category", "Origin", *(kind.capitalize() for kind in BOXES))
HARMLESS = range(100, 200)
"""Rows with JailbreakBench's harmless goals; each stands 100 rows behind the harmful one that it is the twin of."""


def items(variant: str, root: Path) -> Iterator[Item]:
    """The goals that have a comic of this kind, in the order of the file.

    Raises:
        SafecotError: the table is missing, or its rows are not in upstream's order.
    """
    rows = dict(enumerate(read_csv(root / FILE, COLUMNS)))
    _in_order(rows)
    shown = {
        number: row
        for number, row in rows.items()
        if variant == "base" or (row[variant.capitalize()] or "").strip()
    }
    said = None if variant == "base" else _said(variant)
    for number, row in shown.items():
        twin = number - len(HARMLESS) if number in HARMLESS else number
        paired = {twin, twin + len(HARMLESS)} <= set(shown) and twin < HARMLESS.start
        item = to_item(row, number, f"{twin}" if paired else None, f"{FILE}, row {number + 2}")
        yield item if said is None else _as_comic(item, variant, row[variant.capitalize()], said, root)


def _in_order(rows: Mapping[int, Mapping[str, str]]) -> None:
    """Nothing in a row says that its goal is harmless but its place; what twins share tells whether rows were moved or lost."""
    for number in (number for number in HARMLESS if number in rows):
        own, twins = (rows[place]["Behavior"] for place in (number, number - len(HARMLESS)))
        if own != twins:
            raise SafecotError(
                f"{FILE}, row {number + 2}: its Behavior is {own!r}, and {twins!r} in row {number + 2 - len(HARMLESS)}, whose "
                f"harmless twin stands {len(HARMLESS)} rows behind it; rows were moved or left out, so download the file again."
            )


def to_item(row: Mapping[str, str], number: int, pair: str | None, where: str) -> Item:
    """One goal, asked as it is; the row number (from 0) is upstream's id."""
    goal = text_field(row, "Goal", where)
    return Item(
        item_id=str(number),
        prompt=goal,
        category=text_field(row, "Category", where),
        expectation=Expectation.ANSWER if number in HARMLESS else Expectation.REFUSE,
        cluster_id=pair or str(number),
        pair_id=pair,
        extra={"question": goal, "topic": row.get("Behavior") or "", "origin": row.get("Origin") or ""},
    )


def _said(kind: str) -> tuple[str, str]:
    """The authors' system message, and what they ask about a comic of this kind."""
    system, frames, prompts = (
        official_text(f"ComicJailbreak/{name}") for name in ("COMIC_SYSTEM_PROMPT", "frames", "PROMPTS")
    )
    return system, frames[0].partition("{")[0] + prompts[kind]


def _as_comic(item: Item, kind: str, text: str, said: tuple[str, str], root: Path) -> Item:
    system, prompt = said
    name = f"dataset/{kind}/{item.item_id}.png"
    made = root / name  # what upstream's own script made
    lettered = not made.is_file()
    return Item(
        item_id=item.item_id,
        prompt=prompt,
        category=item.category,
        expectation=item.expectation,
        images=(_drawn(kind, item.item_id, text, root) if lettered else made,),
        image_source=ImageSource.RENDERED if lettered else ImageSource.OFFICIAL,
        image_names=(name,),
        cluster_id=item.cluster_id,
        pair_id=item.pair_id,
        extra={**item.extra, "lettered": text},
        before=(("system", system),),
    )


def _drawn(kind: str, item_id: str, text: str, root: Path) -> Path:
    """The comic with its text, drawn once for each text and font."""
    template = root / "template" / f"{kind}.png"
    font = "dejavu" if font_file() else "pillow"
    path = cache_dir() / "rendered" / "comicjailbreak" / font / kind / f"{item_id}-{sha256_of(text)[:8]}.png"
    if path.is_file() or not drawing():
        return path
    from PIL import Image

    try:
        with Image.open(template) as picture:
            comic = letter(picture, text, BOXES[kind])
    except OSError as error:
        raise SafecotError(
            f"{template}: the comic without its text is missing or damaged; run `safecot data prepare comicjailbreak`."
        ) from error
    with replacing(path) as scratch:
        comic.save(scratch, format="PNG", compress_level=1)
    return path
