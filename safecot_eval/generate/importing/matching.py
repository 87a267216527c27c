"""Match recorded answers to items: the same text and the same pictures, or an id. Nothing is matched on a guess."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from safecot_eval.generate.importing.answers import Answer, Picture, pixel_hash
from safecot_eval.records.samples import ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256

_PLACEHOLDER = re.compile(r"<\s*image(?:_?\d+)?\s*>", re.IGNORECASE)

NO_PROMPT = "no item has this prompt"
NO_ID = "no item has this id"
OTHER_PICTURE = "the picture is not the one of the item with this prompt"
AMBIGUOUS = "several items have this prompt; the picture or the id is needed"
NOTHING = "neither a prompt nor an id"
OTHER_TASK = "its task is not among those that were asked for"


@dataclass
class Matched:
    """What became of the answers.

    Attributes:
        answers: Task to item id to answer.
        how: Ground of the match (``prompt and picture``, ``prompt``, ``id``, ``id and prompt``) to how many.
        left: Answers that fit no item, with the reason.
        missing: Task to ids of its items that have no answer.
        notes: What a reader should know, one sentence each.
    """

    answers: dict[str, dict[str, Answer]] = field(default_factory=dict)
    how: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: list[tuple[Answer, str]] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def match(
    answers: Sequence[Answer], leaves: Mapping[str, Sequence[Item]], *, pictures: bool = True
) -> Matched:
    """Match answers to the items of some leaves.

    A leaf takes all answers that fit it, beginning with the leaf that most of them fit; among leaves that fit equally many,
    the one that they fill more of. Where that does not decide, the user must.

    Args:
        answers: In any order.
        leaves: Leaf to its items.
        pictures: Compare pictures; otherwise the prompt (or the id) must decide alone.

    Raises:
        SafecotError: nothing fits, two leaves fit equally, or two different answers fit one item.
    """
    done = Matched()
    indexes = {leaf: _Index(items, pictures) for leaf, items in leaves.items()}
    rest: list[Answer] = []
    for answer in answers:
        if answer.task is not None and answer.task not in leaves:
            done.left.append((answer, OTHER_TASK))
        else:
            rest.append(answer)
    while rest:
        fits = {leaf: _fit(index, rest, leaf) for leaf, index in indexes.items() if leaf not in done.answers}
        best = _best(fits, leaves)
        if best is None:
            break
        _take(done, best, fits[best])
        taken = {id(answer) for answer, _, _ in fits[best]}
        rest = [answer for answer in rest if id(answer) not in taken]
    done.left += [(answer, _reason(answer, indexes)) for answer in rest]
    if not done.answers:
        reasons = Counter(reason for _, reason in done.left)
        said = "; ".join(f"{count}: {reason}" for reason, count in sorted(reasons.items()))
        raise SafecotError(
            f"None of the {len(answers)} answers fits an item of {', '.join(leaves) or 'any task'} ({said}). Is the data "
            "of the benchmark here (`safecot data list`), and are the prompts unchanged?"
        )
    for leaf, found in done.answers.items():
        done.missing[leaf] = [item.item_id for item in leaves[leaf] if item.item_id not in found]
    return done


Fit = list[tuple[Answer, Item, str]]


def _fit(index: _Index, answers: Sequence[Answer], leaf: str) -> Fit:
    found = []
    for answer in answers:
        if answer.task not in (None, leaf):
            continue
        item, how = index.find(answer)
        if item is not None:
            found.append((answer, item, how))
    return found


def _best(fits: Mapping[str, Fit], leaves: Mapping[str, Sequence[Item]]) -> str | None:
    def rank(leaf: str) -> tuple[int, float]:
        return len(fits[leaf]), len({item.item_id for _, item, _ in fits[leaf]}) / len(leaves[leaf])

    ranked = sorted((leaf for leaf in fits if fits[leaf]), key=rank, reverse=True)
    if not ranked:
        return None
    equal = [leaf for leaf in ranked if rank(leaf) == rank(ranked[0])]
    if len(equal) > 1 and _same_answers([fits[leaf] for leaf in equal]):
        raise SafecotError(
            f"The answers fit {' and '.join(equal)} equally well; say which with --tasks, or with a column 'task'."
        )
    return ranked[0]


def _same_answers(fits: Sequence[Fit]) -> bool:
    taken = [{id(answer) for answer, _, _ in fit} for fit in fits]
    return bool(set.intersection(*taken))


def _take(done: Matched, leaf: str, fit: Fit) -> None:
    chosen = done.answers.setdefault(leaf, {})
    repeated = 0
    for answer, item, how in fit:
        earlier = chosen.get(item.item_id)
        if earlier is not None and (earlier.response, earlier.status) != (answer.response, answer.status):
            raise SafecotError(
                f"{answer.where}: {leaf} has a different answer to item {item.item_id!r} already ({earlier.where}); "
                "keep one of them."
            )
        if earlier is not None:
            repeated += 1
            continue
        chosen[item.item_id] = answer
        done.how[how] += 1
    if repeated:
        done.notes.append(f"{leaf}: {repeated} answers came twice, word for word; each counts once.")


def _reason(answer: Answer, indexes: Mapping[str, _Index]) -> str:
    """The most telling of the reasons that the leaves give."""
    reasons = {index.find(answer)[1] for leaf, index in indexes.items() if answer.task in (None, leaf)}
    order = (OTHER_PICTURE, AMBIGUOUS, NO_PROMPT, NO_ID, NOTHING)
    return next((reason for reason in order if reason in reasons), OTHER_TASK)


class _Index:
    """The items of one leaf by prompt and by id."""

    def __init__(self, items: Sequence[Item], pictures: bool) -> None:
        self.pictures = pictures
        self.by_id = {item.item_id: item for item in items}
        self.by_prompt: defaultdict[str, list[Item]] = defaultdict(list)
        for item in items:
            self.by_prompt[normal(item.prompt)].append(item)

    def find(self, answer: Answer) -> tuple[Item | None, str]:
        """The item of an answer and the ground of the match; or None and why there is none."""
        named = self.by_id.get(answer.item_id or "")
        if answer.prompt is None:
            if answer.item_id is None:
                return None, NOTHING
            # An id alone counts only where the file says which task's it is.
            return (named, "id") if named is not None and answer.task is not None else (None, NO_ID)
        items = self.by_prompt.get(normal(answer.prompt), [])
        if not items:
            return None, NO_PROMPT
        how = "prompt"
        if named in items:
            items, how = [named], "id and prompt"
        if self.pictures and answer.pictures is not None and all(p.sha256 for p in answer.pictures):
            fitting = [item for item in items if _shows(item, answer.pictures)]
            if not fitting:
                return None, OTHER_PICTURE
            if any(item.images for item in fitting):
                how += " and picture"
            items = fitting
        return (items[0], how) if len(items) == 1 else (None, AMBIGUOUS)


def _shows(item: Item, shown: Sequence[Picture]) -> bool:
    """Whether an item's pictures are those that were shown; an item whose pictures are absent here decides nothing."""
    if item.image_source is ImageSource.ABSENT:
        return True
    if len(item.images) != len(shown):
        return False
    return all(
        picture.sha256 == _file_hash(path) or bool(picture.pixels and picture.pixels == _pixels(path))
        for path, picture in zip(item.images, shown, strict=True)
    )


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
