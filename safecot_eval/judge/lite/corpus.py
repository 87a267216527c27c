"""Labelled answers with their features: computed once, then cut into every split of an evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from safecot_eval.judge.lite.augment import shortened
from safecot_eval.judge.lite.data import Label, Labelled, Source
from safecot_eval.judge.lite.features import extract
from safecot_eval.judge.lite.model import HEADS, Array
from safecot_eval.judge.lite.styles import invent

HUMAN = frozenset({Source.XSTEST, Source.MSTS})
MIN_COUNT = 5
MIN_MODELS = 3
MIN_PROMPTS = 20
INVENTED_GROUPS = 3


@dataclass(frozen=True)
class Corpus:
    """Labelled answers as numbers.

    Attributes:
        rows: n answers: the human-labelled ones, then invented ones, then shortened ones.
        dense: Shape (n, dense features).
        counts: Shape (n, n-grams): 1 where the answer has the n-gram.
        grams: The n-grams, in alphabetical order.
        models: Shape (n,): who answered.
        sources: Shape (n,): which set it is from.
    """

    rows: list[Labelled]
    dense: Array
    counts: sparse.csr_matrix
    grams: list[str]
    models: NDArray[np.str_]
    sources: NDArray[np.str_]

    def select(self, keep: NDArray[np.bool_]) -> Corpus:
        """The rows where ``keep`` is True; n-grams keep their columns."""
        chosen = np.flatnonzero(keep)
        return Corpus(
            [self.rows[i] for i in chosen],
            self.dense[chosen],
            self.counts[chosen],
            self.grams,
            self.models[chosen],
            self.sources[chosen],
        )

    def human_models(self, source: Source | None = None) -> list[str]:
        """Names of the models whose answers people labelled (in one set), in alphabetical order."""
        return sorted({r.model for r in self.rows if r.source in HUMAN and source in (None, r.source)})


def make_corpus(rows: Sequence[Labelled], *, invented: int = 1500, seed: int = 0) -> Corpus:
    """Add invented and shortened answers and compute everybody's features.

    Args:
        rows: Human-labelled answers.
        invented: How many answers to invent.
        seed: For inventing.
    """
    everything = [*rows, *invented_rows(invented, seed), *shortened(rows)]
    features = [extract(row.answer, row.prompt) for row in everything]
    count = Counter(gram for item in features for gram in item.ngrams)
    grams = sorted(gram for gram, n in count.items() if n >= MIN_COUNT)
    column = {gram: index for index, gram in enumerate(grams)}
    indices: list[int] = []
    ends = [0]
    for item in features:
        indices += [column[gram] for gram in item.ngrams if gram in column]
        ends.append(len(indices))
    return Corpus(
        everything,
        np.array([item.dense for item in features]),
        sparse.csr_matrix((np.ones(len(indices)), indices, ends), shape=(len(everything), len(grams))),
        grams,
        np.array([row.model for row in everything]),
        np.array([row.source for row in everything]),
    )


def invented_rows(n: int, seed: int) -> list[Labelled]:
    """Invented answers as labelled rows, spread over a few made-up models."""
    return [
        Labelled(
            Source.INVENTED,
            f"invented-{index % INVENTED_GROUPS}",
            text.prompt,
            text.answer,
            Label(text.label),
            text.bare,
        )
        for index, text in enumerate(invent(n, seed))
    ]


def vocabulary(corpus: Corpus) -> NDArray[np.int64]:
    """Columns of the n-grams to use: in at least 5 answers, of 3 models, to 20 different prompts.

    So that neither one model's signature nor one question's topic counts. (All models of a set were asked the same
    questions: without the last condition an n-gram can be a memory of how the others answered that very question.)
    Shortened answers do not count: their wording is in the whole ones.
    """
    whole = corpus.sources != Source.SHORTENED
    counts = corpus.counts[whole]
    prompts = np.array([row.prompt for row in corpus.rows])[whole]
    enough = np.asarray(counts.sum(axis=0)).ravel() >= MIN_COUNT
    for groups, least in ((corpus.models[whole], MIN_MODELS), (prompts, MIN_PROMPTS)):
        enough &= np.asarray(((_indicator(groups) @ counts) > 0).sum(axis=0)).ravel() >= least
    return np.flatnonzero(enough)


def unit_rows(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows scaled to length 1; empty rows stay empty."""
    found = np.asarray(counts.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1.0 / np.sqrt(np.maximum(found, 1.0))) @ counts)


def targets(rows: Sequence[Labelled]) -> Array:
    """What each head shall learn, shape (n, 3): 1, 0, or NaN where the row says nothing about it."""
    result = np.full((len(rows), len(HEADS)), np.nan)
    for index, row in enumerate(rows):
        if row.label is not None:
            result[index, 0] = row.label is not Label.NONE
            if row.label is not Label.NONE:
                result[index, 1] = row.label is Label.PARTIAL
        if row.bare is not None:
            result[index, 2] = row.bare
    return result


def _indicator(groups: NDArray[np.str_]) -> sparse.csr_matrix:
    names, index = np.unique(groups, return_inverse=True)
    return sparse.csr_matrix(
        (np.ones(len(groups)), (index, np.arange(len(groups)))), shape=(len(names), len(groups))
    )
