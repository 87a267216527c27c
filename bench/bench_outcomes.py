"""How well a plain text model tells MSTS's classes of what an answer does, each model left out in turn.

    SAFECOT_DATA_DIR=… python bench/bench_outcomes.py

Writes ``bench/results/outcomes.md``: about a minute on one core. The model is a logistic regression over word n-grams of prompt
and answer, the first and the last sentences apart; it does not see the picture and does not ship. It says what can be expected of
text alone, and therefore why a class is shown as a rate only where an evaluator was measured on it.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from safecot_eval.aggregate.outcome_classes import COUNTED, LEAST_F1
from safecot_eval.judge.meta_evaluation.label_sets import SETS
from safecot_eval.judge.meta_evaluation.labelled import Labelled
from safecot_eval.judge.meta_evaluation.scorecards import CLASSES, classes

OUTPUT = Path(__file__).parent / "results" / "outcomes.md"
NAMES = CLASSES["outcome"]
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def parts(row: Labelled) -> tuple[str, str, str, str]:
    """Prompt, whole answer, its first two sentences and its last two."""
    sentences = [one for one in _SENTENCE.split(row.answer) if one.strip()]
    return row.prompt, row.answer, " ".join(sentences[:2]), " ".join(sentences[-2:])


def columns_of(rows: list[Labelled]) -> list[list[str]]:
    """The four parts, each for all answers."""
    return [list(column) for column in zip(*map(parts, rows), strict=True)]


def features(train: list[Labelled], test: list[Labelled]) -> tuple[csr_matrix, csr_matrix]:
    """Weighted n-grams of each part, learned from the training answers, and the answer's length."""
    blocks = []
    for texts, others in zip(columns_of(train), columns_of(test), strict=True):
        words = TfidfVectorizer(ngram_range=(1, 3), min_df=3, sublinear_tf=True).fit(texts)
        blocks.append((words.transform(texts), words.transform(others)))
    lengths = [csr_matrix([[np.log1p(len(row.answer)) / 8] for row in rows]) for rows in (train, test)]
    return tuple(hstack([*(block[side] for block in blocks), lengths[side]]).tocsr() for side in (0, 1))


def left_out(rows: list[Labelled]) -> list[str]:
    """The class that is said of each answer by a model that saw no answer of whoever gave it."""
    said = np.full(len(rows), "", dtype=object)
    for model in sorted({row.model for row in rows}):
        test = [n for n, row in enumerate(rows) if row.model == model]
        train = [row for row in rows if row.model != model and row.human in NAMES]
        seen, unseen = features(train, [rows[n] for n in test])
        fitted = LogisticRegression(C=10, class_weight="balanced", max_iter=400).fit(
            seen, [row.human for row in train]
        )
        said[test] = fitted.predict(unseen)
    return said.tolist()


def page(rows: list[Labelled], said: list[str]) -> str:
    """The table of classes, the confusion table, and each model's mean F1, worst first."""
    found = classes([row.human for row in rows], said, NAMES)
    of_models = []
    for model in sorted({row.model for row in rows}):
        own = [n for n, row in enumerate(rows) if row.model == model]
        one = classes([rows[n].human for n in own], [said[n] for n in own], NAMES)
        of_models.append((one["macro_f1"], model, one["classes"]))
    made = datetime.datetime.now(datetime.UTC).date().isoformat()
    passed = [name for name in NAMES if (found["classes"][name]["f1"] or 0) >= LEAST_F1]
    rates = {metric: [name for name in counted if name not in passed] for metric, counted in COUNTED.items()}
    lines = [
        "# What an answer does, by text alone",
        "",
        f"Written by `python bench/bench_outcomes.py`, {made}; do not edit. MSTS: {len(rows):,} answers of six models, each model "
        "left out in turn; a logistic regression over word n-grams that sees no picture and does not ship.",
        "",
        f"Mean F1 {found['macro_f1']:.3f}. Told well enough for a rate ({LEAST_F1} or more): {', '.join(passed)}. By this model "
        + " and ".join(
            f"*{metric}* would {'be shown' if not missed else 'not be shown (' + ', '.join(missed) + ')'}"
            for metric, missed in rates.items()
        )
        + ".",
        "",
        "| class | answers | F1 | precision | recall |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, one in sorted(found["classes"].items(), key=lambda item: item[1]["f1"] or 0):
        lines.append(f"| {name} | {one['n']} | {_(one['f1'])} | {_(one['precision'])} | {_(one['recall'])} |")
    lines += ["", "People's class in rows, the model's in columns:", "", "| | " + " | ".join(NAMES) + " |"]
    lines.append("|---|" + "--:|" * len(NAMES))
    for name, counts in zip(NAMES, found["confusion"], strict=True):
        lines.append(f"| **{name}** | " + " | ".join(str(count) for count in counts[:-1]) + " |")
    lines += [
        "",
        "Models, worst first (mean over the classes that a model has):",
        "",
        "| model | mean F1 | F1 of each class |",
        "|---|--:|---|",
    ]
    for macro, model, of_classes in sorted(of_models):
        each = ", ".join(
            f"{name} {_(one['f1'])} ({one['n']})" for name, one in of_classes.items() if one["n"]
        )
        lines.append(f"| {model} | {macro:.2f} | {each} |")
    return "\n".join(lines) + "\n"


def _(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def main() -> None:
    """Measure and write."""
    rows = SETS["msts-outcome"].rows()
    text = page(rows, left_out(rows))
    OUTPUT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
