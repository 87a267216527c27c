"""Training examples: the triplet (image, query, risk category), the file formats they come in, and reading them.

One line of a triplet file (JSON lines; a Parquet file has the same columns):

======================== ===================================================================================
``image`` or ``images``  path, or list of paths, relative to the file; ``[]`` for a text-only query
``query``                what the user asks
``category``             risk category; for safe items the category they are a near miss of, or ``harmless``
``expectation``          ``refuse`` (default) or ``answer``
``answer``               the helpful answer; required where the expectation is ``answer``
``id``                   optional; ``<file stem>-<line>`` otherwise
``cluster``              optional; the source question, shared by variants of one question; splits follow it
``texts``                optional; other wordings of the same question, which contamination checks compare too
``description``          optional; what is seen in the image (used by rule-conditioned writers only)
``history``              optional; earlier turns as pairs of question and answer
======================== ===================================================================================
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable
from safecot_training.data.bad_rows import BadRows
from safecot_training.data.sanitise import sanitise

GENERAL_CATEGORY = "general"
MAX_ROWS = 10_000_000


class Kind(StrEnum):
    """Which half of the mixture an example belongs to."""

    SAFETY = "safety"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Example:
    """One training question, before any variant's target is written.

    Attributes:
        example_id: Unique within a data set.
        query: The user's text, sanitised.
        category: Risk category, or ``general``.
        expectation: ``refuse`` or ``answer``.
        answer: The helpful answer; empty if the expectation is ``refuse``.
        images: Image files in order.
        source: Name of the data set it comes from.
        cluster_id: Source question, ``<source>/<id>``; all variants of a question share it.
        kind: Safety or general half.
        texts: Other wordings of the question.
        description: What is seen in the image, where the source tells.
        queries: The user's text by variant, where variants ask in different words (the recorded protocol does).
        history: Earlier turns of the conversation, (question, answer) each.
        task_name: Task whose item it is; empty for what is no benchmark's.
        item_id: The item's id there.
        fetch: Writes the images, where they are files only once the example is drawn.
    """

    example_id: str
    query: str
    category: str
    expectation: Expectation
    answer: str
    images: tuple[Path, ...]
    source: str
    cluster_id: str
    kind: Kind = Kind.SAFETY
    texts: tuple[str, ...] = ()
    description: str = ""
    queries: Mapping[str, str] = field(default_factory=dict, hash=False)
    history: tuple[tuple[str, str], ...] = ()
    task_name: str = ""
    item_id: str = ""
    fetch: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def asked(self, variant: str) -> str:
        """The user's text in a variant."""
        return self.queries.get(variant, self.query)


def read_triplets(path: Path, kind: Kind = Kind.SAFETY, bad: BadRows | None = None) -> list[Example]:
    """Read a triplet file (``.jsonl`` or ``.parquet``).

    Args:
        path: The file; image paths are relative to its folder.
        kind: Half of the mixture it is meant for; general data need no category.
        bad: What to do with a record that cannot be used; the first one stops by default.

    Raises:
        SafecotError: unreadable file, or a record without query, category, answer or an existing image, or an id
            that occurs twice (file, line and id are named).
    """
    bad = bad or BadRows()
    examples = []
    for number, record in enumerate_records(path):
        with bad.skipped():
            examples.append(example_from(record, path, number, kind, path.stem))
    require_unique_ids(examples, str(path))
    if not examples:
        raise SafecotError(f"{path}: holds no records; write one JSON object per line (docs/training.md).")
    return examples


def enumerate_records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (line or row from 1, record) of a JSON-lines or Parquet file.

    Raises:
        SafecotError: neither of the two formats, or not readable as such.
    """
    if path.suffix == ".parquet":
        yield from enumerate(_parquet_rows(path), start=1)
    elif path.suffix == ".jsonl":
        yield from enumerate_jsonl(path)
    else:
        raise SafecotError(f"{path}: triplet files end in .jsonl or .parquet.")


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Rows in batches: a few kilobytes can declare billions of equal rows, and the first bad one ends the reading."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise SafecotError(
                    f"{path}: {file.metadata.num_rows:,} rows; a triplet file holds at most {MAX_ROWS:,}. Split it."
                )
            for batch in file.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except FileNotFoundError as error:
        raise unreadable(path, error) from error
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise SafecotError(
            f"{path}: not a readable Parquet file ({' '.join(str(error).split())})."
        ) from error


def example_from(record: Mapping[str, Any], path: Path, number: int, kind: Kind, source: str) -> Example:
    """Check one record and make it an :class:`Example`.

    Raises:
        SafecotError: see :func:`read_triplets`.
    """
    example_id = str(record.get("id") or f"{path.stem}-{number}")
    unit = {".jsonl": "line", ".parquet": "row"}.get(path.suffix, "record")
    where = f"{path}, {unit} {number} (sample {ascii(example_id)[1:-1]})"
    require_whole_characters(record, where)
    query = sanitise(text_of(record.get("query"), f"{where}: 'query'"))
    if not query:
        raise SafecotError(f"{where}: 'query' is missing or empty; every triplet needs the user's text.")
    category = _category(record.get("category"), where) or (GENERAL_CATEGORY if kind is Kind.GENERAL else "")
    if not category:
        raise SafecotError(
            f"{where}: no 'category'; name the risk category, or 'harmless' for an item that is safe to answer."
        )
    default = Expectation.ANSWER if kind is Kind.GENERAL else Expectation.REFUSE
    try:
        expectation = Expectation(str(record.get("expectation") or default))
    except ValueError:
        expectation = Expectation.RESPOND_SAFELY
    if expectation is Expectation.RESPOND_SAFELY:
        raise SafecotError(f"{where}: 'expectation' must be 'refuse' or 'answer'.")
    answer = sanitise(text_of(record.get("answer"), f"{where}: 'answer'"))
    if expectation is Expectation.ANSWER and not answer:
        raise SafecotError(
            f"{where}: the expectation is 'answer' but 'answer' is empty; say what to learn to answer."
        )
    texts = record.get("texts") or ()
    if not isinstance(texts, list | tuple):
        raise SafecotError(f"{where}: 'texts' must be a list.")
    return Example(
        example_id=example_id,
        query=query,
        category=category,
        expectation=expectation,
        answer="" if expectation is Expectation.REFUSE else answer,
        images=_images(record, path.parent, where),
        source=source,
        cluster_id=f"{source}/{record.get('cluster') or example_id}",
        kind=kind,
        texts=tuple(str(text) for text in texts),
        description=str(record.get("description") or ""),
        history=_history(record.get("history"), where),
    )


def text_of(given: Any, where: str) -> str:
    """A text, or a number as one; nothing is an empty one, and so is a cell that pandas left empty (NaN).

    Raises:
        SafecotError: anything else.

    >>> text_of(7, "here"), text_of(None, "here"), text_of(float("nan"), "here")
    ('7', '', '')
    """
    if given is None or given != given:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, int | float) and not isinstance(given, bool):
        return str(given)
    raise SafecotError(f"{where} must be text, not {type(given).__name__}.")


def require_whole_characters(record: Any, where: str) -> None:
    """Refuse half a character (a lone surrogate, which JSON can hold and no file).

    Raises:
        SafecotError: there is one.
    """
    try:
        json.dumps(record, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise SafecotError(
            f"{where}: holds half a character ({half}), which cannot be written; correct the text."
        ) from error


def _category(given: Any, where: str) -> str:
    """A category; several are one with slashes between them, as VLGuard's main and sub-category are."""
    if isinstance(given, list | tuple):
        return "/".join(filter(None, (_category(each, where) for each in given)))
    if isinstance(given, Mapping | bool):
        raise SafecotError(f"{where}: 'category' must be a text or a list of texts.")
    return "" if given is None else str(given).strip()


def _history(given: Any, where: str) -> tuple[tuple[str, str], ...]:
    pairs = given or ()
    if not isinstance(pairs, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        for pair in pairs
    ):
        raise SafecotError(f"{where}: 'history' must be a list of [question, answer] pairs.")
    return tuple((sanitise(question), sanitise(answer)) for question, answer in pairs)


def _images(record: Mapping[str, Any], folder: Path, where: str) -> tuple[Path, ...]:
    given = record.get("images") if record.get("images") is not None else record.get("image")
    if given is None:
        raise SafecotError(
            f"{where}: no 'image' (or 'images'); give its path, or [] for a question without one."
        )
    named = [given] if isinstance(given, str) else given
    if not isinstance(named, list | tuple) or not all(isinstance(name, str) for name in named):
        raise SafecotError(f"{where}: 'images' must be a list of paths.")
    paths = tuple(folder / name for name in named)
    for path in paths:
        if not _is_file(path):
            raise SafecotError(
                f"{where}: image {path} does not exist; image paths are relative to the triplet file."
            )
    return paths


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file system takes
        return False


def require_unique_ids(examples: Iterable[Example], where: str) -> None:
    """Refuse ids that occur twice.

    Raises:
        SafecotError: naming the first such id.
    """
    seen: set[str] = set()
    for example in examples:
        if example.example_id in seen:
            raise SafecotError(f"{where}: the id {example.example_id!r} occurs twice; ids must be unique.")
        seen.add(example.example_id)


def stable_unit(*parts: object) -> float:
    """Map any parts to a number in [0, 1) that is the same on every machine and in every Python.

    >>> 0 <= stable_unit("a", 1) < 1 and stable_unit("a", 1) == stable_unit("a", 1)
    True
    """
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
