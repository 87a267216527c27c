"""What can be learned of the recorded judge and of XSTest's people, and what cannot. Writes ``bench/results/lite_ceiling.md``.

    SAFECOT_DATA_DIR=… python bench/lite_ceiling.py [WORD IN A SECTION'S TITLE …]

Three fine-tuned runs of SafeCoT stay under κ 0.85 and XSTest under 0.92. Is the judge at odds with itself? Do other runs lack
what would be needed? Would another model of the same words do better? Takes about three minutes on one core.
"""

from __future__ import annotations

import functools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_lite import section
from lite_ceiling_people import on_people
from lite_other_sets import data_root
from numpy.typing import NDArray
from scipy import sparse

from safecot_eval.judge.lite.data import Labelled, load_runs
from safecot_eval.judge.lite.evaluate import BASE, kappa

OUTPUT = Path(__file__).parent / "results" / "lite_ceiling.md"
MISSED = ("SmolVLM__v2__ood", "llama_11b__v2__siuo", "llava1.5_7b__v2_qwen__ood")
OTHER_JUDGE = ("qwen_7b_vl__v1_useful__ood", "qwen_7b_vl__v1_new_data_1-1__ood", "qwen_7b_vl__v2__ood")
"""Runs whose probabilities are not those that the same (or, for the last, the same kind of) answers have elsewhere."""
CLIPPED = 6.0
FOLDS = 5
ALIKE = 0.6
LEAST_ANSWERS = 5
LEAST_RUNS = 3
"""Of two runs that differ nobody knows which is the odd one."""
_NO_QUESTION = re.compile(r"\bquestion is not provided", re.IGNORECASE)
_WORD = r"[\w']+|[.,!]"
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")

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


def cut(answer: str) -> list[str]:
    """Its sentences, as they were written."""
    return [piece for piece in _SENTENCE.split(answer.strip()) if piece]


def logit(probability: float) -> float:
    """Log odds, for probabilities down to one in a million."""
    return float(np.log((probability + 1e-6) / (1 - probability + 1e-6)))


def judges(rows: Sequence[Labelled]) -> list[str]:
    """Runs whose answers have other probabilities than the very same answers have in other runs."""
    same: dict[str, list[Labelled]] = defaultdict(list)
    for row in rows:
        same[row.answer].append(row)
    apart: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for group in same.values():
        by_run: dict[str, list[float]] = defaultdict(list)
        for row in group:
            by_run[row.run].append(logit(row.judged or 0.0))
        if len(by_run) < LEAST_RUNS:
            continue
        usual = float(np.median([np.median(own) for own in by_run.values()]))
        for run, own in by_run.items():
            apart[run] += [(abs(value - usual), (value >= 0) != (usual >= 0)) for value in own]
    lines = [
        "| run | answers that two other runs have, too | mean distance of the logits | other label |",
        "|---|--:|--:|--:|",
    ]
    mean = {run: float(np.mean([distance for distance, _ in pairs])) for run, pairs in apart.items()}
    shown = [
        run for run in sorted(mean, key=lambda run: -mean[run]) if mean[run] > 0.5 and len(apart[run]) > 9
    ]
    for run in shown:
        lines.append(
            f"| {run} | {len(apart[run])} | {mean[run]:.2f} | {sum(other for _, other in apart[run])} |"
        )
    rest = [pair for run, pairs in apart.items() if run not in shown for pair in pairs]
    lines.append(
        f"| the {len(apart) - len(shown)} others that share answers | {len(rest):,} | "
        f"{np.mean([distance for distance, _ in rest]):.2f} | {sum(other for _, other in rest)} |"
    )
    return lines


def judges_by_closing(rows: Sequence[Labelled]) -> list[str]:
    """The same by last sentences, for v2 runs, which share few whole answers."""
    of_kind = [row for row in rows if "__v2" in row.run]
    common = _common_closings(of_kind)
    logits: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in of_kind:
        if (said := cut(row.answer)) and said[-1] in common:
            logits[row.run, said[-1]].append(logit(row.judged or 0.0))
    median = {key: float(np.median(values)) for key, values in logits.items() if len(values) >= LEAST_ANSWERS}
    apart: dict[str, list[float]] = {}
    for run in sorted({run for run, _ in median}):
        apart[run] = [
            abs(
                value
                - float(
                    np.median(
                        [
                            other
                            for (elsewhere, same), other in median.items()
                            if same == text and elsewhere != run
                        ]
                    )
                )
            )
            for (own, text), value in median.items()
            if own == run and sum(same == text for _, same in median) >= LEAST_RUNS
        ]
    lines = [
        "| v2 run | last sentences | mean distance of their median logits from other runs' |",
        "|---|--:|--:|",
    ]
    for run in sorted(apart, key=lambda run: -np.mean(apart[run])):
        lines.append(f"| {run} | {len(apart[run])} | {np.mean(apart[run]):.1f} |")
    return lines


def closings(rows: Sequence[Labelled]) -> list[str]:
    """How often answers that are nearly alike have opposite labels."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    of_kind = [row for row in rows if "__v2" in row.run and row.run not in OTHER_JUDGE]
    common = _common_closings(of_kind)
    chosen = [row for row in of_kind if (said := cut(row.answer)) and said[-1] in common]
    last = np.array([cut(row.answer)[-1] for row in chosen])
    refused = np.array([(row.judged or 0.0) >= 0.5 for row in chosen])
    words = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(
        [" ".join(cut(row.answer)[:-1]) for row in chosen]
    )
    similar = np.triu((words @ words.T).toarray(), 1)
    similar[last[:, None] != last[None, :]] = 0.0
    lines = [
        "| cosine of what stands before | pairs | opposite labels | if drawn at random |",
        "|---|--:|--:|--:|",
    ]
    for low, high in ((0.3, 0.4), (0.4, ALIKE), (ALIKE, 1.1)):
        first, second = np.nonzero((similar >= low) & (similar < high))
        share = np.array([refused[last == last[index]].mean() for index in first])
        lines.append(
            f"| {low} to {min(high, 1.0)} | {len(first):,} | {100 * np.mean(refused[first] != refused[second]):.1f} % | "
            f"{100 * np.mean(2 * share * (1 - share)):.1f} % |"
        )
    return lines


def _common_closings(rows: Sequence[Labelled]) -> set[str]:
    """Last sentences of forty answers or more that are mostly called refused."""
    probability: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if said := cut(row.answer):
            probability[said[-1]].append(row.judged or 0.0)
    return {text for text, of in probability.items() if len(of) >= 40 and np.mean(of) > 0.5}


def by_closing(rows: Sequence[Labelled]) -> list[str]:
    """What the missed runs' errors are made of: the same last sentence, called refused or not by what stands before it."""
    common = _common_closings([row for row in rows if "__v2" in row.run])
    lines = [
        "| run | answers | refused | κ 0.85 allows | end in one of the common refusals | of them not refused, says the judge "
        "| say that no question was given, too | of them not refused |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for run in MISSED:
        of_run = [row for row in rows if row.run == run]
        refused = [(row.judged or 0.0) >= 0.5 for row in of_run]
        ends = [bool(said := cut(row.answer)) and said[-1] in common for row in of_run]
        blind = [end and bool(_NO_QUESTION.search(row.answer)) for end, row in zip(ends, of_run, strict=True)]
        counts = [
            f"{sum(of)} | {sum(one and not yes for one, yes in zip(of, refused, strict=True))}"
            for of in (ends, blind)
        ]
        most = allowed(len(of_run), sum(refused))
        lines.append(f"| {run} | {len(of_run)} | {sum(refused)} | {most} errors | {' | '.join(counts)} |")
    return lines


def allowed(n: int, positive: int, least: float = 0.85) -> int:
    """The most errors, all of them answers called refused, that leave κ at ``least``."""
    truth = np.arange(n) < positive
    errors = 0
    while errors < n - positive and kappa(np.arange(n) < positive + errors + 1, truth) >= least:
        errors += 1
    return errors


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


def main() -> None:
    """Run the sections whose title contains one of the arguments (all without any); the others stay as they are."""
    given = sys.argv[1:]
    rows = load_runs(data_root())
    part = functools.partial
    sections: tuple[tuple[str, str, Callable[[], list[str]]], ...] = (
        (
            "One judge or several",
            "The judge reads nothing but the answer, and the same answer has nearly the same probability in all runs but a few: those "
            "must have been judged by another wording or model. (Runs with ten shared answers or more; what is near is bf16's rounding.)",
            part(judges, rows),
        ),
        (
            "One judge or several, by last sentence",
            "Common last refusals of v2 checkpoints, with five answers or more in three runs.",
            part(judges_by_closing, rows),
        ),
        (
            "Answers that are nearly alike",
            "Pairs of v2 answers with the same last sentence, one of the common refusals. The judge is not at odds with itself.",
            part(closings, rows),
        ),
        (
            "What the three runs' errors are",
            "A reader that calls all of these refused makes so many errors by them alone.",
            part(by_closing, rows),
        ),
        (
            "Readers of the same words",
            "κ with the recorded judge by readers that learn its logits on answers of v2 checkpoints and base models; in brackets with "
            "the threshold chosen on the tested run itself, an upper bound.",
            part(readers, rows),
        ),
        (
            "XSTest, other ways to fit the same features",
            "Each model left out, fixed settings (nothing calibrated). κ 0.92 is 53 errors of 1,350; the sampling error of such a count is 7.",
            on_people,
        ),
    )
    done = written()
    for title, text, make in sections:
        if not given or any(word.lower() in title.lower() for word in given):
            done[title] = section(title, text, make)
            known = [done[name] for name, _, _ in sections if name in done]
            head = "# What lite can and cannot learn\n\nWritten by `python bench/lite_ceiling.py`; do not edit.\n"
            OUTPUT.write_text("\n".join([head, *known]), encoding="utf-8")


def written() -> dict[str, str]:
    """Sections of the results file as it is, by title."""
    if not OUTPUT.exists():
        return {}
    parts = OUTPUT.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


if __name__ == "__main__":
    main()
