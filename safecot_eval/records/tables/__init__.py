"""Tables as rows of named cells: CSV, TSV, workbooks, JSON and JSON lines, as people and spreadsheets save them.

One reader for all commands. Nothing is guessed silently: what was decided is noted, what cannot be read is named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from safecot_eval.records.tables.delimited import MAX_CELL, Row, delimited, rows_of_text
from safecot_eval.records.tables.objects import read_content, read_lines, rows_of_content
from safecot_eval.records.tables.workbook import LONGEST_XLSX_CELL, workbook
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable

__all__ = [
    "LONGEST_XLSX_CELL",
    "MAX_CELL",
    "SUFFIXES",
    "Row",
    "check_size",
    "read_content",
    "read_table",
    "rows_of_content",
    "rows_of_text",
]

MAX_TABLE_BYTES = 2 * 2**30
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".json", ".jsonl", ".ndjson")


def read_table(
    path: Path, notes: list[str] | None = None, names: Collection[str] = (), *, pad: bool = False
) -> Iterator[Row]:
    """Yield (row number, cells by column name) of a table; the header is row 1.

    Args:
        path: The file.
        notes: Gets one sentence for each thing that was decided (encoding, other sheets …) by the time the rows are read.
        names: Column names that are known; they tell a separator, and a table by column from one by row.
        pad: Take rows of a delimited file that end early: spreadsheets leave empty cells at their end out.

    Raises:
        SafecotError: the file cannot be read as what its ending says (the row is named).
    """
    check_size(path)
    said = notes if notes is not None else []
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv", ".txt"):
        return delimited(path, said, names, pad=pad)
    if ending in (".xlsx", ".xlsm"):
        return workbook(path, said, names)
    if ending in (".jsonl", ".ndjson"):
        return read_lines(path, names)
    if ending == ".json":
        return rows_of_content(read_content(path), path, names)
    raise SafecotError(
        f"{path}: the ending {ending or '(none)'} is not one of {', '.join(SUFFIXES)} and .eval; rename or convert the file."
    )


def check_size(path: Path) -> None:
    """Refuse a file that is too large to be read whole.

    Raises:
        SafecotError: it is, or it cannot be read.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    if size > MAX_TABLE_BYTES:
        raise SafecotError(f"{path}: larger than 2 GiB; split the table.")
