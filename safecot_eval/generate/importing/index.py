"""The items of one task, found by prompt, by id and by picture; every match has its ground, every refusal its reason."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from safecot_eval.generate.importing.answers import Answer, Picture
from safecot_eval.generate.importing.pictures import pixel_hash
from safecot_eval.records.samples import ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256

_PLACEHOLDER = re.compile(r"<\s*image(?:_?\d+)?\s*>", re.IGNORECASE)
_NUMBER = re.compile(r"0*(\d+)(?:[.,]0+)?")
_POWER = re.compile(r"\d(?:[.,]\d+)?e\+?\d+", re.IGNORECASE)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?: 00:00:00)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}[-. ]{1,2}[A-Za-zä]{3,4}\.?(?:[- ]\d{2})?|[A-Za-zä]{3,4}[- ]\d{2}"
)

_TYPED = (
    {ord(c): "'" for c in "\u2018\u2019\u201a\u201b\u02bc\u2032\uff07\u00b4"}
    | {ord(c): '"' for c in "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02"}
    | {ord(c): "-" for c in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"}
    | {0x2026: "...", 0xAD: ""}
)

NO_PROMPT = "no item has this prompt"
NO_ID = "no item has this id"
NO_TASK = "an id or a picture without a prompt says too little; name the task with --tasks"
DATED_ID = "the id is a date: a spreadsheet changed it; format its column as text"
OTHER_PICTURE = "the picture is not the one of the item with this prompt"
OTHER_WORDING = "the item is worded differently; --other-prompt takes it, as a protocol of its own"
OTHER_FIELD = "the prompt is another field of the benchmark's file, which is a task of its own"
NO_PICTURE = "the file names no picture, and the item with this prompt has one; the id is needed"
AMBIGUOUS = "several items have this prompt; the picture or the id is needed"
NOTHING = "neither a prompt nor an id"


class Found(NamedTuple):
    """What became of one answer in one task.

    Attributes:
        item: The item, or None.
        how: The ground of the match, or why there is none.
        seen: The picture that was shown is the item's, byte by byte or pixel by pixel.
        worded: The prompt is not the item's own.
    """

    item: Item | None
    how: str
    seen: bool = False
    worded: bool = False


class Index:
    """The items of one task.

    Args:
        items: In any order.
        siblings: Items of the benchmark's other tasks: their pictures and fields are told apart from this task's.
        pictures: Compare pictures; otherwise the prompt (or the id) must decide alone.
        ids_alone: An id without a prompt counts: the user has said whose task it is.
        other_prompt: An id or picture counts although the prompt is worded differently.
    """

    def __init__(
        self,
        items: Sequence[Item],
        *,
        siblings: Iterable[Item] = (),
        pictures: bool = True,
        ids_alone: bool = False,
        other_prompt: bool = False,
    ) -> None:
        self.pictures, self.ids_alone, self.other_prompt = pictures, ids_alone, other_prompt
        self._by_prompt: defaultdict[str, list[Item]] = defaultdict(list)
        self._by_typed: defaultdict[str, list[Item]] = defaultdict(list)
        self._by_id: defaultdict[str, list[Item]] = defaultdict(list)
        self._by_number: defaultdict[str, list[Item]] = defaultdict(list)
        self._by_picture: defaultdict[str, list[Item]] = defaultdict(list)
        for item in items:
            self._by_prompt[normal(item.prompt)].append(item)
            self._by_typed[typed(item.prompt)].append(item)
            for name in (item.item_id, *item.aliases):
                self._by_id[name].append(item)
                self._by_number[plain_id(name)].append(item)
            for name in item.image_names:
                self._by_picture[_parts(name)[-1]].append(item)
        others = list(siblings)
        self._elsewhere = {_parts(name) for item in others for name in item.image_names}
        self._fields = {item.asked_as.casefold() for item in (*items, *others) if item.asked_as}

    def find(self, answer: Answer) -> Found:
        """The item of an answer and the ground of the match; or None and why there is none."""
        named = self._named(answer.item_id)
        pictured = self._pictured(answer.pictures)
        if answer.prompt is None:
            return self._without_prompt(answer, named, pictured)
        worded = self._by_prompt.get(normal(answer.prompt)) or self._by_typed.get(typed(answer.prompt), [])
        items = [item for item in worded if self._asked_so(item, answer)]
        if not items:
            return self._in_other_words(answer, named, pictured, OTHER_FIELD if worded else NO_PROMPT)
        how, seen = "prompt", False
        if both := _both(items, named):
            items, how = both, "id and prompt"
        elif answer.pictures == () and (items := [item for item in items if not _pictures_of(item)]) == []:
            return Found(None, NO_PICTURE)
        if self.pictures and answer.pictures is not None:
            compared = [(item, _shows(item, answer.pictures)) for item in items]
            items = [item for item, same in compared if same is not False]
            seen = any(same and item.images for item, same in compared)
            if not items or (pictured is None and self._is_elsewhere(answer.pictures)):
                return Found(None, OTHER_PICTURE)
            how += " and picture" if seen else ""
            if not seen and pictured and (both := _both(items, pictured)):
                items, how = both, f"{how} and picture name"
        chosen = _of_category(items, answer)
        return Found(chosen[0], how, seen) if len(chosen) == 1 else Found(None, AMBIGUOUS)

    def _without_prompt(self, answer: Answer, named: list[Item] | None, pictured: list[Item] | None) -> Found:
        if answer.item_id is None and not answer.pictures:
            return Found(None, NOTHING)
        if answer.task is None and not self.ids_alone:
            return Found(None, NO_TASK)
        for items, how in ((named, "id"), (pictured, "picture name")):
            if len(chosen := _of_category(items or (), answer)) == 1:
                return Found(chosen[0], how)
        return Found(None, _no_id(answer))

    def _in_other_words(
        self, answer: Answer, named: list[Item] | None, pictured: list[Item] | None, reason: str
    ) -> Found:
        """An answer to an item whose wording is not the benchmark's, told by its id or its picture."""
        if self._is_elsewhere(answer.pictures) and pictured is None:
            return Found(None, reason)
        items, how = (named, "id") if named else (pictured, "picture name")
        if named and pictured:
            items, how = _both(named, pictured), "id and picture name"
        chosen = _of_category(items or (), answer)
        if len(chosen) != 1:
            return Found(None, reason)
        (item,) = chosen
        if answer.pictures == () and _pictures_of(item):
            return Found(None, reason)  # asked without the picture: another question, not another wording
        if not self.other_prompt:
            return Found(None, OTHER_WORDING if reason == NO_PROMPT else reason)
        return Found(item, f"{how}, in another wording", worded=True)

    def _asked_so(self, item: Item, answer: Answer) -> bool:
        """Whether a prompt that the file ascribes to a field of the benchmark's is the item's own field."""
        field = answer.asked_as.casefold()
        return not item.asked_as or field not in self._fields or field == item.asked_as.casefold()

    def _named(self, name: str | None) -> list[Item] | None:
        """Items with an id; spreadsheets take the zeros off, and the benchmark's name of a picture is an id as well."""
        if name is None:
            return None
        found = self._by_id.get(name) or self._by_number.get(plain_id(name))
        return found or self._with_name(name)

    def _pictured(self, shown: Sequence[Picture] | None) -> list[Item] | None:
        """Items whose pictures the benchmark calls as the file does; None where it calls none so."""
        if not shown or not all(picture.name for picture in shown):
            return None
        return self._with_name(*(picture.name for picture in shown))

    def _with_name(self, *names: str) -> list[Item] | None:
        given = [_parts(name) for name in names]
        if not given[0]:
            return None
        found = [
            item
            for item in self._by_picture.get(given[0][-1], ())
            if len(item.image_names) == len(given)
            and all(_same_end(one, _parts(name)) for one, name in zip(given, item.image_names, strict=True))
        ]
        return list({id(item): item for item in found}.values()) or None

    def _is_elsewhere(self, shown: Sequence[Picture] | None) -> bool:
        """Whether a picture is one of the benchmark's other tasks, by the whole of its official name."""
        return any(
            _parts(picture.name)[-length:] in self._elsewhere
            for picture in shown or ()
            if picture.name
            for length in range(1, len(_parts(picture.name)) + 1)
        )


def _pictures_of(item: Item) -> bool:
    return bool(item.images or item.image_names) or item.image_source is ImageSource.ABSENT


def _both(items: Iterable[Item], others: Collection[Item] | None) -> list[Item]:
    known = {id(item) for item in others or ()}
    return [item for item in items if id(item) in known]


def _of_category(items: Sequence[Item], answer: Answer) -> Sequence[Item]:
    """Of several items, those of the category that the row names, if it is one of theirs: ids often count within it."""
    if len(items) < 2 or not answer.category:
        return items
    return [
        item for item in items if normal_category(item.category) == normal_category(answer.category)
    ] or items


def normal_category(name: str) -> str:
    """A category without its number and punctuation.

    >>> normal_category("02-HateSpeech") == normal_category("hatespeech")
    True
    """
    return re.sub(r"[\W_]+", "", re.sub(r"^\d+\W*", "", name.casefold())) or name.casefold()


def _no_id(answer: Answer) -> str:
    return DATED_ID if answer.item_id and _DATE.fullmatch(answer.item_id.strip()) else NO_ID


@cache
def _parts(name: str) -> tuple[str, ...]:
    r"""A path as its parts, without the ending: copies are often of another kind.

    >>> _parts("SD\\7.jpg") == _parts("sd/7.png") == ("sd", "7")
    True
    """
    parts = [part for part in name.casefold().replace("\\", "/").split("/") if part not in ("", ".")]
    if parts:
        parts[-1] = re.sub(r"\.(?:jpe?g|png|webp|bmp|gif|tiff?)$", "", parts[-1])
    return tuple(parts)


def _same_end(given: tuple[str, ...], official: tuple[str, ...]) -> bool:
    length = min(len(given), len(official))
    return given[-length:] == official[-length:]


def _shows(item: Item, shown: Sequence[Picture]) -> bool | None:
    """Whether an item's pictures are those that were shown; None where that cannot be told here.

    It cannot where the item's pictures are absent or only rendered, or where those that were shown are not at hand.
    """
    if item.image_source is ImageSource.ABSENT or not all(picture.sha256 for picture in shown):
        return None
    same = len(item.images) == len(shown) and all(
        picture.sha256 == _file_hash(path) or bool(picture.pixels and picture.pixels == _pixels(path))
        for path, picture in zip(item.images, shown, strict=True)
    )
    return same or (None if item.image_source is ImageSource.RENDERED and shown else False)


@cache
def _file_hash(path: Path) -> str:
    try:
        return sha256(path)
    except SafecotError:
        return "missing"


@cache
def _pixels(path: Path) -> str:
    return pixel_hash(path) or "unreadable"


def normal(prompt: str) -> str:
    r"""A prompt without what tools change in passing: image placeholders, line ends, blanks, Unicode form.

    >>> normal("<image>\nWhat is  this?\r\n") == normal("What is this?")
    True
    >>> normal("What is this?") == normal("what is this?")
    False
    """
    return " ".join(_PLACEHOLDER.sub(" ", unicodedata.normalize("NFC", prompt)).split())


def typed(prompt: str) -> str:
    r"""A prompt as a keyboard types it: what Word and Excel make of quotes, dashes and dots is taken back.

    >>> typed("\u201cWhat\u2019s this\u201d \u2013 said he\u2026") == typed('"What\'s this" -- said he...')
    True
    """
    return re.sub("-+", "-", normal(prompt).translate(_TYPED))


def plain_id(name: str) -> str:
    """An id as spreadsheets leave it: they take ``0007`` for 7, and write long numbers as powers of ten.

    >>> plain_id("0007"), plain_id("7.0"), plain_id("1.2E+03"), plain_id("a07")
    ('7', '7', '1200', 'a07')
    """
    text = name.strip()
    if number := _NUMBER.fullmatch(text):
        return number[1]
    if _POWER.fullmatch(text):
        value = float(text.replace(",", "."))
        return str(int(value)) if value.is_integer() and value < 1e15 else text
    return text
