"""JSON tables in the shapes that tools write: a list of objects, by id, by column, split, or inside an object.

===========================================  ========================================================
``[{…}, {…}]``                               one object a row
``{"7": {…}, "8": {…}}``                     keyed by id (pandas' ``orient="index"``): the key is the id
``{"7": "answer", "8": "answer"}``           id to answer
``[["question", "answer"], …]``              pairs of prompt and answer
``{"prompt": {"0": …}, "answer": {"0": …}}`` by column (pandas' default)
``{"columns": […], "data": [[…], …]}``       split
``{"results": […], …}``                      one list of objects among other fields
===========================================  ========================================================

A JSON-lines file may hold an array in a line; a ``.json`` file may be JSON lines.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.tables.delimited import Row, plain_name
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable

WRAPPERS = (
    "results",
    "data",
    "rows",
    "samples",
    "responses",
    "predictions",
    "answers",
    "outputs",
    "records",
    "items",
    "examples",
    "entries",
)
"""Fields that hold the rows where an object has several lists."""
_IDS = ("id", "item_id", "question_id", "sample_id", "pid", "key")


def read_content(path: Path) -> Any:
    """The content of a ``.json`` file; of JSON lines that are called so, the list of their objects.

    Raises:
        SafecotError: neither.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
            return [row for _, row in enumerate_jsonl(path)]
        raise SafecotError(f"{path}: not JSON ({' '.join(str(error).split())}).") from error


def read_lines(path: Path, names: Collection[str] = ()) -> Iterator[Row]:
    """Yield the rows of a JSON-lines file; a line may be an array of objects, and the whole may be one document.

    Raises:
        SafecotError: a line is something else (it is named).
    """
    with path.open("rb") as stream:
        head = stream.read(64).removeprefix(codecs.BOM_UTF8).lstrip()[:2]
    if head[:1] == b"[" or head in (b"{\n", b"{\r"):
        try:
            content = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            content = None  # several arrays, one a line; or broken, which is told below with its line
        if content is not None:
            yield from rows_of_content(content, path, names)
            return
    if head[:1] == b"[":
        yield from _arrays(path)
        return
    yield from enumerate_jsonl(path)


def _arrays(path: Path) -> Iterator[Row]:
    count = 0
    for number, line in enumerate(path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise SafecotError(f"{path}, line {number}: not JSON ({reason}).") from error
        rows = rows if isinstance(rows, list) else [rows]
        if not all(isinstance(row, dict) for row in rows):
            raise SafecotError(f"{path}, line {number}: neither a JSON object nor an array of objects.")
        for row in rows:
            count += 1
            yield count, row


def rows_of_content(content: Any, path: Path, names: Collection[str] = ()) -> Iterator[Row]:
    """Yield (number from 1, cells) of a JSON document in one of the shapes above.

    Args:
        content: The document.
        path: For messages.
        names: Column names that are known: they tell a table by column from one by id.

    Raises:
        SafecotError: another shape, or several lists of objects.
    """
    rows = _rows(content, path, names)
    if rows is None:
        raise SafecotError(
            f"{path}: expected a list of objects, one per answer, or an object that holds one (by id, by column or in a field "
            f"such as {WRAPPERS[0]!r})."
        )
    yield from enumerate(rows, start=1)


def _is_pair(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and _is_text(row[1])


def _pairs(content: list[list[Any]], names: Collection[str]) -> list[dict[str, Any]]:
    """Pairs of prompt and answer; a first pair of known column names is a header."""
    first = content[0]
    if len(content) > 1 and all(isinstance(cell, str) and plain_name(cell) in names for cell in first):
        return [dict(zip(first, row, strict=True)) for row in content[1:]]
    return [{"prompt": asked, "response": said} for asked, said in content]


def _rows(content: Any, path: Path, names: Collection[str]) -> list[dict[str, Any]] | None:
    if isinstance(content, list):
        if content and all(_is_pair(row) for row in content):
            return _pairs(content, names)
        return content if all(isinstance(row, dict) for row in content) else None
    if not isinstance(content, dict) or not content:
        return None
    if (split := _split(content, path)) is not None:
        return split
    if (inner := _wrapped(content)) is not None:
        return _rows(inner, path, names)
    if all(isinstance(value, dict) for value in content.values()):
        return _by_column(content) if _is_by_column(content, names) else _by_id(content)
    if all(_is_text(value) for value in content.values()) and len(content) > 1:
        if any(plain_name(key) in names for key in content):
            return [content]  # one answer, written as one object
        return [{"id": key, "response": value} for key, value in content.items()]
    lists = {key: value for key, value in content.items() if _is_rows(value)}
    if len(lists) > 1:
        known = [key for key in WRAPPERS if key in lists]
        if not known:
            raise SafecotError(
                f"{path}: {', '.join(lists)} are lists of objects; keep the one with the answers."
            )
        return lists[known[0]]
    if lists:
        return next(iter(lists.values()))
    if any(plain_name(key) in names and key not in WRAPPERS for key in content):
        return [content]
    inside = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), None)
    return _rows(inside, path, names) if inside is not None else None


def _wrapped(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """An object of rows inside an object: alone in it, or beside fields that are no rows."""
    for key in WRAPPERS:
        inner = content.get(key)
        if not isinstance(inner, dict) or not inner:
            continue
        if len(content) == 1 or all(isinstance(value, dict) for value in inner.values()):
            return inner
    if len(content) == 1:  # {"run 7": {"results": […]}}
        (inner,) = content.values()
        if isinstance(inner, dict) and any(_is_rows(inner.get(key)) for key in WRAPPERS):
            return inner
    return None


def _is_rows(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(part, str) for part in value)
    )


def _split(content: Mapping[str, Any], path: Path) -> list[dict[str, Any]] | None:
    """Pandas' ``orient="split"``."""
    columns, data = content.get("columns"), content.get("data")
    if (
        not isinstance(columns, list)
        or not isinstance(data, list)
        or not all(isinstance(r, list) for r in data)
    ):
        return None
    for number, row in enumerate(data, start=1):
        if len(row) != len(columns):
            raise SafecotError(f"{path}, row {number}: {len(row)} cells under {len(columns)} columns.")
    return [dict(zip(map(str, columns), row, strict=True)) for row in data]


def _is_by_column(content: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> bool:
    inner = list(next(iter(content.values())))
    if any(plain_name(key) in names for key in inner):
        return False
    if any(plain_name(key) in names for key in content):
        return True
    return all(key.isdigit() for key in inner) and not all(key.isdigit() for key in content)


def _by_column(columns: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    keys = list(dict.fromkeys(key for column in columns.values() for key in column))
    return [{name: column.get(key) for name, column in columns.items()} for key in keys]


def _by_id(content: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their key as the id, unless they name one themselves."""
    return [row if any(name in row for name in _IDS) else {"id": key, **row} for key, row in content.items()]
