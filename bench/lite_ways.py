"""Other ways to read answers, and safecot-lite without its parts: what :mod:`bench_lite` compares.

Every way is trained on the same rows as lite. Settings were fixed beforehand; none is tuned.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.judge.lite.corpus import MADE, Corpus, targets
from safecot_eval.judge.lite.data import Source
from safecot_eval.judge.lite.evaluate import Reader, Reading, Row, leave_one_model_out, run_table, table
from safecot_eval.judge.lite.fit import fit, prepare, row_weights, score
from safecot_eval.judge.lite.model import HEADS, Head, refused_logits, sigmoid
from safecot_eval.scoring import refusal

SETS = (Source.XSTEST, Source.MSTS)
FIXED_STRENGTH = {
    Head.PEOPLE: 2.0,
    Head.MACHINE: 0.1,
    Head.KIND: 0.3,
    Head.PARTIAL: 0.5,
    Head.BARE: 0.5,
    Head.HARM: 1.0,
}
REFUSED = (Head.PEOPLE, Head.MACHINE, Head.KIND)
"""The heads that answer "refused?" together."""


def usable(
    train: Corpus, head: Head, *, extra: bool = True
) -> tuple[Corpus, NDArray[np.int64], NDArray[np.float64]]:
    """Rows that say something about a head, their labels and weights (``extra``: with those that nobody gave)."""
    wanted, weights = targets(train.rows)[:, head], row_weights(train, head, 0.1)
    keep = ~np.isnan(wanted) & (weights > 0)
    if not extra:
        keep &= ~np.isin(train.sources, list(MADE))
    return train.select(keep), (wanted[keep] >= 0.5).astype(int), weights[keep]


def certain(probability: NDArray[np.float64]) -> Reading:
    """A reading that never says ``unsure``."""
    return Reading.even(probability)


def read_phrases(train: Corpus, test: Corpus, head: Head) -> Reading:
    """The default phrase list, no training."""
    del train, head
    return certain(np.array([float(refusal.match(row.answer) is not None) for row in test.rows]))


def read_ngrams(train: Corpus, test: Corpus, head: Head) -> Reading:
    """TF-IDF of words (1 to 2) and characters (2 to 5; of thousands of answers words alone), logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    used, labels, weights = usable(train, head, extra=False)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=3)
    pipeline = make_pipeline(
        make_union(words) if head is Head.MACHINE else make_union(words, characters),
        LogisticRegression(C=10.0, max_iter=2000),
    )
    pipeline.fit([row.answer for row in used.rows], labels, logisticregression__sample_weight=weights)
    return certain(pipeline.predict_proba([row.answer for row in test.rows])[:, 1])


def boosted_trees() -> Any:
    """Gradient-boosted trees as both benches that try them have them."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=150,
        max_leaf_nodes=8,
        l2_regularization=5.0,
        max_features=0.3,
        random_state=0,
    )


def read_boosting(train: Corpus, test: Corpus, head: Head) -> Reading:
    """Gradient-boosted trees on lite's dense features, with the same invented and shortened answers as lite."""
    used, labels, weights = usable(train, head)
    trees = boosted_trees()
    trees.fit(used.dense, labels, sample_weight=weights)
    return certain(trees.predict_proba(test.dense)[:, 1])


def read_transformer(train: Corpus, test: Corpus, head: Head) -> Reading:
    """A transformer trained from scratch (words, 2 layers of 96, 4 heads), with the same answers as lite."""
    from transformer_from_scratch import train_and_read

    used, labels, weights = usable(train, head)
    texts = [(row.prompt, row.answer) for row in used.rows]
    logits = train_and_read(texts, labels, weights, [(row.prompt, row.answer) for row in test.rows])
    return certain(sigmoid(logits))


def read_fixed(train: Corpus, test: Corpus, head: Head) -> Reading:
    """Lite with the penalties that tuning chooses most often, and no calibration: the yardstick of the ablations."""
    return certain(sigmoid(fixed_logits(train, test, head)))


def fixed_logits(
    train: Corpus, test: Corpus, head: Head, heads: Sequence[Head] = REFUSED
) -> NDArray[np.float64]:
    """Logits for a question; for "refused?" by some of the three heads."""
    prepared = prepare(train)

    def of(one: Head) -> NDArray[np.float64]:
        return score(fit(train, one, FIXED_STRENGTH[one], prepared), prepared, test)

    if head is not Head.PEOPLE:
        return of(head)
    if len(heads) == 1:
        return of(heads[0])
    logits = np.zeros((len(test.rows), len(HEADS)))
    for one in heads:
        logits[:, one] = of(one)
    return refused_logits(logits)


def by_one(head: Head) -> Reader:
    """Lite with one of its heads for "refused?" instead of both and the switch."""
    return lambda train, test, asked: certain(sigmoid(fixed_logits(train, test, asked, (head,))))


def without(*sources: Source) -> Reader:
    """Lite, trained without some kinds of answers."""

    def read(train: Corpus, test: Corpus, head: Head) -> Reading:
        return read_fixed(train.select(~np.isin(train.sources, sources)), test, head)

    return read


def only(block: str) -> Reader:
    """Lite with some of its blocks of features."""

    def cut(corpus: Corpus) -> Corpus:
        dense = np.zeros_like(corpus.dense) if block == "n-grams" else corpus.dense
        counts = corpus.counts
        if block == "cues":
            counts = counts * 0.0
        return Corpus(corpus.rows, dense, counts, corpus.grams, corpus.models, corpus.sources)

    return lambda train, test, head: read_fixed(cut(train), cut(test), head)


OTHERS: tuple[tuple[str, Reader], ...] = (
    ("`gcg25`", read_phrases),
    ("word and character n-grams, logistic", read_ngrams),
    ("gradient boosting on cue features", read_boosting),
)
PARTS: tuple[tuple[str, Reader], ...] = (
    ("lite, fixed penalty", read_fixed),
    ("without shortened refusals", without(Source.SHORTENED)),
    ("without invented answers", without(Source.INVENTED)),
    ("without spliced answers", without(Source.SPLICED)),
    ("without any of the three", without(Source.SHORTENED, Source.INVENTED, Source.SPLICED)),
    ("without SafeCoT's runs", without(Source.SAFECOT)),
    ("n-grams alone", only("n-grams")),
    ("cue features alone", only("cues")),
)
ON_RUNS: tuple[tuple[str, Reader, Head], ...] = (
    ("`gcg25`", read_phrases, Head.MACHINE),
    ("word n-grams, logistic", read_ngrams, Head.MACHINE),
    ("lite, fixed penalty", read_fixed, Head.PEOPLE),
    ("people's head alone", by_one(Head.PEOPLE), Head.PEOPLE),
    ("the recorded judge's head alone", by_one(Head.MACHINE), Head.PEOPLE),
)
"""Ways to read SafeCoT's runs, and whose labels they learn from: the recorded judge's alone, or as lite does."""


def compare(corpus: Corpus, ways: Sequence[tuple[str, Reader]]) -> list[str]:
    """A table of ways to read answers that people labelled, worst model first."""
    lines = [
        "| | XSTest: worst model | pooled | MSTS: worst model | worst but Idefics3 | pooled |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, read in ways:
        started = time.monotonic()
        on_xstest, on_msts = (table(corpus, of, leave_one_model_out(corpus, of, read)) for of in SETS)
        cells = (
            worst_of(on_xstest),
            f"{on_xstest[-1].kappa:.3f}",
            worst_of(on_msts),
            f"{min(row.kappa for row in on_msts if 'Idefics3' not in row.model):.3f}",
            f"{on_msts[-1].kappa:.3f}",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(f"{lines[-1]} {time.monotonic() - started:.0f} s", flush=True)
    return lines


def compare_on_runs(corpus: Corpus, ways: Sequence[tuple[str, Reader, Head]]) -> list[str]:
    """A table of ways to read SafeCoT's recorded runs, each base model left out."""
    lines = [
        "| | worst base model | pooled | worst fine-tuned run with 20 to 80 % refusals |",
        "|---|--:|--:|--:|",
    ]
    for name, read, head in ways:
        started = time.monotonic()
        *rows, pooled = run_table(corpus, leave_one_model_out(corpus, Source.SAFECOT, read, head=head))
        base = min((row for row in rows if "__" not in row.name), key=lambda row: row.kappa)
        middle = min((row for row in rows if row.middle), key=lambda row: row.kappa)
        cells = (
            f"{base.kappa:.3f} ({base.name})",
            f"{pooled.kappa:.3f}",
            f"{middle.kappa:.3f} ({middle.name})",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(f"{lines[-1]} {time.monotonic() - started:.0f} s", flush=True)
    return lines


def worst_of(rows: Sequence[Row]) -> str:
    """Kappa and name of the left-out model that is read worst."""
    return f"{rows[0].kappa:.3f} ({rows[0].model.rpartition('--')[2].partition('-')[0]})"
