"""Read benchmark files; what is wrong with them is said with file and line or record."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import misplaced
from safecot_eval.benchmarks.tables_read import note
from safecot_eval.records.tables.delimited import plain_name, rows_of_text
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable


def read_text(path: Path) -> str:
    """A UTF-8 file (a byte order mark is dropped).

    Raises:
        SafecotError: it is missing, cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SafecotError(
            f"{path}: the file is missing; `safecot data verify` lists what belongs there."
            f"{misplaced(path.parent, [path.name])}"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SafecotError(f"{path}, line {line}: the text is not UTF-8; download the file again.") from error


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        SafecotError: it is missing or is not JSON (the line is named).
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise SafecotError(
            f"{path}, line {error.lineno}: not valid JSON ({error.msg}); download the file again."
        ) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets without end
        raise SafecotError(f"{path}: JSON that cannot be read ({error}); download the file again.") from error


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """A CSV file with a header, separated by whatever separates these columns.

    Args:
        path: The file.
        columns: Columns that must be there.

    Raises:
        SafecotError: it is missing, lacks a column, or a row has fewer fields than the header (the line is named).
    """
    return [row for _, row in numbered_rows(path, columns)]


def numbered_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The same with the line in which each row ends; see :func:`read_csv`."""
    known = {plain_name(column) for column in columns}
    rows = list(rows_of_text(io.StringIO(read_text(path), newline=""), path, known, required=columns))
    note(path, len(rows))
    return rows


def records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Records of a JSON file that is a list of objects or an object of objects.

    Yields:
        Key (list index or object key, as text) and record.

    Raises:
        SafecotError: the file has another shape.
    """
    content = read_json(path)
    if not isinstance(content, dict | list | None):
        raise SafecotError(f"{path}: a list or an object was expected, not {type(content).__name__}.")
    note(path, len(content or ()))
    pairs = content.items() if isinstance(content, dict) else enumerate(content or ())
    for key, record in pairs:
        if not isinstance(record, dict):
            raise SafecotError(f"{path}, record {key}: an object was expected, not {type(record).__name__}.")
        yield str(key), record


def lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    r"""Records of a JSON-lines file; blank lines are skipped, and a line ends at ``\n`` only.

    Yields:
        Line number from 1, and the object.

    Raises:
        SafecotError: the file is missing, or a line is not a JSON object (the line is named).
    """
    read = 0
    note(path, read)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        read += 1
        note(path, read)
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SafecotError(f"{path}, line {number}: not valid JSON ({error.msg}).") from error
        except (ValueError, RecursionError) as error:
            raise SafecotError(f"{path}, line {number}: JSON that cannot be read ({error}).") from error
        if not isinstance(record, dict):
            raise SafecotError(f"{path}, line {number}: an object was expected, not {type(record).__name__}.")
        yield number, record


def text_field(record: Mapping[str, Any], name: str, where: str) -> str:
    """A text (or number) of a record.

    Args:
        record: The record.
        name: The key.
        where: File and record, for the message.

    Raises:
        SafecotError: it is not there, empty, or neither text nor a whole number.

    >>> text_field({"id": 7}, "id", "x.json, record 0")
    '7'
    """
    value = record.get(name)
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    if value in (None, "") or isinstance(value, str):
        raise SafecotError(f"{where}: the field {name!r} is missing or empty.")
    raise SafecotError(f"{where}: the field {name!r} should be text, not {type(value).__name__}.")
