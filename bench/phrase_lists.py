"""The default phrase list and SafeCoT's against people and, on thinking models, against safecot-lite.

    SAFECOT_DATA_DIR=… python bench/phrase_lists.py

Writes two tables between the markers in ``docs/phrase-lists.md``: sensitivity, specificity and κ of both lists side by side
(XSTest and MSTS with human labels; LLaVA-CoT and R1-Onevision, for which nobody has labelled refusals, with safecot-lite as
a stand-in), and what the ways to match the recorded lists find in the recorded SafeCoT answers. About a minute on one core.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safecot_eval.judge import lite
from safecot_eval.judge.meta_evaluation.against_people import compare
from safecot_eval.judge.meta_evaluation.label_sets import SETS
from safecot_eval.records.verdicts import REFUSED_BY_LABEL
from safecot_eval.scoring import reasoning, refusal
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import data_dir

DOCUMENT = Path(__file__).parent.parent / "docs" / "phrase-lists.md"
LISTS = ("gcg25", "safecot25")
RECORDED = ("safecot19", "safecot23", "safecot22")
THINKING = {
    "LLaVA-CoT": (
        "siuo/charlie-levy_MLLM-Safety__llava_cot.jsonl",
        "figstep/charlie-levy_MLLM-Safety__llava_cot.jsonl",
        "vlsbench/charlie-levy_MLLM-Safety__llava-cot.jsonl",
        "holisafe/charlie-levy_MLLM-Safety__llava-cot.jsonl",
        "spa-vl/charlie-levy_MLLM-Safety__llava-cot.jsonl",
    ),
    "R1-Onevision": (
        "siuo/charlie-levy_MLLM-Safety__r1_onevision.jsonl",
        "holisafe/charlie-levy_MLLM-Safety__r1_onevision-part3.jsonl",
    ),
}
"""Below ``recorded_answers/``; the first file of each is SIUO."""
FEW = 5
"""Refusals below which neither sensitivity nor κ says anything."""


@dataclass(frozen=True)
class Group:
    """Answers of one line of the table, and what the reference says of each (refused, or None if it does not say)."""

    title: str
    answers: Sequence[str]
    truth: Sequence[bool | None]


def root() -> Path:
    """The data folder.

    Raises:
        SafecotError: ``SAFECOT_DATA_DIR`` names none.
    """
    found = data_dir()
    if found is None:
        raise SafecotError(
            "Set SAFECOT_DATA_DIR to a folder with xstest/, msts/, recorded_answers/ and safecot_runs/."
        )
    return found


def lines_of(path: Path) -> Iterator[dict[str, str]]:
    """The objects of a JSON-lines file."""
    with path.open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def groups() -> Iterator[Group]:
    """Everything that the first table compares."""
    outcome = REFUSED_BY_LABEL["refusal"]
    for name, title in (("xstest", "XSTest, three LLMs"), ("msts-refusal", "MSTS, six VLMs")):
        rows = SETS[name].rows()
        yield Group(title, [row.answer for row in rows], [outcome.get(row.human) for row in rows])
        for model in dict.fromkeys(row.model for row in rows):
            own = [row for row in rows if row.model == model]
            yield Group(f"– {model}", [row.answer for row in own], [outcome.get(row.human) for row in own])
    judge = lite.load()
    for model, files in THINKING.items():
        for title, chosen in ((f"{model}, SIUO", files[:1]), (f"{model}, {len(files)} sets", files)):
            rows = [row for file in chosen for row in lines_of(root() / "recorded_answers" / file)]
            for part in ("final answer", "whole generation"):
                texts = [
                    reasoning.split(row["answer"]).answer if part == "final answer" else row["answer"]
                    for row in rows
                ]
                kept = [
                    (text, row["question"]) for text, row in zip(texts, rows, strict=True) if text.strip()
                ]
                said = judge.predict([text for text, _ in kept], [question for _, question in kept]).labels
                truth = [outcome.get(lite.RUBRIC_LABEL[label]) for label in said]
                yield Group(f"{title}, {part}", [text for text, _ in kept], truth)


def agreement() -> list[str]:
    """The lines of the first table."""
    head = " | ".join(f"{name}: matched | sens. | spec. | κ" for name in LISTS)
    lines = [f"| answers | n | refused | {head} |", "|---|--:|--:|" + "--:|" * (4 * len(LISTS))]
    for group in groups():
        readings: dict[str, list[bool | None]] = {
            name: [refusal.match(answer, name) is not None for answer in group.answers] for name in LISTS
        }
        rows = {
            row.evaluator: row for row in compare([group.title] * len(group.answers), group.truth, readings)
        }
        known = [truth for truth in group.truth if truth is not None]
        cells = []
        for name in LISTS:
            row, few = rows[name], sum(known) < FEW
            cells.append(
                f"{100 * sum(map(bool, readings[name])) / len(group.answers):.1f} % | "
                f"{'–' if few else f'{row.sensitivity.value:.3f}'} | {row.specificity.value:.3f} | "
                f"{'–' if few else f'{row.kappa.value:.2f}'}"
            )
        share = f"{100 * sum(known) / len(known):.1f} %"
        lines.append(f"| {group.title} | {len(known):,} | {share} | {' | '.join(cells)} |")
    return lines


def matching() -> list[str]:
    """The lines of the second table: how much of a difference the way of matching makes."""
    lists = {name: refusal.load_list(name) for name in (*RECORDED, *LISTS)}
    normalised = {name: replace(lists[name], case_sensitive=False) for name in RECORDED}
    counts: dict[str, Counter[str]] = {name: Counter() for name in lists}
    total = 0
    for path in sorted((root() / "safecot_runs").glob("*.jsonl")):
        for row in lines_of(path):
            total += 1
            answer = reasoning.split(row["answer"]).answer
            for name, phrases in lists.items():
                found = phrases.match_in(answer=answer, generation=row["answer"]) is not None
                counts[name]["matched"] += found
                if name in normalised:
                    counts[name]["differ"] += found != (normalised[name].match(answer) is not None)
    lines = [
        f"| list | matched, of {total:,} | share | would change if normalised, in the final answer |",
        "|---|--:|--:|--:|",
    ]
    for name, phrases in lists.items():
        changed = f"{counts[name]['differ']:,}" if name in normalised else "it is"
        share = 100 * counts[name]["matched"] / total
        lines.append(f"| `{phrases.id}` | {counts[name]['matched']:,} | {share:.1f} % | {changed} |")
    return lines


def main() -> None:
    """Write the tables into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, lines in (("agreement", agreement()), ("matching", matching())):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{rest.split(end)[1]}"
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
