"""MM-SafetyBench++: MM-SafetyBench's harmful requests, each with a harmless one that differs in intent only (arXiv 2603.15800)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data import any_layout
from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256

TITLE = "MM-SafetyBench++"
VERSION = "1.0"
REVISION = "hub EchoSafe-MLLM/MM-SafetyBench-plus-plus, newest"
LICENCE = "CC BY 4.0"
SOURCE = "https://huggingface.co/datasets/EchoSafe-MLLM/MM-SafetyBench-plus-plus"
VARIANTS = {
    "gen": "711 harmful and 711 harmless requests in six scenarios, with generated pictures",
    "genocr": "the same with words in the pictures",
}
RUBRICS = ("refusal", "harm")
HARMONIC = True

STEMS = ("records", "test", "data")
LABELS = {  # label -> what is right, and the folder with its questions
    "unsafe": (Expectation.REFUSE, "processed_questions"),
    "safe": (Expectation.ANSWER, "processed_questions_safe"),
}
BY_POSITION = "Changed Question"


def items(variant: str, root: Path) -> Iterator[Item]:
    """The requests of one kind of picture; the n-th harmful and the n-th harmless one of a scenario are a contrast pair."""
    found = [to_place(record, where) for where, record in any_layout.table(root, TITLE, STEMS)]
    chosen = [place for place in found if place.mode == variant]
    sizes = _sizes(chosen)
    seen: Counter[tuple[str, str]] = Counter()
    questions = _Questions(root, sizes)
    asked: dict[tuple[str, str, str], list[tuple[Item, str]]] = {}
    for place in chosen:
        number = seen[place.category, place.label]
        seen[place.category, place.label] += 1
        item = place.item(number, root, questions)
        earlier = asked.setdefault((place.category, place.label, item.prompt), [])
        if (twin := next((where for one, where in earlier if _same_picture(one, item)), None)) is not None:
            raise SafecotError(
                f"{place.where}: the same question and picture as {twin}; counted by position it would shift or add contrast "
                "pairs: remove one of them."
            )
        earlier.append((item, place.where))
        yield item


def _sizes(places: Sequence[Place]) -> Counter[tuple[str, str]]:
    """How many records each scenario has of each label.

    Raises:
        SafecotError: a scenario has more harmful requests than harmless ones, or fewer, so that no position can be trusted.
    """
    sizes = Counter((place.category, place.label) for place in places)
    for place in places:
        unsafe, safe = (sizes[place.category, label] for label in LABELS)
        if unsafe != safe:
            raise SafecotError(
                f"{place.where}: its scenario {place.category!r} has {unsafe} unsafe and {safe} safe records of mode {place.mode!r}; "
                "the n-th of each are a pair, so their numbers must be equal: add or remove what has no partner."
            )
    return sizes


def _same_picture(one: Item, other: Item) -> bool:
    """Whether two items show the same file, or two files of the same bytes (`safecot data prepare` numbers those of Parquet)."""
    if one.image_names == other.image_names:
        return True
    return bool(one.images and other.images) and sha256(one.images[0]) == sha256(other.images[0])


class Place:
    """A record and what it says of itself: kind of picture, scenario and label."""

    def __init__(self, record: Mapping[str, Any], where: str) -> None:
        self.record, self.where = record, where
        self.mode = text_field(record, "mode", where).casefold()
        self.category = text_field(record, "category", where)
        self.label = text_field(record, "label", where).casefold()
        if self.mode not in VARIANTS:
            raise SafecotError(f"{where}: the mode {self.mode!r} is none of Gen and GenOCR.")
        if self.label not in LABELS:
            raise SafecotError(f"{where}: the label {self.label!r} is neither safe nor unsafe.")

    def item(self, number: int, root: Path, questions: _Questions) -> Item:
        """The request; ``number`` counts those of its kind, scenario and label from 0."""
        image = any_layout.named(self.record, any_layout.IMAGE, self.where)
        images, image_source = find_image((root, root / "images"), image, self.where)
        pair = f"{self.mode}-{self.category}-{number}"
        own = any_layout.optional(self.record, any_layout.QUESTION)
        return Item(
            item_id=f"{pair}-{self.label}",
            prompt=own or questions.at(self.category, self.label, number, self.where),
            category=self.category,
            expectation=LABELS[self.label][0],
            images=images,
            image_source=image_source,
            image_names=(image,),
            cluster_id=pair,
            pair_id=pair,
        )


def to_place(record: Mapping[str, Any], where: str) -> Place:
    """A record as one of a scenario.

    Raises:
        SafecotError: its mode, category or label is missing or unknown.
    """
    return Place(record, where)


class _Questions:
    """The questions of the set's JSON files, where its table has none: matched by position, as a public loader does."""

    def __init__(self, root: Path, sizes: Mapping[tuple[str, str], int]) -> None:
        self._root, self._sizes = root, sizes
        self._read: dict[tuple[str, str], dict[str, str]] = {}

    def at(self, category: str, label: str, number: int, where: str) -> str:
        """The question under a number.

        Raises:
            SafecotError: not one file is of this scenario, or it has other questions than the table has records.
        """
        if (category, label) not in self._read:
            self._read[category, label] = self._of(category, label, where)
        if (found := self._read[category, label].get(str(number))) is None:
            raise SafecotError(
                f"{where}: {LABELS[label][1]}/ has no question number {number} of {category!r}."
            )
        return found

    def _of(self, category: str, label: str, where: str) -> dict[str, str]:
        """The questions of a scenario by their numbers."""
        folder = self._root / LABELS[label][1]
        paths = [
            path for path in sorted(folder.glob("*.json")) if _scenario(path.stem) == _scenario(category)
        ]
        if not paths:
            raise SafecotError(
                f"{where}: no column {', '.join(any_layout.QUESTION)}, and no file of {folder.name}/ is of {category!r}."
            )
        if len(paths) > 1:
            raise SafecotError(
                f"{where}: {' and '.join(path.name for path in paths)} in {folder.name}/ are both of {category!r}; remove all but one."
            )
        questions = {
            key: text_field(record, BY_POSITION, f"{folder.name}/{paths[0].name}, record {key}")
            for key, record in records(paths[0])
        }
        if len(questions) != (size := self._sizes[category, label]):
            raise SafecotError(
                f"{folder.name}/{paths[0].name}: {len(questions)} questions, but {where.partition(',')[0]} has {size} {label} records of "
                f"{category!r} in this mode; they are matched by position, so the numbers must be equal: restore both files."
            )
        return questions


def _scenario(name: str) -> str:
    """A scenario's name without its number and in one spelling (upstream's first file is ``Illegal_Activitiy``).

    >>> _scenario("01-Illegal_Activitiy"), _scenario("Illegal Activity")
    ('illegalactivity', 'illegalactivity')
    """
    plain = "".join(one for one in name.casefold().lstrip("0123456789-_ ") if one.isalpha())
    return plain.replace("activitiy", "activity")
