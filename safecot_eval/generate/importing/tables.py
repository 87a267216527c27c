"""Tables as rows of named cells: CSV, TSV, XLSX, JSON and JSON lines. Nothing is guessed; what cannot be read is named."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from safecot_eval.generate.importing.archives import open_archive
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.errors import SafecotError

Row = tuple[int, dict[str, Any]]
MAX_TABLE_BYTES = 2 * 2**30
MAX_CELL = 64 * 2**20
MOST_COLUMNS = 1000
"""Of a workbook's header that are looked at."""
LONGEST_XLSX_CELL = 32_767
"""Characters that a cell of a workbook can hold; Excel's own limit. An answer of this length was cut."""

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_table(path: Path) -> Iterator[Row]:
    """Yield (row number, cells by column name) of a table; the header is row 1.

    Raises:
        SafecotError: the file cannot be read as what its ending says (the row is named).
    """
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise SafecotError(f"{path}: larger than 2 GiB; split the table.")
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        return _delimited(path, "\t" if ending == ".tsv" else None)
    if ending == ".xlsx":
        return _workbook(path)
    if ending == ".jsonl":
        return enumerate_jsonl(path)
    if ending == ".json":
        return _json(path)
    raise SafecotError(
        f"{path}: the ending {ending or '(none)'} is not one of .csv, .tsv, .xlsx, .json, .jsonl and .eval; rename or "
        "convert the file."
    )


def _delimited(path: Path, delimiter: str | None) -> Iterator[Row]:
    csv.field_size_limit(MAX_CELL)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            first = stream.readline()
            if delimiter is None:
                delimiter = ";" if first.count(";") > first.count(",") else ","
            stream.seek(0)
            rows = csv.reader(stream, delimiter=delimiter, strict=True)
            yield from _named(((rows.line_num, cells) for cells in rows), path)
        except UnicodeDecodeError as error:
            raise SafecotError(
                f"{path}: not UTF-8 text ({error.reason}); save the table as UTF-8."
            ) from error
        except csv.Error as error:
            raise SafecotError(f"{path}, line {rows.line_num}: not a table ({error}).") from error


def _named(rows: Iterable[tuple[int, list[Any]]], path: Path) -> Iterator[Row]:
    names: list[str] | None = None
    for number, cells in rows:
        if not any(cell not in (None, "") for cell in cells):
            continue
        if names is None:
            names = [str(cell or "").strip() for cell in cells]
            doubled = sorted({name for name in names if name and names.count(name) > 1})
            if doubled:
                raise SafecotError(f"{path}: the column {doubled[0]!r} occurs twice; rename one of them.")
            continue
        if len(cells) > len(names) and any(cell not in (None, "") for cell in cells[len(names) :]):
            raise SafecotError(
                f"{path}, line {number}: {len(cells)} cells under {len(names)} column names; quote cells that hold the "
                "separator."
            )
        if len(cells) < len(names):
            raise SafecotError(
                f"{path}, line {number}: {len(cells)} cells under {len(names)} column names; the row is cut."
            )
        yield number, {name: cell for name, cell in zip(names, cells, strict=False) if name}
    if names is None:
        raise SafecotError(f"{path}: the table is empty; its first row names the columns.")


def _workbook(path: Path) -> Iterator[Row]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise SafecotError(
            f"{path}: reading workbooks needs the package openpyxl; install it, or save the sheet as CSV."
        ) from error
    with open_archive(path):
        pass  # sizes are checked before anything is unpacked
    try:
        # Formulas are wanted as they are: an answer that begins with "=" was stored as one.
        book = load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=False)
        sheet = book.worksheets[0]
        # A stray cell far out makes every row as wide as a sheet can be; what has no name is not read.
        rows = sheet.iter_rows(max_col=_named_width(sheet), values_only=True)
        yield from _named(
            ((n, [_text(cell) for cell in cells]) for n, cells in enumerate(rows, start=1)), path
        )
        book.close()
    except SafecotError:
        raise
    except Exception as error:
        raise SafecotError(
            f"{path}: not a workbook that can be read ({type(error).__name__}); save the sheet as CSV."
        ) from error


def _named_width(sheet: Any) -> int:
    """Columns up to the last that the first row with any content names."""
    for cells in sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True):
        if filled := [n for n, cell in enumerate(cells, start=1) if cell not in (None, "")]:
            return filled[-1]
    return 1


def _text(cell: Any) -> Any:
    """Workbooks write control characters as ``_x000D_``."""
    if isinstance(cell, str):
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), cell)
    return cell


def _json(path: Path) -> Iterator[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError, OSError) as error:
        raise SafecotError(f"{path}: not JSON ({' '.join(str(error).split())}).") from error
    if isinstance(content, dict) and content and all(isinstance(column, dict) for column in content.values()):
        content = _by_row(content)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise SafecotError(f"{path}: expected a list of objects, one per answer.")
    yield from enumerate(content, start=1)


def _by_row(columns: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A table that pandas wrote column by column."""
    keys = list(next(iter(columns.values())))
    return [{name: column.get(key) for name, column in columns.items()} for key in keys]
