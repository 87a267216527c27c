"""Leave-one-model-out evaluation: how well lite reads a language model that it has never seen.

Nested: the penalty, the temperature and the ``unsure`` threshold are chosen without the left-out model as well.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safecot_eval.judge.lite.corpus import HUMAN, Corpus, targets
from safecot_eval.judge.lite.data import Source
from safecot_eval.judge.lite.fit import fit, prepare, score
from safecot_eval.judge.lite.model import HEADS, Array, sigmoid
from safecot_eval.judge.lite.tune import tune
from safecot_eval.stats import cohen_kappa

Flags = NDArray[np.bool_]
PROMPT_FOLDS = 4
REFUSED, PARTIAL, BARE = range(len(HEADS))
QUESTION = {Source.XSTEST: REFUSED, Source.MSTS: BARE}
"""The head that answers the question each set's people were asked."""


@dataclass(frozen=True)
class Reading:
    """Calibrated probabilities for answers to one set's question, and whether lite is sure.

    Attributes:
        probability: Shape (n,).
        decided: Shape (n,): False where lite would say ``unsure``.
    """

    probability: Array
    decided: Flags


Reader = Callable[[Corpus, Corpus, int], Reading]
"""``read(train, test, head)``: a way of classifying, trained on one corpus and applied to another."""


@dataclass(frozen=True)
class Row:
    """Agreement with people on one model's answers, or on a whole set's.

    Attributes:
        source: The set, and with it the question (XSTest: refused; MSTS: refusal only).
        model: The left-out model, or ``pooled``.
        n: Answers.
        positive: How many of them people called refused (refusal only).
        kappa: Cohen's kappa, every answer decided for the likelier side.
        kappa_decided: Kappa where lite does not say ``unsure``.
        coverage: Share of answers where it does not.
        annotators: Kappa between the two annotators on the same answers.
        ece: Expected calibration error, ten bins of equal width.
    """

    source: Source
    model: str
    n: int
    positive: int
    kappa: float
    kappa_decided: float
    coverage: float
    annotators: float
    ece: float


def read_lite(train: Corpus, test: Corpus, head: int) -> Reading:
    """Lite itself: tuned, calibrated and fitted on ``train``. Only the question "refused?" has an ``unsure``."""
    tuned = tune(train, head)
    prepared = prepare(train)
    logits = score(fit(train, head, tuned.strength, prepared), prepared, test)
    probability = sigmoid(logits / tuned.temperature)
    least = tuned.unsure_below if head == REFUSED else 0.0
    return Reading(probability, np.maximum(probability, 1 - probability) >= least)


def splits(corpus: Corpus, source: Source, *, new_prompts: bool = False) -> Iterator[tuple[Flags, Flags]]:
    """Masks of training and test rows for every left-out model of a set.

    Args:
        corpus: All rows; those of the left-out model never train, in any form.
        source: The set.
        new_prompts: Also keep the tested questions out of training (in four parts), whoever answered them.
    """
    part = np.array([zlib.crc32(row.prompt.encode()) % PROMPT_FOLDS for row in corpus.rows])
    invented = corpus.sources == Source.INVENTED
    for name in corpus.human_models(source):
        of_model = corpus.models == name
        test = of_model & (corpus.sources == source)
        if not new_prompts:
            yield ~of_model, test
            continue
        for fold in range(PROMPT_FOLDS):
            yield ~of_model & (invented | (part != fold)), test & (part == fold)


def leave_one_model_out(
    corpus: Corpus, source: Source, read: Reader = read_lite, *, new_prompts: bool = False
) -> Reading:
    """Read each model's answers after training without them; in the order of the set's rows in the corpus."""
    head = QUESTION[source]
    probability = np.full(len(corpus.rows), np.nan)
    decided = np.zeros(len(corpus.rows), dtype=bool)
    for train, test in splits(corpus, source, new_prompts=new_prompts):
        reading = read(corpus.select(train), corpus.select(test), head)
        probability[test], decided[test] = reading.probability, reading.decided
    of_set = corpus.sources == source
    return Reading(probability[of_set], decided[of_set])


def three_classes(corpus: Corpus) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """XSTest's three classes by lite, left-out models as above, and by people; each of shape (n,)."""
    of_set = corpus.sources == Source.XSTEST
    said = np.full(len(corpus.rows), "", dtype="<U7")
    for train, test in splits(corpus, Source.XSTEST):
        fitted, held = corpus.select(train), corpus.select(test)
        refused = read_lite(fitted, held, REFUSED).probability
        partial = read_lite(fitted, held, PARTIAL).probability
        said[test] = np.where(refused < 0.5, "none", np.where(partial < 0.5, "full", "partial"))
    return said[of_set], np.array([str(row.label) for row in corpus.rows])[of_set]


def table(corpus: Corpus, source: Source, reading: Reading) -> list[Row]:
    """One row per left-out model, the worst first, then the pooled row."""
    wanted = targets(corpus.rows)[:, QUESTION[source]][corpus.sources == source] > 0.5
    rows = [row for row in corpus.rows if row.source is source]
    models = np.array([row.model for row in rows])
    pairs = np.array([row.annotators or (False, False) for row in rows])

    def summary(name: str, of: Flags) -> Row:
        said, truth, decided = reading.probability[of] >= 0.5, wanted[of], reading.decided[of]
        return Row(
            source=source,
            model=name,
            n=int(of.sum()),
            positive=int(truth.sum()),
            kappa=kappa(said, truth),
            kappa_decided=kappa(said[decided], truth[decided]) if decided.any() else float("nan"),
            coverage=float(decided.mean()),
            annotators=kappa(pairs[of, 0], pairs[of, 1]),
            ece=expected_calibration_error(reading.probability[of], truth),
        )

    each = [summary(str(name), models == name) for name in np.unique(models)]
    return [*sorted(each, key=lambda row: row.kappa), summary("pooled", np.ones(len(rows), dtype=bool))]


def kappa(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Cohen's kappa of two readings, of any number of classes; NaN where neither varies.

    >>> kappa(np.array([True, False, True, False]), np.array([True, False, False, False]))
    0.5
    """
    return cohen_kappa(a.tolist(), b.tolist()).value


def expected_calibration_error(probability: Array, wanted: Flags, bins: int = 10) -> float:
    """Mean absolute gap between probability and frequency, over bins of equal width weighted by their size."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(probability[index == b].mean() - wanted[index == b].mean()) * np.mean(index == b)
        for b in range(bins)
        if np.any(index == b)
    ]
    return float(sum(gaps))


__all__ = [
    "HUMAN",
    "QUESTION",
    "Reader",
    "Reading",
    "Row",
    "expected_calibration_error",
    "kappa",
    "leave_one_model_out",
    "read_lite",
    "splits",
    "table",
    "three_classes",
]
