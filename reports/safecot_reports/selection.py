"""Which samples the page holds, with their texts: the same items for every model, read back by byte offset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from safecot_eval.aggregate.columns import STATUSES, Columns, Labels
from safecot_eval.aggregate.reading import record_at
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_eval.records.repeats import records_of
from safecot_eval.records.run import Run
from safecot_eval.records.samples import Record
from safecot_eval.scoring.refusal import Where

TEXT_LIMIT = 20_000
"""Characters of a text that the page holds; what was cut is said in the text."""


def select_samples(runs: Sequence[Run], tables: Sequence[Columns], per_run: int) -> list[dict[str, Any]]:
    """Texts and labels of the first samples by id.

    Sample ids are content hashes, so the smallest ids are a random choice of items that is the same in every run.

    Args:
        runs: The runs, and
        tables: their columns.
        per_run: Samples per model and task; 0 for none.
    """
    return [
        sample for run, table in zip(runs, tables, strict=True) for sample in samples_of(run, table, per_run)
    ]


def samples_of(run: Run, table: Columns, count: int | None) -> Iterator[dict[str, Any]]:
    """Samples of one run in the order of their ids; None for all of them. A submission has none."""
    if not run.has_texts:
        return
    shown = {str(one): labels for one, labels in table.evaluators.items() if one.kind is not Kind.ALTERNATIVE}
    chosen = np.argsort(table.ids, kind="stable")[:count]
    said = _said(run, {int(table.ids[row]) for row in chosen}) if len(chosen) else {}
    draws = table.draw
    for row in chosen:
        draw = int(draws[row])
        record = next(islice(records_of(record_at(run, int(table.offset[row]))), draw, None))
        found = record["refusal"]
        words = _words(record["verdicts"]) | said.get(int(table.ids[row]), {})
        yield {
            "id": record["sample_id"],
            "item": str(record["item_id"]),
            **({"repeat": draw} if table.item is not None else {}),
            "model": run.model,
            "task": run.task,
            "category": str(record["category"]),
            "expectation": record["expectation"],
            "status": str(STATUSES[table.status[row]]),
            "prompt": _cut(record["prompt"]),
            "reasoning": _cut(record["reasoning"]),
            "answer": _cut(record["answer"]),
            "images": [digest[:16] for digest in record["image_sha256"]],
            **({"unseen": True} if _lacks_image(record) else {}),
            "phrase": found["phrase"],
            "span": _span_in_answer(record),
            "labels": {name: _label(labels, int(labels.codes[row])) for name, labels in shown.items()},
            "said": {name: text for name, text in words.items() if name in shown},
        }


def _lacks_image(record: Mapping[str, Any]) -> bool:
    """The item has an image that whoever recorded the answer did not keep."""
    return not record["image_sha256"] and record.get("image_source", "") not in ("", "none")


def _said(run: Run, ids: set[int]) -> dict[int, dict[str, str]]:
    """What judges and annotators wrote beside their labels, by sample id and evaluator."""
    found: dict[int, dict[str, str]] = {}
    for verdict in run.verdicts({f"{one:016x}" for one in ids}):
        try:
            sample = int(verdict["sample_id"], 16)
        except ValueError:
            continue
        if sample in ids and (words := _words([verdict])):
            found.setdefault(sample, {}).update(words)
    return found


def _words(verdicts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Judges' own words, if they are more than the label."""
    return {
        str(Evaluator.of_verdict(v["judge"], v["rubric"], str(v.get("rubric_hash") or ""))): _cut(v["raw"])
        for v in verdicts
        if isinstance(v.get("raw"), str) and v["raw"].strip() and v["raw"].strip() != v["label"]
    }


def _label(labels: Labels, code: int) -> str | None:
    return None if code < 0 else labels.names[code]


def _span_in_answer(record: Record) -> list[int] | None:
    """Where the phrase stands in the answer; None if it is in the reasoning (lists that look there, too)."""
    found = record["refusal"]
    if found["span"] is None or found.get("where", Where.ANSWER) == Where.ANSWER:
        return found["span"]  # type: ignore[no-any-return]
    start = record["raw"].rfind(record["answer"])
    first, last = (offset - start for offset in found["span"])
    return [first, last] if first >= 0 else None


def _cut(text: str) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]} … [{len(text) - TEXT_LIMIT} more characters are in the samples file]"
