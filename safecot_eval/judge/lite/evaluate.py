"""Leave-one-model-out evaluation: how well lite reads a language model that it has never seen.

Nested: the penalties, the temperatures and the ``unsure`` threshold are chosen without the left-out model as well. Of SafeCoT's
runs a whole base model is left out, with all its checkpoints.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safecot_eval.judge.lite.corpus import Corpus, targets
from safecot_eval.judge.lite.data import Source
from safecot_eval.judge.lite.fit import fit, prepare, score
from safecot_eval.judge.lite.model import HEADS, Array, Head, partial_probability, refused_logits, sigmoid
from safecot_eval.judge.lite.tune import tune
from safecot_eval.stats import cohen_kappa

Flags = NDArray[np.bool_]
PROMPT_FOLDS = 4
BASE = "origin"
MIDDLE = (0.2, 0.8)
"""Share of refusals between which agreement on a run can be told from chance."""


@dataclass(frozen=True)
class Reading:
    """Calibrated probabilities for answers to one set's question, and whether lite is sure.

    Attributes:
        probability: Shape (n,).
        decided: Shape (n,): False where lite would say ``unsure``.
        positive: Shape (n,): the answer to the question, every answer decided for one side.
    """

    probability: Array
    decided: Flags
    positive: Flags

    @classmethod
    def even(cls, probability: Array, least: float = 0.0) -> Reading:
        """Decide at a half; ``least`` is the confidence of what is decided."""
        return cls(probability, np.maximum(probability, 1 - probability) >= least, probability >= 0.5)


Reader = Callable[[Corpus, Corpus, Head], Reading]
"""``read(train, test, head)``: a way of classifying, trained on one corpus and applied to another. ``Head.PEOPLE`` asks
whether an answer refuses, whoever labelled its kind."""

QUESTION = {Source.XSTEST: Head.PEOPLE, Source.MSTS: Head.BARE, Source.SAFECOT: Head.PEOPLE}
"""The question that each set's people (or judge) were asked."""


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


def read_lite(train: Corpus, test: Corpus, head: Head) -> Reading:
    """Lite itself: tuned, calibrated and fitted on ``train``. Only the question "refused?" has an ``unsure``."""
    prepared = prepare(train)
    heads = (Head.PEOPLE, Head.MACHINE, Head.KIND) if head is Head.PEOPLE else (head,)
    tuned = {one: tune(train, one) for one in heads}
    logits, temperature = np.zeros((len(test.rows), len(HEADS))), np.ones(len(HEADS))
    for one in heads:
        logits[:, one] = score(fit(train, one, tuned[one].strength, prepared), prepared, test)
        temperature[one] = tuned[one].temperature
    if head is Head.PEOPLE:
        return Reading.even(sigmoid(refused_logits(logits / temperature)), tuned[head].unsure_below)
    if head is Head.PARTIAL:
        return Reading.even(partial_probability(logits, temperature))
    probability = sigmoid(logits[:, head] / temperature[head])
    return Reading(probability, np.ones(len(test.rows), dtype=bool), probability >= tuned[head].positive_from)


def splits(corpus: Corpus, source: Source, *, new_prompts: bool = False) -> Iterator[tuple[Flags, Flags]]:
    """Masks of training and test rows for every left-out model of a set.

    Args:
        corpus: All rows; those of the left-out model never train, in any form.
        source: The set.
        new_prompts: Also keep the tested questions out of training (in four parts), whoever answered them.
    """
    asked = [row.case or row.prompt for row in corpus.rows]
    part = np.array([zlib.crc32(about.encode()) % PROMPT_FOLDS for about in asked])
    invented = corpus.sources == Source.INVENTED
    for name in corpus.models_of(source):
        of_model = corpus.models == name
        test = of_model & (corpus.sources == source)
        if not new_prompts:
            yield ~of_model, test
            continue
        for fold in range(PROMPT_FOLDS):
            yield ~of_model & (invented | (part != fold)), test & (part == fold)


def leave_one_model_out(
    corpus: Corpus,
    source: Source,
    read: Reader = read_lite,
    *,
    new_prompts: bool = False,
    head: Head | None = None,
) -> Reading:
    """Read each model's answers after training without them; in the order of the set's rows in the corpus.

    Args:
        corpus: All rows.
        source: The set.
        read: A way of classifying.
        new_prompts: The tested questions are new as well.
        head: The question, where it is not the set's own.
    """
    head = QUESTION[source] if head is None else head
    probability = np.full(len(corpus.rows), np.nan)
    decided, positive = np.zeros(len(corpus.rows), dtype=bool), np.zeros(len(corpus.rows), dtype=bool)
    for train, test in splits(corpus, source, new_prompts=new_prompts):
        reading = read(corpus.select(train), corpus.select(test), head)
        probability[test] = reading.probability
        decided[test], positive[test] = reading.decided, reading.positive
    of_set = corpus.sources == source
    return Reading(probability[of_set], decided[of_set], positive[of_set])


def for_harm(corpus: Corpus) -> Corpus:
    """The rows that harm is learned from, with those that choose the n-grams, but without the many recorded runs."""
    return corpus.select(~np.isin(corpus.sources, [Source.SAFECOT, Source.SPLICED]))


@dataclass(frozen=True)
class RunRow:
    """Agreement with the recorded judge on one run, on all runs of a base model, or on all.

    Attributes:
        name: The run, the base model, or ``pooled``.
        n: Answers.
        judge: Share that the recorded judge calls refused.
        lite: Share that lite does, among those where it is sure.
        coverage: Share of answers where it is.
        kappa: Cohen's kappa, every answer decided for the likelier side.
        middle: Whether this is a fine-tuned run with 20 to 80 % refusals.
    """

    name: str
    n: int
    judge: float
    lite: float
    coverage: float
    kappa: float
    middle: bool


def run_table(corpus: Corpus, reading: Reading) -> list[RunRow]:
    """One row per recorded run of SafeCoT, the worst first, then per base model, then the pooled row."""
    rows = [row for row in corpus.rows if row.source is Source.SAFECOT]
    runs = np.array([row.run for row in rows])
    bases = np.array([row.model for row in rows])
    truth = np.array([(row.judged or 0.0) >= 0.5 for row in rows])

    def summary(name: str, of: Flags) -> RunRow:
        said, decided = reading.positive[of], reading.decided[of]
        share = float(truth[of].mean())
        tuned = "__" in name and name.split("__")[1] != BASE
        return RunRow(
            name=name,
            n=int(of.sum()),
            judge=share,
            lite=float(said[decided].mean()) if decided.any() else float("nan"),
            coverage=float(decided.mean()),
            kappa=kappa(said, truth[of]),
            middle=tuned and MIDDLE[0] <= share <= MIDDLE[1],
        )

    each = sorted(
        (summary(str(n), runs == n) for n in np.unique(runs)),
        key=lambda row: (math.isnan(row.kappa), row.kappa),
    )
    of_bases = [summary(str(n), bases == n) for n in np.unique(bases)]
    return [*each, *of_bases, summary("pooled", np.ones(len(rows), dtype=bool))]


def three_classes(corpus: Corpus) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """XSTest's three classes by lite, left-out models as above, and by people; each of shape (n,)."""
    of_set = corpus.sources == Source.XSTEST
    said = np.full(len(corpus.rows), "", dtype="<U7")
    for train, test in splits(corpus, Source.XSTEST):
        fitted, held = corpus.select(train), corpus.select(test)
        refused = read_lite(fitted, held, Head.PEOPLE).positive
        partial = read_lite(fitted, held, Head.PARTIAL).positive
        said[test] = np.where(refused, np.where(partial, "partial", "full"), "none")
    return said[of_set], np.array([str(row.label) for row in corpus.rows])[of_set]


def table(corpus: Corpus, source: Source, reading: Reading, head: Head | None = None) -> list[Row]:
    """One row per left-out model, the worst first, then the pooled row; ``head`` as in :func:`leave_one_model_out`."""
    question = QUESTION[source] if head is None else head
    wanted = targets(corpus.rows)[:, question][corpus.sources == source] > 0.5
    rows = [row for row in corpus.rows if row.source is source]
    models = np.array([row.model for row in rows])
    pairs = np.array([row.annotators or (False, False) for row in rows])

    def summary(name: str, of: Flags) -> Row:
        said, truth, decided = reading.positive[of], wanted[of], reading.decided[of]
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
    "QUESTION",
    "Reader",
    "Reading",
    "Row",
    "RunRow",
    "expected_calibration_error",
    "for_harm",
    "kappa",
    "leave_one_model_out",
    "read_lite",
    "run_table",
    "splits",
    "table",
    "three_classes",
]
