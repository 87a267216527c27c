"""Workbooks (``.xlsx``): the sheet with the answers, row by row, whatever size the file claims that the sheet has."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from safecot_eval.records.tables.archives import open_archive
from safecot_eval.records.tables.delimited import TITLE_ROWS, Row, header_among, named, plain_name
from safecot_eval.util.errors import SafecotError

MOST_COLUMNS = 1000
"""Of a workbook's header that are looked at."""
LONGEST_XLSX_CELL = 32_767
"""Characters that a cell of a workbook can hold; Excel's own limit. An answer of this length was cut."""

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def workbook(path: Path, notes: list[str], names: Collection[str] = ()) -> Iterator[Row]:
    """Yield the rows of one sheet: the first whose columns are known, else the first that has any rows.

    Args:
        path: The file.
        notes: Gets the other sheets with their number of rows.
        names: Column names that are known.

    Raises:
        SafecotError: no workbook, damaged, or a package is missing.
    """
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
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # writers get them wrong, and rows outside of them would be dropped
        headers = {sheet.title: _header(sheet, names) for sheet in book.worksheets}
        filled = [sheet for sheet in book.worksheets if headers[sheet.title]]
        if not filled:
            raise SafecotError(f"{path}: the workbook is empty; the first row of a sheet names the columns.")
        known = [sheet for sheet in filled if any(plain_name(str(c)) in names for c in headers[sheet.title])]
        # A sheet of one row is a cover.
        chosen = next(iter(known or [sheet for sheet in filled if _rows_below(sheet)] or filled))
        if others := [
            f"{sheet.title!r} ({_rows_below(sheet)} rows)" for sheet in filled if sheet is not chosen
        ]:
            notes.append(f"sheet {chosen.title!r} is read; other sheets are not: {', '.join(others)}")
        # A stray cell far out makes every row as wide as a sheet can be; what has no name is not read.
        rows = chosen.iter_rows(max_col=len(headers[chosen.title]), values_only=True)
        yield from named(
            ((n, [_text(cell) for cell in cells]) for n, cells in enumerate(rows, start=1)),
            path,
            names,
            notes,
        )
        book.close()
    except SafecotError:
        raise
    except Exception as error:
        raise SafecotError(
            f"{path}: not a workbook that can be read ({type(error).__name__}); save the sheet as CSV."
        ) from error


def _rows_below(sheet: Any) -> int:
    rows = sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True)
    return max(0, sum(any(cell not in (None, "") for cell in cells) for cells in rows) - 1)


def _header(sheet: Any, names: Collection[str]) -> list[Any]:
    """The row that names the columns, up to its last cell with any content; empty for an empty sheet."""
    rows = sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True)
    filled = (cells for cells in rows if any(cell not in (None, "") for cell in cells))
    first = list(itertools.islice(filled, TITLE_ROWS))
    if not first:
        return []
    header = first[header_among(first, names)]
    return list(header[: max(n for n, cell in enumerate(header, start=1) if cell not in (None, ""))])


def _text(cell: Any) -> Any:
    """Workbooks write control characters as ``_x000D_``."""
    if isinstance(cell, str):
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), cell)
    return cell
