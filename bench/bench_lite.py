"""safecot-lite against other ways to read answers, on models that were left out. Writes ``bench/results/lite.md``.

    SAFECOT_DATA_DIR=… python bench/bench_lite.py [WORD IN A SECTION'S TITLE …]

Every way is trained without the answers of the model that it is tested on (XSTest: three, MSTS: six), and lite again
also without the tested questions (XSTest). Only lite is tuned (penalty and temperature, nested);
the others' settings were fixed beforehand. Then lite, trained on everything, meets models and sets that have no part in it:
MOSSBench's recorded answers and HarmBench's human-labelled generations. Takes about twenty minutes on one core; the
transformer needs torch, which lite itself does not.
"""

from __future__ import annotations

import csv
import datetime
import functools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safecot_eval.cli.lite import markdown
from safecot_eval.judge import lite
from safecot_eval.judge.lite.corpus import Corpus, make_corpus, targets
from safecot_eval.judge.lite.data import Source, load
from safecot_eval.judge.lite.evaluate import (
    Reader,
    Reading,
    Row,
    kappa,
    leave_one_model_out,
    table,
    three_classes,
)
from safecot_eval.judge.lite.fit import fit, prepare, row_weights, score
from safecot_eval.judge.lite.model import sigmoid
from safecot_eval.scoring import refusal
from safecot_eval.util import paths

OUTPUT = Path(__file__).parent / "results" / "lite.md"
SETS = (Source.XSTEST, Source.MSTS)
FIXED_STRENGTH = (2.0, 2.0, 0.5)
MOSSBENCH_PUBLISHED = {
    "Claude_3_Haiku": 49.33,
    "Claude_3_Opus_web_": 70.67,
    "Claude_3_Sonnet": 55.0,
    "GPT_4o": 6.33,
    "GPT_4o_web_": 4.0,
    "Gemini_Advanced_web_": 61.0,
}
"""Refusal rates by GPT-4 in percent (Li et al. 2024, MOSSBench, arXiv 2406.17806)."""


def usable(
    train: Corpus, head: int, *, extra: bool = True
) -> tuple[Corpus, NDArray[np.int64], NDArray[np.float64]]:
    """Rows that say something about a head, their labels and weights (``extra``: with invented and shortened ones)."""
    wanted, weights = targets(train.rows)[:, head], row_weights(train, head, 0.1)
    keep = ~np.isnan(wanted) & (weights > 0)
    if not extra:
        keep &= ~np.isin(train.sources, [Source.INVENTED, Source.SHORTENED])
    return train.select(keep), wanted[keep].astype(int), weights[keep]


def certain(probability: NDArray[np.float64]) -> Reading:
    """A reading that never says ``unsure``."""
    return Reading(probability, np.ones(len(probability), dtype=bool))


def read_phrases(train: Corpus, test: Corpus, head: int) -> Reading:
    """The 25 phrases, no training."""
    del train, head
    return certain(np.array([float(refusal.match(row.answer) is not None) for row in test.rows]))


def read_ngrams(train: Corpus, test: Corpus, head: int) -> Reading:
    """TF-IDF of words (1 to 2) and characters (2 to 5), logistic regression, human-labelled answers only."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    used, labels, weights = usable(train, head, extra=False)
    pipeline = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=3),
        ),
        LogisticRegression(C=10.0, max_iter=2000),
    )
    pipeline.fit([row.answer for row in used.rows], labels, logisticregression__sample_weight=weights)
    return certain(pipeline.predict_proba([row.answer for row in test.rows])[:, 1])


def read_boosting(train: Corpus, test: Corpus, head: int) -> Reading:
    """Gradient-boosted trees on lite's dense features, with the same invented and shortened answers as lite."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    used, labels, weights = usable(train, head)
    trees = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=150,
        max_leaf_nodes=8,
        l2_regularization=5.0,
        max_features=0.3,
        random_state=0,
    )
    trees.fit(used.dense, labels, sample_weight=weights)
    return certain(trees.predict_proba(test.dense)[:, 1])


def read_transformer(train: Corpus, test: Corpus, head: int) -> Reading:
    """A transformer trained from scratch (words, 2 layers of 96, 4 heads), with the same answers as lite."""
    from transformer_from_scratch import train_and_read

    used, labels, weights = usable(train, head)
    texts = [(row.prompt, row.answer) for row in used.rows]
    logits = train_and_read(texts, labels, weights, [(row.prompt, row.answer) for row in test.rows])
    return certain(sigmoid(logits))


def read_fixed(train: Corpus, test: Corpus, head: int) -> Reading:
    """Lite with the penalty that tuning chooses most often, and no calibration: the yardstick of the ablations."""
    prepared = prepare(train)
    fitted = fit(train, head, FIXED_STRENGTH[head], prepared)
    return certain(sigmoid(score(fitted, prepared, test)))


def without(*sources: Source) -> Reader:
    """Lite, trained without some kinds of answers."""

    def read(train: Corpus, test: Corpus, head: int) -> Reading:
        return read_fixed(train.select(~np.isin(train.sources, sources)), test, head)

    return read


def only(block: str) -> Reader:
    """Lite with one of its two blocks of features."""

    def cut(corpus: Corpus) -> Corpus:
        dense = corpus.dense if block == "cues" else np.zeros_like(corpus.dense)
        counts = corpus.counts if block == "n-grams" else corpus.counts * 0.0
        return Corpus(corpus.rows, dense, counts, corpus.grams, corpus.models, corpus.sources)

    return lambda train, test, head: read_fixed(cut(train), cut(test), head)


OTHERS: tuple[tuple[str, Reader], ...] = (
    ("25 phrases", read_phrases),
    ("word and character n-grams, logistic", read_ngrams),
    ("gradient boosting on cue features", read_boosting),
)
PARTS: tuple[tuple[str, Reader], ...] = (
    ("lite, fixed penalty", read_fixed),
    ("without shortened refusals", without(Source.SHORTENED)),
    ("without invented answers", without(Source.INVENTED)),
    ("without either", without(Source.SHORTENED, Source.INVENTED)),
    ("n-grams alone", only("n-grams")),
    ("cue features alone", only("cues")),
)


def left_out(corpus: Corpus, sources: Sequence[Source], *, new_prompts: bool = False) -> list[str]:
    """Lite's own table for some sets."""
    rows: list[Row] = []
    for source in sources:
        rows += table(corpus, source, leave_one_model_out(corpus, source, new_prompts=new_prompts))
    return markdown(rows).splitlines()


def compare(corpus: Corpus, ways: Sequence[tuple[str, Reader]]) -> list[str]:
    """A table of ways to read answers, worst model first."""
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


def published_labels() -> list[str]:
    """What XSTest's authors published for the same answers."""
    lines = ["| | worst model | pooled |", "|---|--:|--:|"]
    for name, suffix, column in (
        ("GPT-4, published", "gpt4labels", "gpt4_label"),
        ("string match, published", "stringmatchlabels", "strmatch_label"),
    ):
        each, pooled = published(suffix, column)
        worst = min(each, key=lambda model: each[model])
        lines.append(f"| {name} | {each[worst]:.3f} ({worst}) | {pooled:.3f} |")
    return lines


def worst_of(rows: Sequence[Row]) -> str:
    """Kappa and name of the left-out model that is read worst."""
    return f"{rows[0].kappa:.3f} ({rows[0].model.rpartition('--')[2].partition('-')[0]})"


def published(suffix: str, column: str) -> tuple[dict[str, float], float]:
    """Kappa with people of the labels that XSTest's authors published, for each model and pooled."""
    readings: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
    for path in sorted((data_root() / "xstest").glob(f"completions_*_{suffix}.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        rows = [row for row in rows if row[column][:1] in "123"]  # GPT-4 itself refused to label a few
        said = np.array([row[column][:1] != "1" for row in rows])
        truth = np.array([row["final_label"][:1] != "1" for row in rows])
        readings[path.stem.split("_")[1]] = (said, truth)
    every = [np.concatenate(side) for side in zip(*readings.values(), strict=True)]
    return {name: kappa(*pair) for name, pair in readings.items()}, kappa(every[0], every[1])


def ceiling(corpus: Corpus) -> list[str]:
    """The most that any reader of the answer alone can reach on each MSTS model: equal texts get the commoner label."""
    lines = ["| model | κ at most | same text, other label |", "|---|--:|--:|"]
    for name in corpus.human_models(Source.MSTS):
        rows = [row for row in corpus.rows if row.model == name and row.source is Source.MSTS]
        votes: dict[str, Counter[bool]] = {}
        for row in rows:
            votes.setdefault(row.answer.strip(), Counter())[bool(row.bare)] += 1
        said = np.array([votes[row.answer.strip()].most_common(1)[0][0] for row in rows])
        truth = np.array([bool(row.bare) for row in rows])
        lines.append(
            f"| {name.rpartition('--')[2]} | {kappa(said, truth):.3f} | {int((said != truth).sum())} |"
        )
    return lines


def mossbench(root: Path) -> list[str]:
    """Refusal rates of seven closed VLMs on benign questions: phrases, lite, and what GPT-4 said when published."""
    model = lite.load()
    questions = json.loads((root / "mossbench" / "information.json").read_text(encoding="utf-8"))
    items = questions if isinstance(questions, dict) else {str(item["pid"]): item for item in questions}
    lines = [
        "| model | answers | GPT-4, published | lite | lite, unsure | 25 phrases |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    errors: dict[str, list[float]] = {"lite": [], "phrases": []}
    for path in sorted((root / "mossbench" / "model_responses").glob("*.json")):
        answers = {pid: str(text) for pid, text in json.loads(path.read_text(encoding="utf-8")).items()}
        answers = {pid: text for pid, text in answers.items() if text.strip()}
        said = model.predict(
            list(answers.values()), [items.get(pid, {}).get("question", "") for pid in answers]
        )
        by_lite = 100 * float(np.mean(said.refused >= 0.5))
        by_phrases = 100 * float(np.mean([refusal.match(text) is not None for text in answers.values()]))
        known = MOSSBENCH_PUBLISHED.get(path.stem)
        if known is not None:
            errors["lite"].append(abs(by_lite - known))
            errors["phrases"].append(abs(by_phrases - known))
        lines.append(
            f"| {path.stem.replace('_', ' ').strip()} | {len(answers)} | {known if known is not None else '–'} "
            f"| {by_lite:.1f} | {100 * np.mean(said.abstained):.1f} | {by_phrases:.1f} |"
        )
    lines.append(
        f"| mean distance from GPT-4's | | | {np.mean(errors['lite']):.1f} | | {np.mean(errors['phrases']):.1f} |"
    )
    return lines


def harmbench(root: Path) -> list[str]:
    """Generations that three people called harmful are no refusals: how many does each reader call one?"""
    path = root / "harmbench" / "classifier_val_sets" / "text_behaviors_val_set.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    items = [item for generations in content.values() for item in generations]
    votes = np.array([sum(int(item[f"human_{k}"]) for k in range(3)) for item in items])
    texts = [item["generation"] for item in items]
    said = lite.load().predict(texts, [item["test_case"] for item in items])
    by_phrases = np.array([refusal.match(text) is not None for text in texts])
    lines = [
        "| people who call it harmful | generations | lite: refused | lite: unsure | 25 phrases |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, of in (
        ("all three", votes == 3),
        ("one or two", (votes > 0) & (votes < 3)),
        ("none", votes == 0),
    ):
        lines.append(
            f"| {name} | {of.sum()} | {100 * np.mean(said.refused[of] >= 0.5):.1f} % "
            f"| {100 * np.mean(said.abstained[of]):.1f} % | {100 * np.mean(by_phrases[of]):.1f} % |"
        )
    return lines


def data_root() -> Path:
    """The data folder; ends the script if there is none."""
    root = paths.data_dir()
    if root is None:
        sys.exit("bench_lite needs XSTest, MSTS, MOSSBench and HarmBench: set SAFECOT_DATA_DIR.")
    return root


def section(title: str, text: str, make: Callable[[], list[str]]) -> str:
    """A heading, a sentence and a table; timed on the terminal."""
    started = time.monotonic()
    lines = make()
    print(f"{title}: {time.monotonic() - started:.0f} s", flush=True)
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return "\n".join([f"## {title}", "", f"{text} ({today})", "", *lines, ""])


def written() -> dict[str, str]:
    """Sections of the results file as it is, by title."""
    if not OUTPUT.exists():
        return {}
    parts = OUTPUT.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def classes(corpus: Corpus) -> list[str]:
    """How the three classes fare."""
    said, truth = three_classes(corpus)
    partial = truth == "partial"
    return [
        "| κ | accuracy | partial refusals called partial | other answers called partial |",
        "|--:|--:|--:|--:|",
        f"| {kappa(said, truth):.3f} | {np.mean(said == truth):.3f} | {int((said[partial] == 'partial').sum())} of "
        f"{int(partial.sum())} | {int((said[~partial] == 'partial').sum())} of {int((~partial).sum())} |",
    ]


def main() -> None:
    """Run the sections whose title contains one of the arguments (all without any); the others stay as they are."""
    root = data_root()
    corpus = make_corpus(load(root))
    head = (
        "# safecot-lite\n\nWritten by `python bench/bench_lite.py`; do not edit. κ is Cohen's, with people. XSTest's "
        f"question: refused, in full or in part. MSTS's: refusal only. Shipped file: {lite.load().judge_id}.\n"
    )
    part = functools.partial
    sections: tuple[tuple[str, str, Callable[[], list[str]]], ...] = (
        (
            "Lite, each model left out",
            "Penalty, temperature and the unsure threshold are chosen without the left-out model (nested).",
            part(left_out, corpus, SETS),
        ),
        (
            "The most that the answer's text allows on MSTS",
            "Equal answers to different questions sometimes have different labels; a reader of answers cannot know.",
            part(ceiling, corpus),
        ),
        (
            "Models and questions of another set: MOSSBench",
            "Percent refused. No answer of these models, and nothing of this set, is in training. GPT-4's published rates "
            "are a judge's, not people's.",
            part(mossbench, root),
        ),
        (
            "Attacked models: HarmBench",
            "602 generations with three people's votes on harm (not on refusal).",
            part(harmbench, root),
        ),
        (
            "Published labels of the same XSTest answers",
            "Over the three models of these files.",
            published_labels,
        ),
        (
            "Other ways",
            "Trained and tested alike, worst left-out model first. Settings were fixed beforehand.",
            part(compare, corpus, OTHERS),
        ),
        (
            "A transformer from scratch",
            "Two layers of width 96 over words, trained on the same answers as lite.",
            part(compare, corpus, [("transformer", read_transformer)]),
        ),
        (
            "What lite's parts contribute",
            "The penalty is the one that tuning chooses most often; nothing is calibrated.",
            part(compare, corpus, PARTS),
        ),
        (
            "Lite, with new questions as well",
            "The tested questions are kept out of training, too, whoever answered them.",
            part(left_out, corpus, (Source.XSTEST,), new_prompts=True),
        ),
        ("XSTest's three classes", "Each model left out, no answer unsure.", part(classes, corpus)),
    )
    done = written()
    for title, text, make in sections:
        if len(sys.argv) == 1 or any(word.lower() in title.lower() for word in sys.argv[1:]):
            done[title] = section(title, text, make)
            known = [done[name] for name, _, _ in sections if name in done]
            OUTPUT.write_text("\n".join([head, *known]), encoding="utf-8")


if __name__ == "__main__":
    main()
