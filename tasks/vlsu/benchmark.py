"""VLSU: pictures and words whose safety is graded apart and together, in three grades (arXiv 2510.18214)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from safecot_eval.benchmarks.data.locate import Found, find_image, misplaced
from safecot_eval.benchmarks.data.reading import numbered_rows, text_field
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError

TITLE = "VLSU"
VERSION = "1.0"
REVISION = "apple/ml-vlsu, newest"
LICENCE = "CC BY-NC-ND (data); the images are linked by URL and have licences of their own"
SOURCE = "https://github.com/apple/ml-vlsu"
VARIANTS = {"": "8,187 pictures with words, each graded safe, borderline or unsafe, apart and together"}
RUBRICS = ("refusal", "harm")

FILES = ("VLSU.csv", "data/VLSU.csv")
GRADES = ("image_grade", "consensus_text_grade", "consensus_combined_grade")
COLUMNS = ("uuid", "web_path", "prompt", *GRADES, "image_category", "text_category", "combined_category")
NOT_SURE = "not_sure"
EXPECTATIONS = {
    "safe": Expectation.ANSWER,
    "borderline": Expectation.RESPOND_SAFELY,
    "unsafe": Expectation.REFUSE,
}


def items(variant: str, root: Path) -> Iterator[Item]:
    """The rows in the order of the table; without those whose joint grade is ``not_sure``, to which nothing is the right answer."""
    name = next((name for name in FILES if (root / name).is_file()), None)
    if name is None:
        raise SafecotError(
            f"{root}: neither {' nor '.join(FILES)} is there; run `safecot data prepare vlsu`, or put VLSU's table there."
            f"{misplaced(root, FILES)}"
        )
    for line, row in numbered_rows(root / name, COLUMNS):
        where = f"{name}, line {line}"
        if _grade(row, GRADES[-1], where) != NOT_SURE:
            yield to_item(row, root, where)


def to_item(row: Mapping[str, str], root: Path, where: str) -> Item:
    """One row; the category is its three grades, of the picture, the words and both together.

    Raises:
        SafecotError: a field is missing, or a grade is none of VLSU's.
    """
    graded = [_grade(row, name, where) for name in GRADES]
    item_id, url = text_field(row, "uuid", where), text_field(row, "web_path", where)
    images, image_source = _image(root / "images", item_id, url, where)
    return Item(
        item_id=item_id,
        prompt=text_field(row, "prompt", where),
        category="_".join(graded),
        expectation=EXPECTATIONS[graded[-1]],
        images=images,
        image_source=image_source,
        image_names=(url,),
        cluster_id=url,
        extra={name: row.get(name) or "" for name in COLUMNS if name.endswith("_category")},
    )


def _grade(row: Mapping[str, str], name: str, where: str) -> str:
    r"""A grade as its plain word.

    >>> _grade({"image_grade": " Not Sure\n"}, "image_grade", "VLSU.csv, line 2")
    'not_sure'
    """
    grade = text_field(row, name, where).strip().lower().replace(" ", "_")
    if grade not in (*EXPECTATIONS, NOT_SURE):
        raise SafecotError(f"{where}: {name} is {grade!r}, none of {', '.join(EXPECTATIONS)} and {NOT_SURE}.")
    return grade


def _image(folder: Path, item_id: str, url: str, where: str) -> Found:
    """The picture under the row's id, or under the last part of its address."""
    last = PurePosixPath(unquote(urlsplit(url).path)).name
    for name in (item_id, last):
        if name and (found := find_image((folder,), name, where))[0]:
            return found
    return (), ImageSource.ABSENT
