"""Fit one logistic head: the weights of rows and of the two feature blocks, and a mean over choices of them."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from safecot_eval.judge.lite.corpus import HUMAN, Corpus, targets, unit_rows, vocabulary
from safecot_eval.judge.lite.data import Source
from safecot_eval.judge.lite.model import DENSE_LIMIT, Array

OWN_SET = (Source.XSTEST, Source.XSTEST, Source.MSTS)
"""The set that asks each head's question."""
NGRAM_SCALE = 3.0
OTHER_WEIGHT = 0.2


SHORTENED_WEIGHT = 0.3
BLEND = tuple(itertools.product((0.03, 0.1, 0.3), (0.1, 0.2)))
"""(weight of an invented answer, scale of the dense features): a head is the mean of one fit for each pair, because no
choice between them is better than chance on three or six models."""


@dataclass(frozen=True)
class Prepared:
    """What all heads and settings share on one training corpus.

    Attributes:
        columns: Which n-grams of the corpus are used, shape (k,).
        known: Rows of unit length over them, shape (n, k).
        mean, scale: Standardisation of the dense features, shape (d,).
        standard: Standardised dense features, shape (n, d).
    """

    columns: NDArray[np.int64]
    known: sparse.csr_matrix
    mean: Array
    scale: Array
    standard: Array


@dataclass(frozen=True)
class Head:
    """A fitted head: weights for rows of unit length, shape (k,), for dense features, shape (d,), and an intercept."""

    ngram_weights: Array
    dense_weights: Array
    bias: float


def standardise(dense: Array, mean: Array, scale: Array) -> Array:
    """(x - mean) / scale, held within four units, so that no oddity outweighs everything else."""
    return np.clip((dense - mean) / scale, -DENSE_LIMIT, DENSE_LIMIT)


def row_weights(corpus: Corpus, head: int, invented_weight: float) -> Array:
    """Weight of each row for a head, shape (n,); every model of a set weighs the same in total.

    A human-labelled answer weighs 1 on average for the head that asks its set's question, and 0.2 for the others; a
    refusal without its formula 0.3, for ``refused`` alone.
    """
    human = [row for row in corpus.rows if row.source in HUMAN]
    per_model = Counter(row.model for row in human)
    models_of = {source: {row.model for row in human if row.source is source} for source in HUMAN}
    per_set = Counter(row.source for row in human)
    result = np.zeros(len(corpus.rows))
    for index, row in enumerate(corpus.rows):
        if row.source is Source.INVENTED:
            result[index] = invented_weight
        elif row.source is Source.SHORTENED:
            result[index] = SHORTENED_WEIGHT if head == 0 else 0.0
        else:
            balance = per_set[row.source] / len(models_of[row.source]) / per_model[row.model]
            result[index] = balance * (1.0 if row.source is OWN_SET[head] else OTHER_WEIGHT)
    return result


def prepare(corpus: Corpus) -> Prepared:
    """Vocabulary and standardisation of a training corpus (moments over the human-labelled answers)."""
    columns = vocabulary(corpus)
    human = np.isin(corpus.sources, list(HUMAN))
    mean = corpus.dense[human].mean(axis=0)
    scale = corpus.dense[human].std(axis=0) + 1e-6
    return Prepared(
        columns,
        unit_rows(corpus.counts[:, columns]),
        mean,
        scale,
        standardise(corpus.dense, mean, scale),
    )


def fit(corpus: Corpus, head: int, strength: float, prepared: Prepared) -> Head:
    """Fit a head (index into ``HEADS``) on the rows that say something about it.

    Args:
        corpus: The answers to learn from.
        head: Which head.
        strength: Inverse L2 penalty.
        prepared: What :func:`prepare` made of the same corpus.
    """
    from sklearn.linear_model import LogisticRegression

    wanted = targets(corpus.rows)[:, head]
    k = len(prepared.columns)
    total = np.zeros(k + corpus.dense.shape[1] + 1)
    for invented_weight, dense_scale in BLEND:
        weights = row_weights(corpus, head, invented_weight)
        used = np.flatnonzero(~np.isnan(wanted) & (weights > 0))
        block = sparse.csr_matrix(prepared.standard[used] * dense_scale)
        design = sparse.hstack([prepared.known[used] * NGRAM_SCALE, block]).tocsr()
        learner = LogisticRegression(C=strength, max_iter=3000, tol=1e-5)
        learner.fit(design, wanted[used].astype(int), sample_weight=weights[used])
        scales = np.concatenate([np.full(k, NGRAM_SCALE), np.full(corpus.dense.shape[1], dense_scale)])
        total += np.append(learner.coef_[0] * scales, learner.intercept_[0])
    mean = total / len(BLEND)
    return Head(mean[:k], mean[k:-1], float(mean[-1]))


def score(head: Head, prepared: Prepared, corpus: Corpus) -> Array:
    """Uncalibrated logits of a head for other answers, shape (n,)."""
    known = unit_rows(corpus.counts[:, prepared.columns])
    standard = standardise(corpus.dense, prepared.mean, prepared.scale)
    return np.asarray(known @ head.ngram_weights + standard @ head.dense_weights + head.bias)
