"""Benchmarks whose published files nobody here has seen: the files and field names that are accepted, and which were found.

Nothing of this is a benchmark's own layout. Who has the data gives a table (JSON lines, JSON, CSV, or Parquet that ``safecot data
prepare`` exports) one of these names and finds the columns by what they are usually called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import misplaced
from safecot_eval.benchmarks.data.reading import lines, numbered_rows, records
from safecot_eval.util.errors import SafecotError

STEMS = ("records", "test", "data")
ENDINGS = (".jsonl", ".json", ".csv")
QUESTION = ("question", "query", "prompt", "instruction", "text")
IMAGE = ("image", "image_path", "img", "img_path", "image_file", "image_name")
ID = ("id", "question_id", "index", "uid")
CATEGORY = ("category", "type", "scenario", "domain", "risk_type")


def accepted(stems: Sequence[str] = STEMS) -> tuple[str, ...]:
    """Names of the files that are looked for, the first choice first.

    >>> accepted(("records",))
    ('records.jsonl', 'records.json', 'records.csv')
    """
    return tuple(f"{stem}{ending}" for stem in stems for ending in ENDINGS)


def table(root: Path, title: str, stems: Sequence[str] = STEMS) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The records of the accepted file that is there.

    Yields:
        File and record, for messages, and the record.

    Raises:
        SafecotError: none is there (all accepted layouts are named), several are, or it is malformed.
    """
    names = accepted(stems)
    there = [name for name in names if (root / name).is_file()]
    if len(there) > 1:
        raise SafecotError(
            f"{root}: more than one table of {title} is there ({', '.join(there)}); keep the one that is to be read."
        )
    if not there:
        raise SafecotError(
            f"{root}: no table of {title} is there. Its published layout was not seen; accepted are {', '.join(names)}, with the "
            f"question in a column {_either(QUESTION)} and the picture's path in {_either(IMAGE)}.{misplaced(root, names)}"
        )
    name = there[0]
    path = root / name
    if path.suffix == ".jsonl":
        yield from ((f"{name}, line {number}", record) for number, record in lines(path))
    elif path.suffix == ".json":
        yield from ((f"{name}, record {key}", record) for key, record in records(path))
    else:
        yield from ((f"{name}, line {number}", row) for number, row in numbered_rows(path, ()))


def named(record: Mapping[str, Any], names: Sequence[str], where: str) -> str:
    """The text under the first of several names, in any case.

    Raises:
        SafecotError: there is none (the names that are accepted, and those that are there, are named).

    >>> named({"Query": "Why?"}, QUESTION, "data.json, record 0")
    'Why?'
    """
    if (found := optional(record, names)) is not None:
        return found
    there = ", ".join(map(str, record)) or "nothing"
    raise SafecotError(f"{where}: no text in a column {_either(names)}; there are {there}.")


def optional(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The same, None where there is none."""
    by_name = {str(key).strip().casefold(): value for key, value in record.items()}
    for name in names:
        value = by_name.get(name.casefold())
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return None


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
