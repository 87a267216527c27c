"""Other ways to fit people's head on the same features, for :mod:`lite_ceiling`: each XSTest model left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from lite_other_sets import data_root
from lite_ways import FIXED_STRENGTH, boosted_trees
from numpy.typing import NDArray
from scipy import sparse

from safecot_eval.judge.lite.corpus import Corpus, make_corpus, targets
from safecot_eval.judge.lite.data import Labelled, Source, load
from safecot_eval.judge.lite.evaluate import kappa, splits
from safecot_eval.judge.lite.features import PICTURE_FEATURES
from safecot_eval.judge.lite.fit import (
    BLEND,
    NGRAM_SCALE,
    fit,
    in_blocks,
    prepare,
    row_weights,
    score,
    standardise,
)
from safecot_eval.judge.lite.model import HEADS, Head, refused_logits
from safecot_eval.judge.lite.tune import log_loss

Array = NDArray[np.float64]
SURE = 0.02


@dataclass(frozen=True)
class Fold:
    """One left-out model: training rows that say something about "refused?", the tested rows, and the other two heads' logits."""

    rows: list[Labelled]
    wanted: Array
    weights: dict[float, Array]
    known: sparse.csr_matrix
    standard: Array
    in_tail: NDArray[np.bool_]
    test_known: sparse.csr_matrix
    test_standard: Array
    truth: NDArray[np.bool_]
    others: Array


@dataclass(frozen=True)
class Way:
    """Settings of people's head; lite's own by default, with one penalty.

    Attributes:
        strengths: Inverse penalties; a head is the mean over them and over ``blend``.
        blend: (weight of invented answers, scale of the dense features).
        ngrams: Scale of the n-grams.
        tail: Times this for those of the last two sentences.
        weights: Factors on sets' weights.
        soft: Share of the two annotators' mean in the label.
        trees: Share of boosted trees on the dense features.
    """

    name: str
    strengths: tuple[float, ...] = (2.0,)
    blend: tuple[tuple[float, float], ...] = BLEND
    ngrams: float = NGRAM_SCALE
    tail: float = 1.0
    weights: dict[Source, float] = field(default_factory=dict)
    soft: float = 0.0
    trees: float = 0.0


MEAN = (1.0, 4.0)
HEAVY = tuple((invented, 0.3) for invented in (0.03, 0.1, 0.3))
WAYS = (
    Way("penalty twice as strong", (1.0,)),
    Way("**lite's penalty**"),
    Way("penalty half", (4.0,)),
    Way("mean over the penalties", (1.0, 2.0, 4.0)),
    Way("cue features twice as heavy", MEAN, HEAVY),
    Way("n-grams half as heavy", MEAN, ngrams=NGRAM_SCALE / 2),
    Way("n-grams of the end half as heavy", MEAN, tail=0.5),
    Way("without n-grams of the end", MEAN, tail=0.0),
    Way("annotators' mean as half of the label", MEAN, soft=0.5),
    Way("MSTS three times as heavy", MEAN, weights={Source.MSTS: 3.0}),
    Way("MSTS a third as heavy", MEAN, weights={Source.MSTS: 0.3, Source.TEXT: 0.3}),
    Way("shortened refusals twice as heavy", MEAN, weights={Source.SHORTENED: 2.0}),
    Way("two fifths boosted trees on cue features", MEAN, trees=0.4),
)


def folds() -> Iterator[Fold]:
    """The three left-out models."""
    corpus = make_corpus(load(data_root()))
    for train, test in splits(corpus, Source.XSTEST):
        yield fold_of(corpus.select(train), corpus.select(test))


def fold_of(train: Corpus, test: Corpus) -> Fold:
    """What every way to fit people's head shares."""
    prepared = prepare(train)
    others = np.zeros((len(test.rows), len(HEADS)))
    for head in (Head.MACHINE, Head.KIND):
        others[:, head] = score(fit(train, head, FIXED_STRENGTH[head], prepared), prepared, test)
    wanted = targets(train.rows)[:, Head.PEOPLE]
    used = np.flatnonzero(~np.isnan(wanted) & (row_weights(train, Head.PEOPLE, 1.0) > 0))
    return Fold(
        [train.rows[index] for index in used],
        wanted[used],
        {weight: row_weights(train, Head.PEOPLE, weight)[used] for weight in {weight for weight, _ in BLEND}},
        prepared.known[used],
        prepared.standard[used],
        train.in_tail[prepared.columns],
        in_blocks(test, prepared.columns),
        standardise(test.dense, prepared.mean, prepared.scale),
        targets(test.rows)[:, Head.PEOPLE] > 0.5,
        others,
    )


def logits_of(fold: Fold, way: Way) -> Array:
    """People's head by one way, on the left-out model's answers."""
    each = [_fit(fold, way, strength, *pair) for strength in way.strengths for pair in way.blend]
    linear = np.asarray(np.mean(each, axis=0))
    return (1 - way.trees) * linear + way.trees * _trees(fold) if way.trees else linear


def _fit(fold: Fold, way: Way, strength: float, invented: float, dense: float) -> Array:
    from sklearn.linear_model import LogisticRegression

    scale = np.where(fold.in_tail, way.ngrams * way.tail, way.ngrams)
    cues = np.full(fold.standard.shape[1], dense)
    cues[-len(PICTURE_FEATURES) :] = 0.0

    def design(known: sparse.csr_matrix, standard: Array) -> sparse.csr_matrix:
        return sparse.hstack([known @ sparse.diags(scale), sparse.csr_matrix(standard * cues)]).tocsr()

    factor = np.array([way.weights.get(row.source, 1.0) for row in fold.rows])
    pair = np.array([np.mean(row.annotators) if row.annotators else np.nan for row in fold.rows])
    asked = ~np.isnan(pair) & np.array([row.source is Source.XSTEST for row in fold.rows])
    share = np.where(asked, (1 - way.soft) * fold.wanted + way.soft * np.nan_to_num(pair), fold.wanted)
    mass = fold.weights[invented] * factor
    yes, no = np.flatnonzero((share > SURE) & (mass > 0)), np.flatnonzero((share < 1 - SURE) & (mass > 0))
    rows = design(fold.known, fold.standard)
    learner = LogisticRegression(C=strength, max_iter=3000, tol=1e-4)
    learner.fit(
        sparse.vstack([rows[yes], rows[no]]),
        np.repeat([1, 0], [len(yes), len(no)]),
        sample_weight=np.concatenate([(mass * share)[yes], (mass * (1 - share))[no]]),
    )
    return np.asarray(learner.decision_function(design(fold.test_known, fold.test_standard)))


def _trees(fold: Fold) -> Array:
    mass = fold.weights[0.1]
    used = mass > 0
    learner = boosted_trees()
    learner.fit(fold.standard[used], fold.wanted[used] > 0.5, sample_weight=mass[used])
    return np.asarray(learner.decision_function(fold.test_standard))


def on_people() -> list[str]:
    """A table of ways to fit people's head on the same features, in the order of :data:`WAYS`."""
    left_out = list(folds())
    lines = [
        "| | errors | κ pooled | κ of the worst model | log loss of people's head |",
        "|---|--:|--:|--:|--:|",
    ]
    for way in WAYS:
        said, losses = [], []
        for fold in left_out:
            people = logits_of(fold, way)
            every = fold.others.copy()
            every[:, Head.PEOPLE] = people
            said.append(refused_logits(every) >= 0)
            losses.append(log_loss(people, fold.truth.astype(float)))
        truth = np.concatenate([fold.truth for fold in left_out])
        pooled = np.concatenate(said)
        worst = min(kappa(own, fold.truth) for own, fold in zip(said, left_out, strict=True))
        lines.append(
            f"| {way.name} | {int((pooled != truth).sum())} | {kappa(pooled, truth):.4f} | {worst:.3f} | {np.mean(losses):.4f} |"
        )
        print(lines[-1], flush=True)
    return lines
