"""Bring recorded labels beside the runs: a table of anyone's, or the labels that came with MSTS and XSTest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.judge.meta_evaluation.label_sets import PRESETS, SETS
from safecot_eval.judge.people.adjudicate import RunName, write_verdicts
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.evaluator import is_people
from safecot_eval.records.run import Run
from safecot_eval.records.tables import read_table
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError

_COLUMNS = ("label", "sample_id", "item_id", "id", "model", "task", "rubric", "judge")


@dataclass(frozen=True, slots=True)
class Imported:
    """One recorded label.

    Attributes:
        judge: Judge id, ``human:<name>`` for people.
        rubric: What was judged.
        label: The label.
        sample_id: Content hash; empty if ``item_id`` names the sample.
        item_id: The benchmark's id.
        model: Display name of the run; empty for any (allowed if there is one run of the task).
        task: Task name; empty for any.
        raw: What the judge said, where that is not the label.
    """

    judge: str
    rubric: str
    label: str
    sample_id: str = ""
    item_id: str = ""
    model: str = ""
    task: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Files written with their number of labels, and labels that fit no run."""

    written: Mapping[Path, int]
    unmatched: int


def read_labels(
    path: Path,
    *,
    judge: str | None = None,
    rubric: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> list[Imported]:
    """Read a table of labels.

    Args:
        path: Any table with the columns ``label``, ``sample_id`` or ``item_id``, and if there are several ``model``,
            ``task``, ``rubric`` and ``judge``.
        judge: For all rows, if there is no such column.
        rubric: Likewise.
        mapping: The table's labels to ours.

    Raises:
        SafecotError: a column is missing, or a label is not one of the rubric's (file and row are named).
    """
    known = {name: {*rubrics.general.labels, *Unscored} for name, rubrics in own().items()}
    found = []
    for line, row in _cells(path):
        where = f"{path}, row {line}"
        who, what = row.get("judge") or judge, row.get("rubric") or rubric
        sample, item = row.get("sample_id") or "", row.get("item_id") or row.get("id") or ""
        if not who or not what:
            raise SafecotError(f"{where}: needs a judge and a rubric, as columns or as --judge and --rubric.")
        if not sample and not item:
            raise SafecotError(f"{where}: needs a sample_id or an item_id.")
        label = (mapping or {}).get(row["label"], row["label"])
        if what in known and label not in known[what]:
            raise SafecotError(
                f"{where}: {label!r} is not a label of {what}; use {', '.join(sorted(known[what]))}, or --map it."
            )
        found.append(Imported(who, what, label, sample, item, row.get("model") or "", row.get("task") or ""))
    return found


def _cells(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table of labels, every cell as text."""
    if not path.is_file():
        raise SafecotError(f"{path}: no such file.")
    for number, row in read_table(path, names=_COLUMNS, pad=True):
        if "label" not in row:
            raise SafecotError(f"{path}: no column 'label' among {', '.join(row)}.")
        yield number, {name: "" if cell is None else str(cell).strip() for name, cell in row.items()}


def preset_labels(name: str) -> list[Imported]:
    """The human and recorded judges' labels that came with a benchmark's recorded answers.

    Raises:
        SafecotError: no such preset, or its data are missing.
    """
    if name not in PRESETS:
        raise SafecotError(f"There is no preset {name!r}; there are {', '.join(PRESETS)}.")
    labels = SETS[name]
    found = []
    for row in labels.rows():
        for judge, label in {labels.human: row.human, **row.recorded}.items():
            found.append(
                Imported(
                    judge, labels.rubric, label, item_id=row.item_id, model=row.model, task=f"safecot_{name}"
                )
            )
    return found


def import_labels(labels: Iterable[Imported], runs: Sequence[Run]) -> ImportResult:
    """Write labels beside the runs they belong to; earlier labels of the same judge are replaced.

    Raises:
        SafecotError: a label without a model fits several runs, or none fits any run.
    """
    places = _places(runs)
    groups: defaultdict[str, defaultdict[RunName, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    unmatched = 0
    for label in labels:
        hits = [
            (run, sample_id)
            for run, sample_id in places.get(label.sample_id or label.item_id, ())
            if label.model in ("", run.model) and label.task in ("", run.task)
        ]
        if not hits:
            unmatched += 1
            continue
        if len(hits) > 1:
            raise SafecotError(
                f"The label of {label.judge} for {label.sample_id or label.item_id} fits {len(hits)} runs; add the columns "
                "'model' and 'task'."
            )
        run, sample_id = hits[0]
        name = RunName(str(run.folder), run.model, run.task, run.timestamp)
        groups[label.judge][name].append(
            {
                "sample_id": sample_id,
                "task": run.task,
                "stamp": run.timestamp,
                "rubric": label.rubric,
                "rubric_hash": "human" if is_people(label.judge) else "recorded",
                "judge": label.judge,
                "label": label.label,
                **({"raw": label.raw} if label.raw else {}),
            }
        )
    if not groups:
        raise SafecotError("None of the labels fits any of the runs; compare their ids, models and tasks.")
    written: dict[Path, int] = {}
    for judge, by_run in groups.items():
        written |= write_verdicts(by_run, judge, None)
    return ImportResult(written, unmatched)


def _places(runs: Sequence[Run]) -> dict[str, list[tuple[Run, str]]]:
    """Sample ids and item ids to the runs that have them."""
    places: defaultdict[str, list[tuple[Run, str]]] = defaultdict(list)
    for run in runs:
        for record in run.samples():
            for name in {record["sample_id"], record["item_id"]}:
                places[name].append((run, record["sample_id"]))
    return places
