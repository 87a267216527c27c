"""safecot-lite against other ways to read answers, on models that were left out. Writes ``bench/results/lite.md``.

    SAFECOT_DATA_DIR=… python bench/bench_lite.py [WORD IN A SECTION'S TITLE …]

Every way is trained without the answers of the model that it is tested on (XSTest: three, MSTS: six, SafeCoT's recorded
runs: four base models, each with all its checkpoints), and lite again also without the tested questions. Only lite is tuned
(penalty and temperature, nested); the others' settings were fixed beforehand. Then lite, trained on everything, meets models
and sets that have no part in it: MOSSBench's recorded answers and HarmBench's human-labelled generations. Takes about forty
minutes on one core; the transformer needs torch, which lite itself does not.

``--disagreements FILE`` writes twenty disagreements of every run of SafeCoT that misses its aim, to be read by eye. They are
third-party texts: keep the file to yourself.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import functools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from lite_left_out import left_out
from lite_other_sets import data_root, harm_elsewhere, harmbench, mossbench, published_labels
from lite_ways import ON_RUNS, OTHERS, PARTS, SETS, compare, compare_on_runs, read_transformer
from numpy.typing import NDArray

from safecot_eval.cli.lite import markdown
from safecot_eval.judge import lite
from safecot_eval.judge.lite.corpus import Corpus, make_corpus
from safecot_eval.judge.lite.data import Source, load
from safecot_eval.judge.lite.evaluate import (
    Reading,
    Row,
    for_harm,
    kappa,
    run_table,
    table,
    three_classes,
)
from safecot_eval.judge.lite.model import Head

OUTPUT = Path(__file__).parent / "results" / "lite.md"
AIM_KAPPA, AIM_POINTS = 0.85, 5.0
SHOWN = 20


def left_out_table(corpus: Corpus, sources: Sequence[Source], *, new_prompts: bool = False) -> list[str]:
    """Lite's own table for some sets."""
    rows: list[Row] = []
    for source in sources:
        rows += table(corpus, source, left_out(corpus, source, new_prompts=new_prompts))
    return markdown(rows).splitlines()


def runs(corpus: Corpus, disagreements: Path | None) -> list[str]:
    """SafeCoT's recorded runs against their judge, worst first."""
    reading = left_out(corpus, Source.SAFECOT)
    rows = run_table(corpus, reading)
    lines = [
        "| run | answers | refused, LLaMA-3 | refused, lite | coverage | κ | aim |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    missed = []
    for row in rows:
        aim = ""
        if "__" in row.name:
            points = 100 * abs(row.judge - row.lite)
            kept = row.kappa >= AIM_KAPPA if row.middle else points <= AIM_POINTS
            aim = (
                ""
                if kept
                else f"missed: κ under {AIM_KAPPA}"
                if row.middle
                else f"missed: {points:.1f} points apart"
            )
            missed += [] if kept else [row.name]
        shown = f"**{row.name}**" if "__" not in row.name else row.name
        lines.append(
            f"| {shown} | {row.n:,} | {100 * row.judge:.1f} % | {100 * row.lite:.1f} % | {100 * row.coverage:.1f} % "
            f"| {row.kappa:.3f} | {aim} |"
        )
    if disagreements is not None:
        write_disagreements(corpus, reading, missed, disagreements)
    return lines


def write_disagreements(corpus: Corpus, reading: Reading, names: Sequence[str], path: Path) -> None:
    """Twenty disagreements of each run, evenly spread over it."""
    recorded = [row for row in corpus.rows if row.source is Source.SAFECOT]
    parts = []
    for name in names:
        apart = [
            index
            for index, row in enumerate(recorded)
            if row.run == name and bool(reading.positive[index]) != ((row.judged or 0.0) >= 0.5)
        ]
        step = max(1, len(apart) / SHOWN)
        chosen = [apart[int(k * step)] for k in range(min(SHOWN, len(apart)))]
        parts.append(f"# {name}: {len(apart)} disagreements")
        for index in chosen:
            row = recorded[index]
            parts.append(
                f"## judge {row.judged:.2f}, lite {reading.probability[index]:.2f}\nQ: {row.prompt}\nA: {row.answer}"
            )
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def harm_left_out(corpus: Corpus) -> list[str]:
    """Safe or unsafe on MSTS, by a model and to cases that lite has not seen, in any language."""
    chosen = for_harm(corpus)
    reading = left_out(chosen, Source.MSTS, new_prompts=True, head=Head.HARM)
    rows = table(chosen, Source.MSTS, reading, Head.HARM)
    people = {name: harm_of_people(name) for name in chosen.models_of(Source.MSTS)}
    lines = [
        "| left-out model | answers | unsafe | κ with people | κ of two people | calibration error |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    pooled = np.concatenate(list(people.values()), axis=1)
    for row in rows:
        pair = pooled if row.model == "pooled" else people[row.model]
        name = f"**{row.model}**" if row.model == "pooled" else row.model.rpartition("--")[2]
        lines.append(
            f"| {name} | {row.n:,} | {row.positive} | {row.kappa:.3f} | {kappa(*pair):.3f} | {row.ece:.3f} |"
        )
    return lines


def harm_of_people(model: str) -> NDArray[np.bool_]:
    """Both annotators' own safe or unsafe on one model's answers, shape (2, n)."""
    path = data_root() / "msts" / "responses_english_multimodal.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == model]
    return np.array([[row[f"annot{k}_label"][:1] == "2" for row in rows] for k in (1, 2)])


def ceiling(corpus: Corpus) -> list[str]:
    """The most that any reader of the answer alone can reach on each MSTS model: equal texts get the commoner label."""
    lines = ["| model | κ at most | same text, other label |", "|---|--:|--:|"]
    for name in corpus.models_of(Source.MSTS):
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
    parser = argparse.ArgumentParser(description="Measure safecot-lite.")
    parser.add_argument(
        "words", nargs="*", help="Sections whose title contains one of these words; all by default."
    )
    parser.add_argument("--disagreements", type=Path, help="File for disagreements on SafeCoT's runs.")
    given = parser.parse_args()
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
            part(left_out_table, corpus, SETS),
        ),
        (
            "SafeCoT's recorded runs, each base model left out",
            "The question is Meta-Llama-3-8B-Instruct's: refused or not. Aims: pooled κ 0.95; fine-tuned runs with 20 to 80 % "
            "refusals κ 0.85; the rates of all others within 5 points. Worst first.",
            part(runs, corpus, given.disagreements),
        ),
        (
            "Harm on MSTS, model and cases left out",
            "Safe or unsafe, with the picture's description. The threshold is chosen on other models (nested). Worst first.",
            part(harm_left_out, corpus),
        ),
        (
            "Harm elsewhere: HarmBench",
            "The majority of three people; no answer of this set is in training, and no picture is told.",
            part(harm_elsewhere, root),
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
            "Ways to read SafeCoT's runs",
            "Each base model left out; against the recorded judge.",
            part(compare_on_runs, corpus, ON_RUNS),
        ),
        (
            "A transformer from scratch",
            "Two layers of width 96 over words, trained on the same answers as lite.",
            part(compare, for_harm(corpus), [("transformer", read_transformer)]),
        ),
        (
            "What lite's parts contribute",
            "The penalty is the one that tuning chooses most often; nothing is calibrated.",
            part(compare, corpus, PARTS),
        ),
        (
            "Lite, with new questions as well",
            "The tested questions are kept out of training, too, whoever answered them.",
            part(left_out_table, corpus, (Source.XSTEST,), new_prompts=True),
        ),
        ("XSTest's three classes", "Each model left out, no answer unsure.", part(classes, corpus)),
    )
    done = written()
    for title, text, make in sections:
        if not given.words or any(word.lower() in title.lower() for word in given.words):
            done[title] = section(title, text, make)
            known = [done[name] for name, _, _ in sections if name in done]
            OUTPUT.write_text("\n".join([head, *known]), encoding="utf-8")


if __name__ == "__main__":
    main()
