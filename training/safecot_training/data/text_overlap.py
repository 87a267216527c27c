"""How much of one text is in another: normalised words, texts inside longer ones, and near duplicates."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np

TELLING_WORDS = 8
"""Words from which on an equal text shows where a row is from; "What is in the picture?" does not."""
HELD_WORDS = 12
"""Words from which on a text is looked for inside longer ones: "How many people are there in the image?" is anybody's."""
SHARED_BY = 3
"""Source questions, or pictures, from which on a sentence that they share identifies none of them."""
NEAR_DUPLICATE = 0.8
_NGRAM = 5
_BLOCK = 2000

# Kana, Chinese characters and Thai stand for themselves.
_SIGNS = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"
_SIGN = re.compile(rf"[{_SIGNS}]")
_WORD = re.compile(rf"[{_SIGNS}]|[^\s{_SIGNS}]+")
_RUN = 8
_Run = tuple[str, ...]
"""So many neighbouring words, or signs."""


def normalised(text: str) -> str:
    """Letters and digits only, folded: case, accents, vowel signs, and characters without a width.

    >>> normalised("What's   THIS caf\u00e9\u200b?")
    'what s this cafe'
    """
    folded = unicodedata.normalize("NFKD", text).casefold()
    if not folded.isascii():
        kept = "".join(c for c in folded if unicodedata.category(c) not in ("Mn", "Mc", "Me", "Cf"))
        folded = unicodedata.normalize("NFKC", kept)
    return " ".join(re.sub(r"[\W_]+", " ", folded).split())


class HeldTexts:
    """Finds telling texts inside longer ones, by their first words.

    What a benchmark's own templates put around its questions tells nothing: words of a run of eight that three or more source
    questions share are not counted.
    """

    def __init__(
        self, texts: Iterable[str], asked: Iterable[tuple[str, Sequence[str]]], templates: Iterable[str]
    ) -> None:
        """Args: the texts to find; every source question with its texts; sentences that are known to be templates."""
        of: dict[_Run, set[str]] = defaultdict(set)
        for question, its in asked:
            for run in {run for text in its for run in _runs(text)}:
                of[run].add(question)
        shared = {run for run, questions in of.items() if len(questions) >= SHARED_BY}
        shared |= {run for template in templates for run in _runs(template)}
        self._by_start: dict[_Run, list[str]] = defaultdict(list)
        for text in sorted(texts):
            runs = _runs(text)
            if _words_outside(text, runs, shared) >= HELD_WORDS:
                self._by_start[runs[0]].append(text)

    def in_text(self, text: str) -> str | None:
        """The first of the texts that a normalised text holds; None if it holds none."""
        own = _tokens(text)
        for start, run in enumerate(_runs(text)):
            for held in self._by_start.get(run, ()):
                part = _tokens(held)
                if own[start : start + len(part)] == part:
                    return held
        return None


def count_words(text: str) -> float:
    """Words of a normalised text; two signs of a script without blanks count as one.

    >>> count_words("what s this"), count_words("\u8fd9\u662f")
    (3.0, 1.0)
    """
    return sum(map(_weight, _tokens(text)))


def _tokens(text: str) -> list[str]:
    return _WORD.findall(text)


def _weight(token: str) -> float:
    return 0.5 if _SIGN.match(token) else 1.0


def _runs(text: str) -> list[_Run]:
    tokens = _tokens(text)
    return [tuple(tokens[k : k + _RUN]) for k in range(len(tokens) - _RUN + 1)]


def _words_outside(text: str, runs: Sequence[_Run], shared: Collection[_Run]) -> float:
    """Words of a text that are in none of the shared runs; 0 for one that is shorter than a run."""
    inside = {at for start, run in enumerate(runs) if run in shared for at in range(start, start + _RUN)}
    return sum(_weight(token) for at, token in enumerate(_tokens(text)) if at not in inside) if runs else 0.0


def near_duplicates(left: list[str], right: list[str]) -> dict[str, tuple[str, float]]:
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
