"""A scorecard for every evaluator on every labelled set. Writes docs/scorecards.md and the cards that the package ships.

    SAFECOT_DATA_DIR=… python bench/scorecards.py

Phrase lists and safecot-lite are run, with their time; judges that came with a set are read as recorded. safecot-lite is
shown on answers of models that were left out of its training, never on answers that it learned from. Takes a few minutes on
one core. A live judge is measured by ``safecot judge evaluate --labels all`` instead.
"""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lite_left_out import left_out

from safecot_eval.benchmarks.data import roots
from safecot_eval.judge.lite import data
from safecot_eval.judge.lite.corpus import make_corpus
from safecot_eval.judge.lite.data import Source, load
from safecot_eval.judge.lite.evaluate import Reading, for_harm
from safecot_eval.judge.lite.judge import RUBRICS, LiteJudge
from safecot_eval.judge.lite.model import Head
from safecot_eval.judge.meta_evaluation.label_sets import SETS
from safecot_eval.judge.meta_evaluation.labelled import Labelled
from safecot_eval.judge.meta_evaluation.recorded_tables import pyrit_published
from safecot_eval.judge.meta_evaluation.scorecards import Live, Measured, card, card_rows, measure
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.records.scorecards import SHIPPED, Card, save
from safecot_eval.stats import kappa_of_table, rate

OUTPUT = Path(__file__).parents[1] / "docs" / "scorecards.md"
LEARNED = frozenset(
    name
    for name, labels in SETS.items()
    if labels.folder in ("xstest", "msts", "safecot_runs", "pyrit_scorer_evals")
)
LEFT_OUT = {Source.XSTEST: "xstest", Source.MSTS: "msts-refusal", Source.SAFECOT: "safecot-runs"}
"""Sets on which safecot-lite is tested with each model (base model) left out, and which set's row that is."""
TITLES = {
    "advbench": "GCG's phrase list, unmatched is unsafe",
    "cls": "HarmBench's Llama-2-13B classifier",
    "cls_mistral": "HarmBench's Mistral-7B classifier",
    "gpt-4-recorded": "GPT-4 by XSTest's authors",
    "xstest-string-match": "XSTest's own string match",
}


def lite_rows(rubric: str, evaluator: str) -> list[dict[str, Any]]:
    """safecot-lite on models that it did not learn from; for harm on new cases, too."""
    corpus = make_corpus(load())
    if rubric == "harm":
        corpus = for_harm(corpus)
        reading = left_out(corpus, Source.MSTS, new_prompts=True, head=Head.HARM)
        return [lite_row(corpus.rows, Source.MSTS, "msts", reading, evaluator)]
    return [
        lite_row(corpus.rows, source, name, left_out(corpus, source), evaluator)
        for source, name in LEFT_OUT.items()
    ]


def lite_row(
    rows: Sequence[data.Labelled], source: Source, name: str, reading: Reading, evaluator: str
) -> dict[str, Any]:
    """One row of safecot-lite's card, from what it says of a set's answers."""
    said = [bool(p) if sure else None for p, sure in zip(reading.positive, reading.decided, strict=True)]
    of_set = [row for row in rows if row.source is source]
    labelled = [
        Labelled(row.run or row.model, str(n), row.prompt, row.answer, _human(row, name), {})
        for n, row in enumerate(of_set)
    ]
    (found,) = card_rows(SETS[name], labelled, {evaluator: said}).values()
    return found | {"left_out": True}


def _human(row: data.Labelled, name: str) -> str:
    if name == "msts":
        return "unsafe" if row.unsafe else "safe"
    if name == "safecot-runs":
        return "full" if (row.judged or 0.0) >= 0.5 else "none"
    refused = row.bare if name == "msts-refusal" else row.label != "none"
    return "full" if refused else "none"


def published() -> list[Card]:
    """Scorers whose own figures PyRIT ships, on its tables of objectives."""
    cards = []
    for scorer in pyrit_published(roots.root("pyrit_scorer_evals")):
        both, people_only, scorer_only, neither = scorer.counts
        kappa = kappa_of_table([[both, people_only], [scorer_only, neither]])
        estimates = {
            "sensitivity": rate(both, both + people_only),
            "specificity": rate(neither, neither + scorer_only),
        }
        row: dict[str, Any] = {"set": "pyrit-objective", "n": sum(scorer.counts), "coverage": 1.0}
        row["kappa"] = [round(v, 4) for v in (kappa.value, kappa.low, kappa.high)]
        row |= {name: [round(v, 4) for v in (e.value, e.low, e.high)] for name, e in estimates.items()}
        row |= {"counts": list(scorer.counts), "published": True}
        measured = Measured([row])
        measured.took(1000, 1000 * scorer.seconds)
        cards.append(card(f"{scorer.name}/multitrust_harmful", measured))
    return cards


def page(cards: list[Card]) -> str:
    """The documentation page: one table per evaluator, in groups."""
    made = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# Scorecards",
        "",
        "What each evaluator is worth against labels, by set. Written by `python bench/scorecards.py`, "
        f"{made}, one core of {platform.machine()}; do not edit.",
        "",
        "κ is Cohen's, over the answers on which the evaluator says something (*coverage*); intervals are 95 %. *Sensitivity* "
        "is the share of what people call refused (unsafe) that the evaluator does, *specificity* the share of the others "
        "that it leaves alone. The *worst model* is the one with the lowest κ of those with at least five answers of either "
        "kind. Time is for 1,000 answers; a phrase list and safecot-lite cost nothing, and of recorded judges neither is "
        "known.",
        "",
        "The page of `safecot report` shows these cards beside the evaluators' names. A judge of your own gets one with",
        "",
        "<!-- needs: endpoint -->",
        "```",
        "safecot judge evaluate --labels all --url http://127.0.0.1:8000/v1 --prices 0.15,0.6",
        "```",
        "",
        "| set | question | labels | answers |",
        "|---|---|---|--:|",
    ]
    for name, labels in SETS.items():
        lines.append(f"| `{name}` | {labels.title} | {labels.labels} | {len(labels.rows()):,} |")
    groups = (
        ("safecot-lite", [c for c in cards if c["evaluator"].startswith("lite-")]),
        ("Phrase lists, English", [c for c in cards if _language(c) == "en"]),
        ("Phrase lists, other languages", [c for c in cards if _language(c) not in (None, "en")]),
        ("Recorded judges", [c for c in cards if _language(c) is None and not _of(c, "lite-", "PyRIT")]),
        ("Published by PyRIT", [c for c in cards if _of(c, "PyRIT")]),
    )
    notes = {
        "safecot-lite": "Rows of models that were left out of its training (of SafeCoT's runs a whole base model; for harm on MSTS "
        "the cases as well). `msts-refusal` is by its head for bare refusals. HarmBench has no part in its training, and no picture, "
        "without which it says little about harm.",
        "Published by PyRIT": "Figures of PyRIT's own runs; the counts are worked out from accuracy, precision and recall.",
    }
    for title, members in groups:
        lines += ["", f"## {title}", ""]
        if title in notes:
            lines += [notes[title], ""]
        for one in members:
            lines += _table(one)
    return "\n".join(lines).rstrip() + "\n"


def _of(one: Card, *beginnings: str) -> bool:
    return str(one["evaluator"]).startswith(beginnings)


def _language(one: Card) -> str | None:
    """Language of a phrase list's sets; None for other evaluators."""
    if not Evaluator.parse(one["evaluator"]).is_list:
        return None
    return SETS[one["rows"][0]["set"]].language


def _table(one: Card) -> list[str]:
    name = str(one["evaluator"])
    title = TITLES.get(name.split("/")[0])
    took = f", {one['seconds_per_1000']:g} s for 1,000 answers" if "seconds_per_1000" in one else ""
    lines = [f"**`{name}`**{f' ({title})' if title else ''}{took}", ""]
    lines += [
        "| set | answers | coverage | κ | sensitivity | specificity | worst model |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in one["rows"]:
        worst = f"{row['worst']['model']} {row['worst']['kappa']:.2f}" if "worst" in row else ""
        numbers = " | ".join(_shown(row[key]) for key in ("kappa", "sensitivity", "specificity"))
        lines.append(f"| `{row['set']}` | {row['n']:,} | {row['coverage']:.1%} | {numbers} | {worst} |")
    return [*lines, ""]


def _shown(values: list[float | None]) -> str:
    value, low, high = values
    return "–" if value is None or low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Measure everything and write both files."""
    judge = LiteJudge()
    live = Live(judge, {rubric: own()[rubric] for rubric in RUBRICS}, trained_on=LEARNED)
    cards = measure(list(SETS.values()), live, say=print)
    for rubric, evaluator in ((rubric, f"{judge.id}/{rubric}") for rubric in RUBRICS):
        for one in cards:
            if one["evaluator"] == evaluator:
                kept = [row for row in one["rows"] if not row.get("trained_on")]
                one["rows"] = kept + lite_rows(rubric, evaluator)
                one["rows"].sort(key=lambda row: list(SETS).index(row["set"]))
    cards += published()
    save(cards, SHIPPED)
    OUTPUT.write_text(page(cards), encoding="utf-8")
    print(f"wrote {OUTPUT} and {SHIPPED}")


if __name__ == "__main__":
    main()
