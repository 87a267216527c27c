"""Readers of the same words as lite, and how near they come to the recorded judge: for :mod:`lite_ceiling`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lite_ceiling_encoder import states
from lite_ceiling_judge import MISSED, OTHER_JUDGE, common_closings, cut, logit
from numpy.typing import NDArray
from scipy import sparse

from safecot_eval.judge.lite.data import Labelled
from safecot_eval.judge.lite.evaluate import BASE, kappa

CLIPPED = 6.0
FOLDS = 5
_WORD = r"[\w']+|[.,!]"

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Fit = Callable[["Answers", Flags, Flags], Array]
"""``fit(answers, train, test)``: logits of the test rows."""


@dataclass(frozen=True)
class Answers:
    """Recorded answers of v2 checkpoints and base models, n of them, as a reader of words sees them.

    Attributes:
        rows: The answers.
        runs, bases: Shape (n,): where each is from.
        logits: Shape (n,): the judge's, of refusal, held within six.
        sparse: Shape (n, words): TF-IDF of the body, the last sentence and the one before, and length.
        dense: Shape (n, 64 + 8): its 64 strongest directions, and length.
    """

    rows: list[Labelled]
    runs: NDArray[np.str_]
    bases: NDArray[np.str_]
    logits: Array
    sparse: sparse.csr_matrix
    dense: Array

    @property
    def refused(self) -> Flags:
        """What the judge calls refused, shape (n,)."""
        return self.logits >= 0


def answers_of(rows: Sequence[Labelled]) -> Answers:
    """Recorded answers as words. The vocabulary is all runs', which can only help."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    chosen = [row for row in rows if "__v2" in row.run or f"__{BASE}__" in row.run]
    said = [cut(row.answer) or [""] for row in chosen]
    body = TfidfVectorizer(ngram_range=(1, 2), min_df=5, sublinear_tf=True)
    last = TfidfVectorizer(ngram_range=(1, 3), min_df=3, token_pattern=_WORD)
    before = TfidfVectorizer(ngram_range=(1, 2), min_df=3)
    counted = np.array([_built(row.answer, pieces) for row, pieces in zip(chosen, said, strict=True)])
    counted = (counted - counted.mean(axis=0)) / counted.std(axis=0)
    words = sparse.hstack(
        [
            2 * body.fit_transform([" ".join(pieces[:-1]) for pieces in said]),
            2 * last.fit_transform([f"^ {pieces[-1]} $" for pieces in said]),
            before.fit_transform([pieces[-2] if len(pieces) > 1 else "" for pieces in said]),
            sparse.csr_matrix(0.3 * counted),
        ]
    ).tocsr()
    directions = TruncatedSVD(64, random_state=0).fit_transform(words)
    return Answers(
        chosen,
        np.array([row.run for row in chosen]),
        np.array([row.model for row in chosen]),
        np.clip([logit(row.judged or 0.0) for row in chosen], -CLIPPED, CLIPPED),
        words,
        np.hstack([directions, counted]),
    )


def _built(answer: str, pieces: Sequence[str]) -> list[float]:
    words = len(answer.split())
    return [
        np.log1p(words),
        words / 100,
        np.log1p(len(pieces)),
        answer.count("\n\n"),
        answer.count("\n"),
        answer.count("**") / 4,
        float("however" in answer.lower()),
        len(pieces[-1].split()) / 10,
    ]


def ridge(answers: Answers, train: Flags, test: Flags) -> Array:
    """Linear, from the judge's logits: ten times as much is told by them as by refused or not."""
    from sklearn.linear_model import Ridge

    learner = Ridge(alpha=4.0, solver="lsqr").fit(answers.sparse[train], answers.logits[train])
    return np.asarray(learner.predict(answers.sparse[test]))


def trees(answers: Answers, train: Flags, test: Flags) -> Array:
    """Boosted trees on 64 directions of the words, and length."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    learner = HistGradientBoostingRegressor(
        learning_rate=0.08, max_iter=200, max_leaf_nodes=15, l2_regularization=5.0, random_state=0
    )
    return np.asarray(learner.fit(answers.dense[train], answers.logits[train]).predict(answers.dense[test]))


def left_out(answers: Answers, fit: Fit, share: float = 1.0, without: Sequence[str] = ()) -> Array:
    """Logits where each base model is left out; trained on a share of the rest, and without some runs."""
    drawn = (np.random.default_rng(0).random(len(answers.rows)) < share) & ~np.isin(answers.runs, without)
    result = np.zeros(len(answers.rows))
    for base in np.unique(answers.bases):
        test = answers.bases == base
        result[test] = fit(answers, ~test & drawn, test)
    return result


def seen(answers: Answers, fit: Fit, without: Sequence[str] = ()) -> Array:
    """Logits by four fifths of everything, the tested run included: no left-out figure, but what it could be at best."""
    part = np.random.default_rng(0).integers(0, FOLDS, len(answers.rows))
    result = np.zeros(len(answers.rows))
    for fold in range(FOLDS):
        result[part == fold] = fit(answers, (part != fold) & ~np.isin(answers.runs, without), part == fold)
    return result


def cells(answers: Answers, logits: Array) -> str:
    """κ on each missed run, and in brackets with the threshold that is best on that very run."""
    parts = []
    for run in MISSED:
        of = answers.runs == run
        truth = answers.refused[of]
        thresholds = [0.0, *np.quantile(logits[of], np.arange(5, 96) / 100)]
        best = max(kappa(logits[of] >= threshold, truth) for threshold in thresholds)
        parts.append(f"{kappa(logits[of] >= 0, truth):.3f} ({best:.3f})")
    return " | ".join(parts)


def readers(rows: Sequence[Labelled]) -> list[str]:
    """Readers of the same words: by base models left out, and with the tested run in training."""
    answers = answers_of(rows)
    lines = [f"| | {' | '.join(MISSED)} |", f"|---|{'--:|' * len(MISSED)}"]
    ways: tuple[tuple[str, Callable[[], Array]], ...] = (
        ("base left out, a quarter of the training answers, linear", lambda: left_out(answers, ridge, 0.25)),
        ("base left out, half of them, linear", lambda: left_out(answers, ridge, 0.5)),
        ("base left out, linear", lambda: left_out(answers, ridge)),
        (
            "base left out, linear, without the other judge's runs",
            lambda: left_out(answers, ridge, 1.0, OTHER_JUDGE),
        ),
        ("base left out, boosted trees", lambda: left_out(answers, trees)),
        ("**four fifths of the same run seen**, linear", lambda: seen(answers, ridge)),
        ("the same, without the other judge's runs", lambda: seen(answers, ridge, OTHER_JUDGE)),
        ("four fifths of the same run seen, boosted trees", lambda: seen(answers, trees)),
    )
    for name, read in ways:
        lines.append(f"| {name} | {cells(answers, read())} |")
        print(lines[-1], flush=True)
    return lines


def encoded(rows: Sequence[Labelled], folder: Path) -> list[str]:
    """The answers that end in a common refusal read by a pretrained encoder's states, the others as by words."""
    answers = answers_of(rows)
    common = common_closings([row for row in answers.rows if "__v2" in row.run])
    said = [cut(row.answer) or [""] for row in answers.rows]
    asked = np.array(
        ["__v2" in row.run and one[-1] in common for row, one in zip(answers.rows, said, strict=True)]
    )
    chosen = np.flatnonzero(asked)
    last = [said[index][-1] for index in chosen]
    before = [answers.rows[index].answer.rstrip()[: -len(said[index][-1])] for index in chosen]
    found = states(before, last, folder)
    closing = np.array([[text == one for one in sorted(common)] for text in last], dtype=float)
    features = np.zeros((len(answers.rows), closing.shape[1] + found.shape[1]))
    features[chosen] = np.hstack([2 * closing, 3 * found / np.sqrt(found.shape[1])])

    def fit(answers: Answers, train: Flags, test: Flags) -> Array:
        from sklearn.linear_model import Ridge

        result = ridge(answers, train, test)
        learner = Ridge(alpha=30.0).fit(features[train & asked], answers.logits[train & asked])
        result[asked[test]] = learner.predict(features[test & asked])
        return result

    lines = [f"| | {' | '.join(MISSED)} |", f"|---|{'--:|' * len(MISSED)}"]
    for name, logits in (
        ("base left out", left_out(answers, fit, 1.0, OTHER_JUDGE)),
        ("four fifths of the same run seen", seen(answers, fit, OTHER_JUDGE)),
    ):
        lines.append(f"| {name} | {cells(answers, logits)} |")
    return lines
