"""Is a training example in an evaluation set? Same text, a longer text that holds it, nearly the same text, or the same image.

A sentence that is asked about many pictures ("The image shows a list numbered 1, 2 and 3 …") identifies none of them; such
*carrier* sentences (three or more source questions of the benchmark, or three or more different pictures of the training
data, share them) are compared together with the image only. A text of twelve or more words is looked for inside longer ones. Near duplicates are pairs whose sets of character 5-grams have
a Jaccard similarity of at least 0.8, found with one sparse matrix product. Images are equal when their bytes or their
decoded RGB pixels are.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image

from safecot_eval.benchmarks.images import open_image
from safecot_eval.records.samples import Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256, sha256_of, unreadable
from safecot_training.data.examples import Example
from safecot_training.data.text_overlap import (
    SHARED_BY,
    TELLING_WORDS,
    HeldTexts,
    count_words,
    near_duplicates,
    normalised,
)

_TEXT_KEYS = (
    "question",
    "original_question",
    "changed_question",
    "instruction",
    "behavior",
    "source_question",
)


class Ground(StrEnum):
    """Why an example counts as contaminated."""

    TEXT = "same text"
    HOLDS_TEXT = "holds its text"
    NEAR_TEXT = "nearly the same text"
    IMAGE = "same image"


@dataclass(frozen=True, slots=True)
class Hit:
    """One training example found in an evaluation set."""

    example_id: str
    eval_set: str
    item_id: str
    ground: Ground
    detail: str


@dataclass(frozen=True, slots=True)
class EvalSet:
    """An evaluation set as the check sees it.

    Attributes:
        name: Task name.
        items: Its items.
        carriers: Further carrier sentences: those of the whole set, where ``items`` are a part of it.
    """

    name: str
    items: tuple[Item, ...]
    carriers: frozenset[str] = frozenset()


def carriers_of(items: Iterable[Item]) -> frozenset[str]:
    """Normalised sentences that three or more source questions share."""
    clusters: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for key in _texts_of(item):
            clusters[key].add(item.cluster_id or item.item_id)
    return frozenset(key for key, of in clusters.items() if len(of) >= SHARED_BY)


def _texts_of(item: Item) -> list[str]:
    """What an item asks, in all its wordings and in the earlier turns of its dialogue."""
    earlier = (text for role, text in item.before if role == "user")
    texts = (item.prompt, *(item.extra[key] for key in _TEXT_KEYS if key in item.extra), *earlier)
    return [normalised(text) for text in texts]


def _asked_about_many(examples: Iterable[Example]) -> set[str]:
    """Normalised queries of three or more different pictures."""
    shown: dict[str, set[tuple[Path, ...]]] = defaultdict(set)
    for example in examples:
        if example.images:
            shown[normalised(example.query)].add(example.images)
    return {query for query, of in shown.items() if _many_different(of)}


def _many_different(pictures: Collection[tuple[Path, ...]]) -> bool:
    """Copies of a picture are one; a picture that is not on disk yet is taken for one of its own."""
    if len(pictures) < SHARED_BY:
        return False
    found = set()
    for paths in pictures:
        found.add(tuple(sha256(path) if path.is_file() else str(path) for path in paths))
        if len(found) >= SHARED_BY:
            return True
    return False


def image_keys(path: Path) -> tuple[str, str]:
    """Hashes of an image's bytes and of its decoded RGB pixels.

    Raises:
        SafecotError: the file is no image.
    """
    try:
        content = path.read_bytes()
        pixels = open_image(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except SafecotError as error:
        raise SafecotError(f"{path}: {error} Replace it or take the sample out.") from error
    return sha256_of(content), sha256_of(repr(pixels.size).encode() + pixels.tobytes())


def find(
    examples: Sequence[Example], eval_sets: Iterable[EvalSet], among: Sequence[Example] = ()
) -> list[Hit]:
    """Compare training examples with evaluation sets.

    Args:
        examples: What may be trained on.
        eval_sets: What must not be.
        among: All examples that these were drawn from, to know the sentences that are asked about many pictures.

    Returns:
        At most one hit per example and evaluation set, the strongest ground first (image, text, held text, near text).
    """
    eval_sets = list(eval_sets)
    carriers = _asked_about_many(among or examples).union(*(each.carriers for each in eval_sets))
    # Only pictures of one size can be equal; most are told apart by their header.
    sizes = _sizes(path for example in examples for path in example.images) & _sizes(
        path for eval_set in eval_sets for item in eval_set.items for path in item.images
    )
    images = [{key for path in example.images for key in _keys(path, sizes)} for example in examples]
    texts = [[text for text in _asked(example) if text not in carriers] for example in examples]
    hits: list[Hit] = []
    for eval_set in eval_sets:
        hits.extend(_find_in(examples, images, texts, eval_set, sizes))
    return hits


def _asked(example: Example) -> list[str]:
    """What an example asks, in all its wordings, with earlier turns."""
    earlier = (question for question, _ in example.history)
    whole = (example.query, *example.queries.values(), *example.texts, *earlier)
    return list(dict.fromkeys(filter(None, map(normalised, whole))))


def _size(path: Path) -> tuple[int, ...] | None:
    """Width and height by the file's header, the larger first: a camera's note may turn the picture. None if it is no image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return tuple(sorted(image.size, reverse=True))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _sizes(paths: Iterable[Path]) -> set[tuple[int, ...]]:
    return {size for path in set(paths) if (size := _size(path)) is not None}


def _keys(path: Path, sizes: set[tuple[int, ...]]) -> tuple[str, ...]:
    return image_keys(path) if path.is_file() and _size(path) in sizes else ()


def _find_in(
    examples: Sequence[Example],
    images: list[set[str]],
    texts: list[list[str]],
    eval_set: EvalSet,
    sizes: set[tuple[int, ...]],
) -> list[Hit]:
    by_image: dict[str, str] = {}
    by_text: dict[str, str] = {}
    for item in eval_set.items:
        for path in item.images:
            for key in _keys(path, sizes):
                by_image.setdefault(key, item.item_id)
        for key in _texts_of(item):
            by_text.setdefault(key, item.item_id)
    telling = _telling(set(by_text) - {""}, carriers_of(eval_set.items) | eval_set.carriers)
    asked = ((item.cluster_id or item.item_id, _texts_of(item)) for item in eval_set.items)
    held = HeldTexts(telling, asked, eval_set.carriers)
    near = near_duplicates(sorted({t for each in texts for t in each}), sorted(telling))
    hits = []
    for example, image_set, own in zip(examples, images, texts, strict=True):
        shared = next((key for key in image_set if key in by_image), None)
        same = next((text for text in own if text in telling), None)
        inside = next((part for text in own if (part := held.in_text(text))), None)
        close = next((text for text in own if text in near), None)
        if shared is not None:
            hits.append(_hit(example, eval_set, by_image[shared], Ground.IMAGE, shared[:16]))
        elif same is not None:
            hits.append(_hit(example, eval_set, by_text[same], Ground.TEXT, same))
        elif inside is not None:
            hits.append(_hit(example, eval_set, by_text[inside], Ground.HOLDS_TEXT, inside))
        elif close is not None:
            other, similarity = near[close]
            hits.append(
                _hit(example, eval_set, by_text[other], Ground.NEAR_TEXT, f"{similarity:.2f}: {other}")
            )
    return hits


def _telling(texts: set[str], carriers: frozenset[str]) -> set[str]:
    """Texts that identify an item: none that is a carrier, holds one, or is one with a word changed."""
    long = [carrier for carrier in carriers if count_words(carrier) >= TELLING_WORDS]
    own = [text for text in texts - carriers if not any(carrier in text for carrier in long)]
    return set(own) - set(near_duplicates(sorted(own), sorted(carriers - {""})))


def _hit(example: Example, eval_set: EvalSet, item_id: str, ground: Ground, detail: str) -> Hit:
    return Hit(example.example_id, eval_set.name, item_id, ground, detail)


def refuse_contaminated(hits: Sequence[Hit]) -> None:
    """Stop where anything was found.

    Raises:
        SafecotError: naming the first hit and the number of all.
    """
    if hits:
        first = hits[0]
        raise SafecotError(
            f"Training sample {first.example_id} is in the evaluation set {first.eval_set} (item {first.item_id}: "
            f"{first.ground}, {first.detail}), {len(hits)} in all; take them out with --contamination drop, or hold "
            "out the source questions."
        )
