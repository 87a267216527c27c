"""From two annotators' labels to one: agreement, conflicts, decisions, and the verdict files beside the runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from safecot_eval.judge.people.sheet import Key
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.run import Run
from safecot_eval.records.verdicts import Unscored
from safecot_eval.stats import (
    Agreement,
    Estimate,
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    percent_agreement,
)
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_text


class RunName(NamedTuple):
    """Which run a label belongs to."""

    folder: str
    model: str
    task: str
    timestamp: str


@dataclass(frozen=True, slots=True)
class Adjudicated:
    """What two sheets (or one) come to.

    Attributes:
        labels: Row to final label.
        conflicts: Rows the annotators labelled differently and nobody decided, with both labels.
        unlabelled: Rows that an annotator left empty and nobody decided.
    """

    labels: Mapping[str, str]
    conflicts: Mapping[str, tuple[str, str]]
    unlabelled: Sequence[str]


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Agreement of two annotators over the rows both gave a label other than ``unsure``."""

    percent: Estimate
    kappa: Agreement
    alpha: Agreement
    ac1: Agreement


def adjudicate(
    rows: Sequence[str], sheets: Sequence[Mapping[str, str]], decisions: Mapping[str, str] | None = None
) -> Adjudicated:
    """Merge one or two sheets; a decision overrides both.

    Args:
        rows: All rows of the sample.
        sheets: Row to label, one mapping per annotator.
        decisions: Row to label, of whoever settles the conflicts.
    """
    labels: dict[str, str] = {}
    conflicts: dict[str, tuple[str, str]] = {}
    unlabelled: list[str] = []
    for row in rows:
        given = [sheet.get(row) for sheet in sheets]
        if decisions and row in decisions:
            labels[row] = decisions[row]
        elif any(label is None for label in given):
            unlabelled.append(row)
        elif len(set(given)) == 1:
            labels[row] = str(given[0])
        else:
            conflicts[row] = (str(given[0]), str(given[1]))
    return Adjudicated(labels, conflicts, unlabelled)


def agreement(rows: Sequence[str], first: Mapping[str, str], second: Mapping[str, str]) -> AgreementReport:
    """Agreement of two annotators; ``unsure`` counts as no label."""
    a, b = ([_decided(sheet.get(row)) for row in rows] for sheet in (first, second))
    return AgreementReport(
        percent_agreement(a, b), cohen_kappa(a, b), krippendorff_alpha([a, b]), gwet_ac1([a, b])
    )


def verdicts(key: Key, labels: Mapping[str, str], judge: str) -> dict[RunName, list[dict[str, Any]]]:
    """Verdict lines for each run of the key.

    Each line has the weight its answer was drawn with, for :func:`safecot_eval.stats.corrected_rate`, and the timestamp
    of its run: a label is about an answer, and another run's answer to the same question is another answer.
    """
    groups: defaultdict[RunName, list[dict[str, Any]]] = defaultdict(list)
    for row, label in labels.items():
        entry = key.rows[row]
        groups[RunName(entry.folder, entry.model, entry.task, entry.stamp)].append(
            {
                "sample_id": entry.sample_id,
                "task": entry.task,
                "stamp": entry.stamp,
                "rubric": key.rubric,
                "rubric_hash": "human",
                "judge": judge,
                "label": label,
                "weight": entry.weight,
            }
        )
    return dict(groups)


def write_verdicts(
    groups: Mapping[RunName, Sequence[Mapping[str, Any]]], judge: str, runs: Sequence[Run] | None
) -> dict[Path, int]:
    """Write verdict files beside the runs; earlier labels of this judge for the same answers are replaced.

    Args:
        groups: From :func:`verdicts`.
        judge: The judge id, ``human:<name>``.
        runs: Where the runs are now; None for the folders that the sample was drawn from.

    Returns:
        File to number of labels written.

    Raises:
        SafecotError: a run is no longer where it was, or not among ``runs``.
    """
    places = None if runs is None else {(run.model, run.task, run.timestamp): run.folder for run in runs}
    by_folder: defaultdict[Path, list[Mapping[str, Any]]] = defaultdict(list)
    for name, lines in groups.items():
        place = Path(name.folder) if places is None else places.get(name[1:])
        if place is None or not place.is_dir():
            raise SafecotError(
                f"The run of {name.model} on {name.task} at {name.timestamp} was not found; say where it is with --output."
            )
        by_folder[place].extend(lines)
    written = {}
    for place, new in by_folder.items():
        path = place / "verdicts" / f"{judge.replace(':', '-')}.jsonl"
        replaced = {_identity(line) for line in new}
        kept: list[Mapping[str, Any]] = []
        if path.is_file():
            kept = [line for _, line in enumerate_jsonl(path) if _identity(line) not in replaced]
        texts = [json.dumps(line, ensure_ascii=False) for line in (*kept, *new)]
        write_text(path, "\n".join(texts) + "\n")
        written[path] = len(new)
    return written


def _identity(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in ("sample_id", "task", "stamp", "rubric"))


def _decided(label: str | None) -> str | None:
    return None if label == Unscored.UNSURE else label
