"""Leave-one-model-out evaluation: how well lite reads a language model that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safecot_eval.lite.data import Labelled, Source
from safecot_eval.lite.model import Array, sigmoid
from safecot_eval.lite.train import (
    Corpus,
    Settings,
    calibrate,
    fit,
    human_models,
    left_out_logits,
    make_corpus,
    score,
    targets,
)

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """Agreement with people on one model's answers, or on a whole set's.

    Attributes:
        source: The set, and with it the question (XSTest: refused; MSTS: refusal only).
        model: The left-out model, or ``pooled``.
        n: Answers.
        positive: How many of them people called refused (refusal only).
        kappa: Cohen's kappa, abstentions resolved to the likelier side.
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


@dataclass(frozen=True)
class LeftOut:
    """Calibrated probabilities for every human-labelled answer from models that never saw its author.

    Attributes:
        rows: The answers.
        probability: Shape (n,): of ``refused`` for XSTest rows, of ``bare`` for MSTS rows.
        wanted: Shape (n,): what people say to the same question.
        decided: Shape (n,): False where lite would say ``unsure``.
    """

    rows: list[Labelled]
    probability: Array
    wanted: Flags
    decided: Flags


def kappa(a: Flags, b: Flags) -> float:
    """Cohen's kappa of two readings; NaN where neither varies.

    >>> kappa(np.array([True, False, True, False]), np.array([True, False, False, False]))
    0.5
    """
    observed = float(np.mean(a == b))
    p, q = float(np.mean(a)), float(np.mean(b))
    expected = p * q + (1 - p) * (1 - q)
    return float("nan") if expected == 1.0 else (observed - expected) / (1 - expected)


def expected_calibration_error(probability: Array, wanted: Flags, bins: int = 10) -> float:
    """Mean absolute gap between probability and frequency, over bins of equal width weighted by their size."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(probability[index == b].mean() - wanted[index == b].mean()) * np.mean(index == b)
        for b in range(bins)
        if np.any(index == b)
    ]
    return float(sum(gaps))


def leave_one_model_out(
    rows: Sequence[Labelled], settings: Settings | None = None, *, nested: bool = True
) -> LeftOut:
    """Train without each model in turn and read its answers.

    Args:
        rows: Human-labelled answers.
        settings: As for training.
        nested: Also fit temperatures and the ``unsure`` threshold without the left-out model (left-out logits of the
            remaining models; several minutes). Otherwise one calibration serves all, which leaves kappa as it is and
            lets coverage and calibration error see the left-out labels.
    """
    settings = settings or Settings()
    corpus = make_corpus(rows, settings)
    n = len(rows)
    source = np.array([row.source for row in rows])
    wanted = targets(rows)
    head = np.where(source == Source.MSTS, 2, 0)
    probability, decided = np.zeros(n), np.ones(n, dtype=bool)
    outer = left_out_logits(corpus, settings)
    common = calibrate(outer, corpus.rows, settings)
    for name in human_models(corpus):
        held = np.flatnonzero(corpus.models == name)
        temperature, threshold = _calibrated_without(corpus, name, settings) if nested else common
        logit = outer[held, head[held]] / temperature[head[held]]
        probability[held] = sigmoid(logit)
        decided[held] = np.maximum(probability[held], 1 - probability[held]) >= threshold
    return LeftOut(list(rows), probability, wanted[np.arange(n), head] > 0.5, decided)


def _calibrated_without(corpus: Corpus, name: str, settings: Settings) -> tuple[Array, float]:
    rest = corpus.select(corpus.models != name)
    return calibrate(left_out_logits(rest, settings), rest.rows, settings)


def table(result: LeftOut) -> list[Row]:
    """One row per left-out model, the worst of each set first, then the pooled row."""
    out: list[Row] = []
    for source in (Source.XSTEST, Source.MSTS):
        of_set = np.array([row.source is source for row in result.rows])
        if not of_set.any():
            continue
        names = sorted({row.model for row in result.rows if row.source is source})
        rows = [
            _row(result, source, name, np.array([r.model == name for r in result.rows])) for name in names
        ]
        out += sorted(rows, key=lambda row: row.kappa)
        out.append(_row(result, source, "pooled", of_set))
    return out


def _row(result: LeftOut, source: Source, name: str, of: Flags) -> Row:
    said, wanted, decided = result.probability[of] >= 0.5, result.wanted[of], result.decided[of]
    pairs = [row.annotators for row, keep in zip(result.rows, of, strict=True) if keep and row.annotators]
    first, second = (np.array(side, dtype=bool) for side in zip(*pairs, strict=True))
    return Row(
        source=source,
        model=name,
        n=int(of.sum()),
        positive=int(wanted.sum()),
        kappa=kappa(said, wanted),
        kappa_decided=kappa(said[decided], wanted[decided]) if decided.any() else float("nan"),
        coverage=float(decided.mean()),
        annotators=kappa(first, second),
        ece=expected_calibration_error(result.probability[of], wanted),
    )


__all__ = [
    "LeftOut",
    "Row",
    "expected_calibration_error",
    "fit",
    "kappa",
    "leave_one_model_out",
    "score",
    "table",
]
