"""Is a training example in an evaluation set? Same text, nearly the same text, or the same image.

A sentence that a benchmark asks about many pictures ("The image shows a list numbered 1, 2 and 3 …") identifies none of
its items; such *carrier* sentences (three or more source questions share them) are compared together with the image
only. Near duplicates are pairs whose sets of character 5-grams have a Jaccard similarity of at least 0.8, found with one
sparse matrix product. Images are equal when their bytes or their decoded RGB pixels are.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from safecot_eval.benchmarks.images import to_rgb
from safecot_eval.records.samples import Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from safecot_training.data.examples import Example

NEAR_DUPLICATE = 0.8
CARRIER_CLUSTERS = 3
_NGRAM = 5
_BLOCK = 2000
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
        name: Leaf name.
        items: Its items.
    """

    name: str
    items: tuple[Item, ...]


def normalised(text: str) -> str:
    """Letters and digits only, folded.

    >>> normalised("What's   THIS?")
    'what s this'
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    return " ".join(re.sub(r"[\W_]+", " ", folded).split())


def image_keys(path: Path) -> tuple[str, str]:
    """Hashes of an image's bytes and of its decoded RGB pixels.

    Raises:
        SafecotError: the file is no image.
    """
    try:
        content = path.read_bytes()
        with Image.open(path) as image:
            pixels = to_rgb(image)
            decoded = sha256_of(repr(pixels.size).encode() + pixels.tobytes())
    except (OSError, ValueError, UnidentifiedImageError) as error:
        raise SafecotError(
            f"{path}: not a readable image ({error}); replace it or take the sample out."
        ) from error
    return sha256_of(content), decoded


def find(examples: Sequence[Example], eval_sets: Iterable[EvalSet]) -> list[Hit]:
    """Compare training examples with evaluation sets.

    Returns:
        At most one hit per example and evaluation set, the strongest ground first (image, text, near text).
    """
    images = [
        {key for path in example.images if path.is_file() for key in image_keys(path)} for example in examples
    ]
    texts = [
        [normalised(text) for text in (example.query, *example.queries.values(), *example.texts)]
        for example in examples
    ]
    hits: list[Hit] = []
    for eval_set in eval_sets:
        hits.extend(_find_in(examples, images, texts, eval_set))
    return hits


def _find_in(
    examples: Sequence[Example], images: list[set[str]], texts: list[list[str]], eval_set: EvalSet
) -> list[Hit]:
    by_image: dict[str, str] = {}
    clusters: dict[str, set[str]] = defaultdict(set)
    by_text: dict[str, str] = {}
    for item in eval_set.items:
        for path in item.images:
            if path.is_file():
                for key in image_keys(path):
                    by_image.setdefault(key, item.item_id)
        for text in (item.prompt, *(item.extra[key] for key in _TEXT_KEYS if key in item.extra)):
            key = normalised(text)
            clusters[key].add(item.cluster_id or item.item_id)
            by_text.setdefault(key, item.item_id)
    telling = {key for key, of in clusters.items() if key and len(of) < CARRIER_CLUSTERS}
    near = _near_duplicates(sorted({t for each in texts for t in each}), sorted(telling))
    hits = []
    for example, image_set, own in zip(examples, images, texts, strict=True):
        shared = next((key for key in image_set if key in by_image), None)
        same = next((text for text in own if text in telling), None)
        close = next((text for text in own if text in near), None)
        if shared is not None:
            hits.append(_hit(example, eval_set, by_image[shared], Ground.IMAGE, shared[:16]))
        elif same is not None:
            hits.append(_hit(example, eval_set, by_text[same], Ground.TEXT, same))
        elif close is not None:
            other, similarity = near[close]
            hits.append(
                _hit(example, eval_set, by_text[other], Ground.NEAR_TEXT, f"{similarity:.2f}: {other}")
            )
    return hits


def _hit(example: Example, eval_set: EvalSet, item_id: str, ground: Ground, detail: str) -> Hit:
    return Hit(example.example_id, eval_set.name, item_id, ground, detail)


def _near_duplicates(left: list[str], right: list[str]) -> dict[str, tuple[str, float]]:
    """Texts of ``left`` with their most similar text of ``right``, where the similarity reaches the threshold."""
    if not left or not right:
        return {}
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer="char_wb", ngram_range=(_NGRAM, _NGRAM), n_features=2**20, binary=True, norm=None,
        alternate_sign=False, dtype=np.float32,
    )  # fmt: skip
    matrix_left, matrix_right = vectorizer.transform(left), vectorizer.transform(right).T.tocsc()
    size_left = np.asarray(matrix_left.sum(axis=1)).ravel()
    size_right = np.asarray(matrix_right.sum(axis=0)).ravel()
    found: dict[str, tuple[str, float]] = {}
    for start in range(0, len(left), _BLOCK):
        common = (matrix_left[start : start + _BLOCK] @ matrix_right).tocoo()
        rows = common.row + start
        jaccard = common.data / (size_left[rows] + size_right[common.col] - common.data)
        for row, column, similarity in zip(rows, common.col, jaccard, strict=True):
            if similarity >= NEAR_DUPLICATE and similarity > found.get(left[row], ("", 0.0))[1]:
                found[left[row]] = (right[column], float(similarity))
    return found


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
