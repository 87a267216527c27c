"""Which tables a benchmark's items were read from, and how many rows each has, for messages about the items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_rows: ContextVar[dict[Path, int] | None] = ContextVar("rows", default=None)


@contextmanager
def noted() -> Iterator[dict[Path, int]]:
    """Table to its number of rows, of all that are read meanwhile (also those that an inner ``noted`` hears of).

    >>> with noted() as tables:
    ...     note(Path("a.csv"), 3)
    >>> list(tables.values())
    [3]
    """
    outer = _rows.get()
    tables: dict[Path, int] = {}
    token = _rows.set(tables)
    try:
        yield tables
    finally:
        _rows.reset(token)
        if outer is not None:
            outer |= tables


def note(path: Path, rows: int) -> None:
    """Say how many rows of a table were read by now."""
    if (tables := _rows.get()) is not None:
        tables[path] = rows
