r"""CSV and TSV as they are: comma, semicolon, tab or bar, Excel's ``sep=;``, UTF-8, UTF-16, and the Windows code page.

A line ends at ``\n`` or ``\r`` only. ``str.splitlines`` also cuts at U+2028, U+0085 and other characters that answers
hold.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable

Row = tuple[int, dict[str, Any]]
MAX_CELL = 64 * 2**20
SEPARATORS = ",;\t|"
_SAMPLE_CHARACTERS = 256 * 2**10
_SAMPLE_RECORDS = 40
_SHOWN_COLUMNS = 8
TITLE_ROWS = 10
"""First rows with content among which the header is looked for."""
_DECLARED = re.compile(r'^"?sep=(.)"?\r?(?:\n|$)', re.IGNORECASE)
_BLOCK = 2**20


def delimited(path: Path, notes: list[str], names: Collection[str], *, pad: bool) -> Iterator[Row]:
    """Yield the rows of a delimited file; see :func:`safecot_eval.records.tables.read_table`."""
    try:
        encoding = encoding_of(path)
        if encoding == "cp1252":
            notes.append(
                "the file is not UTF-8 and was read as Windows-1252, Excel's plain 'CSV'; check its umlauts and quotes, or save "
                "it as 'CSV UTF-8'"
            )
        with path.open(encoding=encoding, newline="") as stream:
            yield from rows_of_text(stream, path, names, notes, tab=path.suffix.lower() == ".tsv", pad=pad)
    except UnicodeDecodeError as error:
        raise SafecotError(
            f"{path}: not UTF-8 text ({error.reason}); save the table as 'CSV UTF-8'."
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def encoding_of(path: Path) -> str:
    """``utf-8-sig``, ``utf-16`` (by its mark), or ``cp1252`` where that is what the bytes look like.

    Western text in a Windows code page has single bytes over 127 between letters. Other code pages (GBK, Shift-JIS, 1251)
    have them in rows; reading those as 1252 would make nonsense, so that they are not UTF-8 text.

    Raises:
        UnicodeDecodeError: none of these.
    """
    with path.open("rb") as stream:
        head = stream.read(2)
        if head in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
        stream.seek(0)
        content = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        try:
            while content.read(_BLOCK):
                pass
        except UnicodeDecodeError:
            if _is_western(path):
                return "cp1252"
            raise
    return "utf-8-sig"


def _is_western(path: Path) -> bool:
    single = paired = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            if b"\0" in block or re.search(rb"[\x81\x8d\x8f\x90\x9d]", block):
                return False
            for run in re.finditer(rb"[\x80-\xff]+", block):
                single += len(run[0]) == 1
                paired += len(run[0]) > 1
    return paired * 5 <= single and single > 0 and _mostly_ascii(path)


def _mostly_ascii(path: Path) -> bool:
    """Whether letters over 127 are the exception, as in every language that is written with 1252."""
    with path.open("rb") as stream:
        block = stream.read(_BLOCK)
    return sum(byte > 127 for byte in block) * 4 < sum(byte > 32 for byte in block)


def rows_of_text(
    stream: TextIO,
    path: Path,
    names: Collection[str] = (),
    notes: list[str] | None = None,
    *,
    tab: bool = False,
    pad: bool = False,
    required: Sequence[str] = (),
) -> Iterator[Row]:
    """Yield (line number of the row's end, cells by column name) of a text whose first row names the columns.

    Args:
        stream: Opened with ``newline=""``.
        path: For messages.
        names: Column names that are known, lower-case with underscores.
        notes: Gets a sentence on rows above the header.
        tab: The file says by its ending that tabs separate it.
        pad: Take rows that end early.
        required: Columns that must be there, as they are spelled.

    Raises:
        SafecotError: no table, a column that is lacking, or a row that does not fit the header (the line is named).
    """
    csv.field_size_limit(MAX_CELL)
    sample = stream.read(_SAMPLE_CHARACTERS)
    skipped = 0
    if declared := _DECLARED.match(sample):
        separator, skipped = declared[1], 1
    else:
        separator = separator_of(
            sample, names, whole=len(sample) < _SAMPLE_CHARACTERS, first="\t" if tab else ","
        )
    stream.seek(0)
    if skipped:
        stream.readline()
    rows = csv.reader(stream, delimiter=separator, strict=True)
    try:
        numbered = ((rows.line_num + skipped, cells) for cells in rows)
        yield from named(numbered, path, names, notes, pad=pad, required=required)
    except csv.Error as error:
        raise SafecotError(f"{path}, line {rows.line_num + skipped}: not a table ({error}).") from error


def separator_of(sample: str, names: Collection[str] = (), *, whole: bool = True, first: str = ",") -> str:
    r"""The separator that cuts the first rows best: into known names, then into rows as wide as the header, then widest.

    Args:
        sample: The beginning of a file.
        names: Column names that are known.
        whole: The sample is the whole file; otherwise its last row may be cut.
        first: What it is where nothing speaks for another.

    >>> separator_of('prompt;answer\n"Hi, you?";Ho, ho.\n'), separator_of("a,b;c,d\n1,2;3,4\n")
    (';', ',')
    """

    def score(separator: str) -> tuple[int, float, int]:
        rows: list[list[str]] = []
        try:
            for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=separator, strict=True):
                if any(cells):
                    rows.append(cells)
                if len(rows) > _SAMPLE_RECORDS:
                    break
        except csv.Error:
            if whole or not rows:
                return 0, 0.0, 0
        del rows[: header_among(rows, names)]
        if not rows or len(rows[0]) < 2:
            return 0, 0.0, 0
        if not whole and 1 < len(rows) <= _SAMPLE_RECORDS:
            del rows[-1]
        fitting = sum(len(cells) == len(rows[0]) for cells in rows) / len(rows)
        return _known(rows[0], names), fitting, len(rows[0])

    order = list(dict.fromkeys([first, *SEPARATORS]))
    best: str = max(order, key=score)
    return best


def plain_name(column: str) -> str:
    """A column's name without what people vary: case, blanks and hyphens.

    >>> plain_name(" Model-Response ")
    'model_response'
    """
    return column.strip().strip("\ufeff\u200b").lower().replace(" ", "_").replace("-", "_")


def header_among(rows: Sequence[Sequence[Any]], names: Collection[str]) -> int:
    """Which of the first rows names the columns: the first, unless it is a title above a later one with known names.

    People put a title above their tables ("Answers"), and spreadsheets export it.

    >>> header_among([["Run 7", ""], ["prompt", "response"], ["Hi?", "Ho."]], {"prompt", "response"})
    1
    """
    if not rows or (_known(rows[0], names) and _filled(rows[0]) > 1):
        return 0
    # Below one cell alone nothing but a header can have several: under a header of one column every row has one.
    needed = 1 if _filled(rows[0]) == 1 else 2
    below = enumerate(rows[:TITLE_ROWS])
    return next((n for n, cells in below if _known(cells, names) >= needed and _filled(cells) > 1), 0)


def _listed(names: Sequence[str]) -> str:
    """Column names for a message, which may be a whole line of text where there is no header."""
    shown = [repr(name[:40]) for name in names[:_SHOWN_COLUMNS]]
    return ", ".join([*shown, *(["…"] if len(names) > _SHOWN_COLUMNS else [])])


def _filled(cells: Sequence[Any]) -> int:
    return sum(cell not in (None, "") for cell in cells)


def _known(cells: Sequence[Any], names: Collection[str]) -> int:
    return len({plain_name(str(cell)) for cell in cells if cell not in (None, "")} & set(names))


def named(
    rows: Iterable[tuple[int, list[Any]]],
    path: Path,
    known: Collection[str] = (),
    notes: list[str] | None = None,
    *,
    pad: bool = False,
    required: Sequence[str] = (),
) -> Iterator[Row]:
    """Give cells the names of the header, the first row with any content or one below a title; empty rows are skipped.

    Raises:
        SafecotError: no header, a column that is lacking, a name twice, or a row of another width.
    """
    filled = ((number, cells) for number, cells in rows if any(cell not in (None, "") for cell in cells))
    first = list(itertools.islice(filled, TITLE_ROWS))
    if not first:
        raise SafecotError(f"{path}: the table is empty; its first row names the columns.")
    if (title := header_among([cells for _, cells in first], known)) and notes is not None:
        notes.append(
            f"{title} row{'s' * (title > 1)} above the header (line {first[title][0]}) {'are' if title > 1 else 'is'} not read"
        )
    names = [str("" if cell is None else cell).strip() for cell in first[title][1]]
    if lacking := [column for column in required if column not in names]:
        raise SafecotError(
            f"{path}, line {first[title][0]}: the header lacks {', '.join(lacking)}; its columns are {_listed(names)}."
        )
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise SafecotError(f"{path}: the column {doubled[0]!r} occurs twice; rename one of them.")
    for number, cells in itertools.chain(first[title + 1 :], filled):
        if len(cells) > len(names) and any(cell not in (None, "") for cell in cells[len(names) :]):
            raise SafecotError(
                f"{path}, line {number}: {len(cells)} cells under {len(names)} column names; quote cells that hold the "
                "separator."
            )
        if len(cells) < len(names) and not pad:
            raise SafecotError(
                f"{path}, line {number}: {len(cells)} cells under {len(names)} column names; the row is cut."
            )
        yield number, {name: cell for name, cell in itertools.zip_longest(names, cells[: len(names)]) if name}
