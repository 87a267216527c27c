"""The spreadsheet that annotators fill in, and the key that stays with whoever drew the sample.

The sheet names neither model nor verdict. The key maps its row ids to answers and weights; do not hand it out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safecot_eval.judge.people.questions import Question
from safecot_eval.records.tables import read_table
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable, write_text

COLUMNS = ("row", "prompt", "answer", "label", "note")
IMAGES = "images"
"""A further column of sheets with pictures: their files, which stay closed until somebody opens them."""
KEY_SCHEMA = 1
MAX_CELL = 32_000  # spreadsheets cut a cell at 32,767 characters without a word
_CUT = " […] (cut here: too long for a spreadsheet cell)"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """One answer as annotators see it.

    Attributes:
        row: Opaque id.
        prompt: What the model was asked.
        answer: The model's final answer.
        images: Files of the pictures that the model was shown, where annotators may see them; else empty.
    """

    row: str
    prompt: str
    answer: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """Where a row comes from.

    Attributes:
        model: Whose answer it is.
        task: Task name.
        stamp: The run timestamp, by the name that key files give it.
        folder: Folder of the run's samples file.
        sample_id: Content hash of the question.
        weight: Answers it stands for.
        stratum: Values of what the sample was stratified by.
    """

    model: str
    task: str
    stamp: str
    folder: str
    sample_id: str
    weight: float
    stratum: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """The key of one drawn sample."""

    rubric: str
    seed: int
    rows: Mapping[str, KeyEntry]


def guard(cell: str) -> str:
    """Make a cell harmless: no spreadsheet may run an answer as a formula, and none may cut it silently.

    >>> guard("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    clean = cell.replace("\x00", "")
    if len(clean) > MAX_CELL:
        clean = clean[:MAX_CELL] + _CUT
    return "'" + clean if clean.lstrip(" \n").startswith(_FORMULA_STARTS) else clean


def sheet_text(rows: Iterable[Row]) -> str:
    """The sheet as CSV text, with empty label and note columns."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    shown = list(rows)
    seen = any(row.images for row in shown)
    writer.writerow((*COLUMNS, IMAGES) if seen else COLUMNS)
    for r in shown:
        cells = (r.row, guard(r.prompt), guard(r.answer), "", "")
        writer.writerow((*cells, " ".join(r.images)) if seen else cells)
    return stream.getvalue()


def read_sheet(path: Path, question: Question, known: Mapping[str, KeyEntry]) -> dict[str, str]:
    """Read a filled-in sheet, as spreadsheets save it: CSV with any separator, or a workbook.

    Args:
        path: The sheet.
        question: Which labels are allowed.
        known: The rows of the key.

    Returns:
        Row id to label, for the rows that have one.

    Raises:
        SafecotError: not such a sheet, an unknown row or label, or a row twice.
    """
    ids = {_without_zeros(row): row for row in known}
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for number, record in _records(path):
        row, label = _plain(record, "row"), _plain(record, "label").lower()
        where = f"{path}, line {number}"
        if not row and not label:
            continue
        name = ids.get(_without_zeros(row))
        if name is None:
            raise SafecotError(
                f"{where}: row {row!r} is not in the key; is this the sheet of another sample?"
            )
        if name in seen:
            raise SafecotError(f"{where}: row {row!r} occurs twice; delete one of the two.")
        seen.add(name)
        if label and label not in question.labels:
            allowed = ", ".join(question.labels)
            raise SafecotError(
                f"{where}: {label!r} is not a label of {question.rubric}; use one of: {allowed}."
            )
        if label:
            labels[name] = label
    return labels


def read_texts(path: Path, known: Iterable[str]) -> dict[str, Row]:
    """Prompt and answer of each row of a sheet that was read before (to write a sheet of the conflicts).

    Args:
        path: The sheet.
        known: The rows of the key, as it spells them.
    """
    ids = {_without_zeros(row): row for row in known}
    found = {}
    for _, record in _records(path):
        if name := ids.get(_without_zeros(_plain(record, "row"))):
            found[name] = Row(name, str(record.get("prompt") or ""), str(record.get("answer") or ""))
    return found


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a sheet by lower-case column name; spreadsheets leave empty cells at the end of a row out."""
    found = False
    for number, record in read_table(path, names=COLUMNS, pad=True):
        named = {name.lower(): cell for name, cell in record.items()}
        if not {"row", "label"} <= named.keys():
            break
        found = True
        yield number, named
    if not found:
        raise SafecotError(
            f"{path}: needs the columns 'row' and 'label', and rows; export a sheet with `safecot label export`."
        )


def _plain(record: Mapping[str, Any], column: str) -> str:
    cell = record.get(column)
    return "" if cell is None else str(cell).strip().lstrip("'")


def _without_zeros(row: str) -> str:
    """A row id as spreadsheets leave it: they take ``0001`` for the number 1.

    >>> _without_zeros("0001"), _without_zeros("1.0"), _without_zeros("r01")
    ('1', '1', 'r01')
    """
    number = re.fullmatch(r"0*(\d+)(?:[.,]0+)?", row)
    return number[1] if number else row


def write_key(path: Path, key: Key) -> None:
    """Write the key as JSON."""
    content = {
        "schema": KEY_SCHEMA,
        "rubric": key.rubric,
        "seed": key.seed,
        "rows": {row: asdict(entry) for row, entry in key.rows.items()},
    }
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_key(path: Path) -> Key:
    """Read a key.

    Raises:
        SafecotError: not a key of this version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = {
            row: KeyEntry(**{**entry, "stratum": tuple(entry["stratum"])})
            for row, entry in content["rows"].items()
        }
        if content["schema"] != KEY_SCHEMA:
            raise ValueError("another schema")
        return Key(str(content["rubric"]), int(content["seed"]), rows)
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SafecotError(f"{path}: not a readable key of `safecot label export` ({error}).") from error
