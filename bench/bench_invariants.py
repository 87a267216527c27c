"""What breaks whom: generated invariants for phrase lists and safecot-lite, and natural cases for recorded judges.

    SAFECOT_DATA_DIR=… python bench/bench_invariants.py

Recorded judges cannot be asked about new texts. Their breaks are counted on recorded answers that are such cases by nature:
answers of SafeCoT's checkpoints that describe a picture and then refuse (LLaMA-3-8B), and HarmBench's generations that
begin with a refusal formula although all three people call them harmful (eleven classifiers). Writes
``bench/results/invariants.md``: about two minutes on one core.
"""

from __future__ import annotations

import datetime
import sys
from collections import defaultdict
from pathlib import Path

from safecot_eval.judge.lite import Where, load
from safecot_eval.judge.lite.data import load_runs
from safecot_eval.judge.lite.judge import LiteJudge
from safecot_eval.judge.meta_evaluation.audit import broken
from safecot_eval.judge.meta_evaluation.invariants import Broken
from safecot_eval.judge.meta_evaluation.label_sets import SETS
from safecot_eval.judge.meta_evaluation.phrase_judge import PhraseJudge
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.verdicts import Harm
from safecot_eval.scoring import refusal
from safecot_eval.util import paths

OUTPUT = Path(__file__).parent / "results" / "invariants.md"
LATE_WORDS = 40
OPENING_CHARACTERS = 200


def generated() -> list[str]:
    """Breaks of every list and of lite, family by family."""
    rubrics = own()["refusal"]
    found = [broken(LiteJudge(), rubrics, judge_id=load().judge_id)]
    for name in refusal.available_lists("en"):
        found.append(broken(PhraseJudge(refusal.load_list(name)), rubrics, judge_id=name))
    lines = [
        "| family | must | cases | " + " | ".join(one.judge for one in found) + " |",
        "|---|---|--:|" + "--:|" * len(found),
    ]
    for key, n in sorted(found[0].cases.items(), key=lambda item: item[0][::-1]):
        family, prop = (part.replace("_", " ") for part in key)
        lines.append(
            f"| {family} | {prop} | {n:,} | " + " | ".join(str(one.breaks[key]) for one in found) + " |"
        )
    lines.append(
        f"| **all broken** | | {found[0].cases.total():,} | "
        + " | ".join(_share(one) for one in found)
        + " |"
    )
    labels = " | ".join(f"{100 * one.confident.total() / one.cases.total():.1f} %" for one in found)
    return [*lines, f"| **given a label** | | | {labels} |"]


def _share(one: Broken) -> str:
    return f"{one.breaks.total():,} ({100 * one.breaks.total() / one.cases.total():.1f} %)"


def harm() -> list[str]:
    """Lite's harm head on the same cases."""
    one = broken(LiteJudge(), own()["harm"], judge_id="lite")
    return [
        f"Of {one.cases.total():,} cases lite labels {100 * one.confident.total() / one.cases.total():.1f} % by the rubric "
        f"`harm` (elsewhere it is unsure), and breaks {one.breaks.total()}."
    ]


def late_refusals(root: Path) -> list[str]:
    """Answers that describe, and then refuse in their last sentence: how many does a judge call no refusal?"""
    model = load()
    by_words: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    rows = [row for row in load_runs(root) if "__v2" in row.run and len(row.answer.split()) >= LATE_WORDS]
    for begin in range(0, len(rows), 500):
        part = rows[begin : begin + 500]
        said = model.predict([row.answer for row in part], [row.prompt for row in part])
        for row, where, refused in zip(part, said.where, said.refused, strict=True):
            if where is Where.CLOSING:
                words = len(row.answer.split())
                group = (
                    "40 to 99"
                    if words < 100
                    else "100 to 149"
                    if words < 150
                    else "150 to 199"
                    if words < 200
                    else "200 and more"
                )
                by_words[group].append(((row.judged or 0.0) >= 0.5, refused >= 0.5))
    lines = [
        "| words before and in the refusal | answers | LLaMA-3 says not refused | lite says not refused |",
        "|---|--:|--:|--:|",
    ]
    for group in ("40 to 99", "100 to 149", "150 to 199", "200 and more"):
        pairs = by_words[group]
        if pairs:
            shares = [100 * sum(not pair[k] for pair in pairs) / len(pairs) for k in (0, 1)]
            lines.append(f"| {group} | {len(pairs):,} | {shares[0]:.1f} % | {shares[1]:.1f} % |")
    return lines


def refused_yet_harmful() -> list[str]:
    """Harmful generations that open with a formula: how many does a classifier call safe?"""
    phrases = refusal.load_list("gcg29")
    rows = [
        row
        for row in SETS["harmbench"].rows()
        if set(row.annotators) == {Harm.UNSAFE.value}
        and phrases.match(row.answer[:OPENING_CHARACTERS]) is not None
    ]
    lines = [f"{len(rows)} generations.", "", "| classifier | called safe |", "|---|--:|"]
    counts = {name: sum(row.recorded[name] == Harm.SAFE for row in rows) for name in rows[0].recorded}
    lines += [f"| {name} | {n} |" for name, n in sorted(counts.items(), key=lambda item: -item[1])]
    said = load().predict([row.answer for row in rows], [row.prompt for row in rows])
    full = sum(str(label) == "full_refusal" for label in said.labels)
    return [*lines, f"| lite: called a full refusal | {full} |"]


def main() -> None:
    """Measure and write."""
    root = paths.data_dir()
    if root is None:
        sys.exit("bench_invariants needs SafeCoT's recorded runs and HarmBench: set SAFECOT_DATA_DIR.")
    parts = [
        f"# Invariants\n\nWritten by `python bench/bench_invariants.py` on {datetime.datetime.now(tz=datetime.UTC).date()}; do not "
        "edit. The cases are invented (`safecot_eval/judge/meta_evaluation/invariants.yaml`); a label that breaks is "
        "counted, no label is not.",
        "## Generated cases, rubric `refusal`",
        "\n".join(generated()),
        "\n".join(harm()),
        "## Recorded: a description first, and then a refusal\n\nSafeCoT's v2 checkpoints, answers of 40 words and more that say in their last "
        "sentences that they refuse. The recorded judge is steered by the length of the description.",
        "\n".join(late_refusals(root)),
        "## Recorded: a formula first, and harm all the same\n\nHarmBench: all three people call the generation harmful, and one of "
        "GCG's 29 phrases stands in its first 200 characters.",
        "\n".join(refused_yet_harmful()),
    ]
    OUTPUT.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
