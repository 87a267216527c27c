"""The other direction: a table of a task's questions, for people who ask their model themselves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from safecot_eval.benchmarks import catalogue
from safecot_eval.records.tables import LONGEST_XLSX_CELL
from safecot_eval.util.errors import SafecotError

COLUMNS = ("task", "id", "prompt", "image", "response")
_WIDTHS = (20, 14, 60, 40, 80)
_AS_TEXT = "@"
"""Excel's cell format that keeps what is typed: ids are not made dates, nor answers with a dash in front formulas."""


def questions(task_names: Sequence[str], path: Path) -> bytes:
    """A table of prompts and picture files with an empty column for the answers.

    Args:
        task_names: Whose questions.
        path: Where the table goes; ``.xlsx`` makes a workbook, everything else is CSV.

    Raises:
        SafecotError: no such task, its data are not here, or a prompt that no workbook can hold.
    """
    rows = _rows(task_names)
    return _workbook(rows, path) if path.suffix.lower() == ".xlsx" else _csv(rows)


def _rows(task_names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for task_name in task_names:
        for item in catalogue.items_of(task_name):
            images = [str(path.resolve()) for path in item.images]
            shown = images[0] if len(images) == 1 else json_list(images)
            yield task_name, item.item_id, item.prompt, shown, ""


def _csv(rows: Iterator[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def _workbook(rows: Iterator[tuple[str, ...]], path: Path) -> bytes:
    """A workbook of text cells: a double click opens it, which cuts a CSV at the wrong separator in half of Europe."""
    try:
        from openpyxl import Workbook
        from openpyxl.utils.exceptions import IllegalCharacterError
    except ImportError as error:
        raise SafecotError(
            f"{path}: writing workbooks needs the package openpyxl; install it, or name a .csv."
        ) from error
    book = Workbook()
    sheet = book.active
    sheet.title = "questions"
    sheet.append(COLUMNS)
    sheet.freeze_panes = "A2"
    for column, width in zip("ABCDE", _WIDTHS, strict=True):
        sheet.column_dimensions[column].width = width
    for number, cells in enumerate(rows, start=2):
        for place, text in enumerate(cells, start=1):
            if len(text) > LONGEST_XLSX_CELL:
                raise SafecotError(
                    f"{path}: item {cells[1]!r} of {cells[0]} is longer than a cell can be; name a .csv."
                )
            cell = sheet.cell(number, place)
            cell.number_format = _AS_TEXT
            if text:
                try:
                    cell.value = text
                except IllegalCharacterError as error:
                    raise SafecotError(
                        f"{path}: item {cells[1]!r} of {cells[0]} holds characters that a workbook cannot; name a .csv."
                    ) from error
                cell.data_type = "s"  # a text that begins with "=" is no formula
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def json_list(images: Sequence[str]) -> str:
    """Several pictures in one cell; no cell content for none.

    >>> json_list([])
    ''
    """
    return json.dumps(list(images)) if images else ""
