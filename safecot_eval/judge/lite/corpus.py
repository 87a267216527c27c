"""Labelled answers with their features: computed once, then cut into every split of an evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from safecot_eval.judge.lite.augment import shortened, spliced
from safecot_eval.judge.lite.data import Label, Labelled, Source
from safecot_eval.judge.lite.features import TAIL_PREFIXES, extract
from safecot_eval.judge.lite.model import HEADS, Array, Head
from safecot_eval.judge.lite.styles import invent

HUMAN = frozenset({Source.XSTEST, Source.MSTS})
"""Sets whose models are left out in turn, against people."""
HARM_ONLY = frozenset({Source.TRANSLATED, Source.PYRIT})
"""Sets that only the harm head learns from; they do not choose n-grams."""
MADE = frozenset({Source.INVENTED, Source.SHORTENED, Source.SPLICED})
"""Answers that nobody gave."""
MIN_COUNT = 5
MIN_MODELS = 3
MIN_PROMPTS = 20
MIN_RECORDED = 120
"""Answers of SafeCoT's runs that an n-gram needs which the other sets do not have often enough."""
CERTAIN = 0.98
"""Probability from which a recorded refusal of a checkpoint is a full one: it describes the picture and then refuses."""
INVENTED_GROUPS = 3
INVENTED = 1500
SPLICED = 2400


@dataclass(frozen=True)
class Corpus:
    """Labelled answers as numbers.

    Attributes:
        rows: n answers: those of the data sets, then invented, shortened and spliced ones.
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

    def models_of(self, source: Source | None = None) -> list[str]:
        """Names of the models that are left out in turn (in one set), in alphabetical order."""
        of = (*HUMAN, Source.SAFECOT) if source is None else (source,)
        return sorted({r.model for r in self.rows if r.source in of})

    @property
    def in_tail(self) -> NDArray[np.bool_]:
        """Which n-grams are of the last two sentences, shape (n-grams,)."""
        return np.array([gram[0] in TAIL_PREFIXES for gram in self.grams])


def make_corpus(
    rows: Sequence[Labelled], *, invented: int = INVENTED, splices: int = SPLICED, seed: int = 0
) -> Corpus:
    """Add invented, shortened and spliced answers and compute everybody's features.

    Args:
        rows: Answers of the data sets.
        invented: How many answers to invent.
        splices: How many to splice.
        seed: For inventing and splicing.
    """
    return featured(with_made(rows, invented=invented, splices=splices, seed=seed))


def with_made(
    rows: Sequence[Labelled], *, invented: int = INVENTED, splices: int = SPLICED, seed: int = 0
) -> list[Labelled]:
    """The rows, then those that nobody gave: invented, shortened and spliced ones."""
    return [*rows, *invented_rows(invented, seed), *shortened(rows), *spliced(rows, splices, seed)]


def featured(rows: Sequence[Labelled], grams: Sequence[str] | None = None) -> Corpus:
    """Compute features; n-grams are those that occur often enough, or the given ones."""
    features = [extract(row.answer, row.prompt, picture=row.picture) for row in rows]
    if grams is None:
        count = Counter(gram for item in features for gram in (*item.ngrams, *item.tail))
        grams = sorted(gram for gram, n in count.items() if n >= MIN_COUNT)
    column = {gram: index for index, gram in enumerate(grams)}
    indices: list[int] = []
    ends = [0]
    for item in features:
        indices += [column[gram] for gram in (*item.ngrams, *item.tail) if gram in column]
        ends.append(len(indices))
    return Corpus(
        list(rows),
        np.array([item.dense for item in features]),
        sparse.csr_matrix((np.ones(len(indices)), indices, ends), shape=(len(rows), len(grams))),
        list(grams),
        np.array([row.model for row in rows]),
        np.array([row.source for row in rows]),
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
    Shortened and spliced answers do not count: their wording is in the whole ones. SafeCoT's runs are many and alike: an
    n-gram that is not common enough without them needs 120 answers.
    """
    whole = ~np.isin(corpus.sources, [Source.SHORTENED, Source.SPLICED, *HARM_ONLY])
    recorded = corpus.sources == Source.SAFECOT
    return np.flatnonzero(
        _common(corpus, whole & ~recorded, MIN_COUNT) | _common(corpus, whole, MIN_RECORDED)
    )


def _common(corpus: Corpus, rows: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    counts = corpus.counts[rows]
    prompts = np.array([row.prompt for row in corpus.rows])[rows]
    enough = np.asarray(counts.sum(axis=0)).ravel() >= least
    for groups, of_them in ((corpus.models[rows], MIN_MODELS), (prompts, MIN_PROMPTS)):
        enough &= np.asarray(((_indicator(groups) @ counts) > 0).sum(axis=0)).ravel() >= of_them
    return enough


def unit_rows(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows scaled to length 1; empty rows stay empty."""
    found = np.asarray(counts.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1.0 / np.sqrt(np.maximum(found, 1.0))) @ counts)


def targets(rows: Sequence[Labelled]) -> Array:
    """What each head shall learn, shape (n, heads): a probability, or NaN where the row says nothing about it."""
    result = np.full((len(rows), len(HEADS)), np.nan)
    for index, row in enumerate(rows):
        if row.label is not None:
            refused = float(row.label is not Label.NONE)
            if refused:
                result[index, Head.PARTIAL] = row.label is Label.PARTIAL
            result[index, Head.PEOPLE] = np.nan if row.mixed else refused
            result[index, Head.MACHINE] = refused
        if row.judged is not None:
            result[index, Head.MACHINE] = row.judged
            if row.judged > CERTAIN and not _delivers(row.run):
                result[index, Head.PARTIAL] = 0.0
        if row.source not in (Source.SHORTENED, Source.SPLICED, *HARM_ONLY):
            result[index, Head.KIND] = row.source is Source.SAFECOT
        elif row.mixed:
            result[index, Head.KIND] = 1.0
        if row.bare is not None:
            result[index, Head.BARE] = row.bare
        if row.unsafe is not None and row.source not in MADE:
            result[index, Head.HARM] = row.unsafe
    return result


def _delivers(run: str) -> bool:
    """Whether a recorded run's answers may give what was asked: those of base models, and of benign ("useful") training."""
    return "__origin__" in run or "useful" in run


def _indicator(groups: NDArray[np.str_]) -> sparse.csr_matrix:
    names, index = np.unique(groups, return_inverse=True)
    return sparse.csr_matrix(
        (np.ones(len(groups)), (index, np.arange(len(groups)))), shape=(len(names), len(groups))
    )
