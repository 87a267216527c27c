"""One file of answers, whatever its form: read whole, with what is worth saying about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safecot_eval.generate.importing import inspect_log
from safecot_eval.generate.importing.answers import Answer
from safecot_eval.generate.importing.columns import KNOWN, choose, flat, to_answer
from safecot_eval.generate.importing.failures import failure_notes
from safecot_eval.generate.importing.formats import reshape
from safecot_eval.generate.importing.shaped import Shaped, one_model
from safecot_eval.records.tables import Row, read_table
from safecot_eval.records.tables.delimited import plain_name
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256
from safecot_eval.util.wording import counted

_VLMEVALKIT = {"index", "prediction"}
_INSPECT = "read as Inspect's log: prompt and image = the last user turn of input, response = output, id = id"


@dataclass
class Source:
    """A file of answers.

    Attributes:
        path: The file.
        kind: ``inspect``, ``vlmevalkit``, a tool of :mod:`.formats`, or ``table``.
        sha256: Of the file.
        model: The model's name, where the file tells it.
        answers: What was read.
        notes: What a reader should know, one sentence each.
    """

    path: Path
    kind: str
    sha256: str
    model: str | None
    answers: list[Answer]
    notes: list[str] = field(default_factory=list)


def read(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    folders: Sequence[Path] = (),
    model: str | None = None,
) -> Source:
    """Read answers from a table, or from a log of Inspect.

    Args:
        path: ``.csv``, ``.tsv``, ``.xlsx``, ``.json``, ``.jsonl`` or ``.eval``.
        columns: Which column holds what, where the names do not say so; see :data:`columns.NAMES`.
        folders: Where relative picture paths start, beside the file's own folder.
        model: Whose answers to take from a file with those of several models.

    Raises:
        SafecotError: the file cannot be read, or holds no answers (file and row are named).
    """
    if not path.is_file():
        raise SafecotError(f"{path}: no such file.")
    digest = sha256(path)
    places = (*folders, path.parent)
    repeated: list[str] = []
    if path.suffix.lower() == ".eval":
        source = Source(
            path,
            "inspect",
            digest,
            inspect_log.model_of(path),
            list(inspect_log.read_archive(path, places, repeated)),
        )
    elif (log := _json_log(path)) is not None:
        answers = list(inspect_log.read_object(log, path, places, repeated))
        source = Source(path, "inspect", digest, inspect_log.header_model(log), answers)
    else:
        source = _table(path, digest, columns or {}, places, model)
    if source.kind == "inspect":
        source.notes.append(_INSPECT)
    source.notes += failure_notes(source.answers)
    if repeated:
        source.notes.append(
            f"{counted(len(repeated), 'sample')} of later epochs left out; the first epoch counts."
        )
    return source


def _table(
    path: Path, digest: str, given: Mapping[str, str], folders: tuple[Path, ...], model: str | None
) -> Source:
    decided: list[str] = []
    known = KNOWN | {plain_name(column) for column in given.values()}
    rows = [(number, flat(row)) for number, row in read_table(path, decided, known)]
    if not rows:
        raise SafecotError(f"{path}: the file holds no answers.")
    shaped, named = _reshaped(rows, path, model), None
    if shaped is None:
        rows, named = _of_one_model(rows, path, model, decided)
    else:
        rows = shaped.rows
        if not rows:
            raise SafecotError(f"{path}: the file of {shaped.kind} holds no answers.")
    seen = list(dict.fromkeys(column for _, row in rows for column in row))  # rows of JSON may differ
    try:
        chosen = choose(seen, given)
    except SafecotError as error:  # which sheet, separator or encoding it was read with may be the reason
        raise SafecotError(" ".join([str(error), *(f"({note})" for note in decided)])) from error
    answers = [to_answer(row, chosen, f"{path.name}, row {number}", folders) for number, row in rows]
    kind = "vlmevalkit" if set(seen) >= _VLMEVALKIT else "table"
    if shaped is not None:
        decided += shaped.notes
        return Source(path, shaped.kind, digest, next(iter(shaped.models), None), answers, decided)
    notes = ["columns: " + ", ".join(f"{kind} = {column}" for kind, column in chosen.items()), *decided]
    if "prompt" not in chosen:
        notes.append(
            f"no column of prompts was found among {', '.join(seen)}; --column prompt=NAME names it, and without one only ids "
            "decide"
        )
    # VLMEvalKit calls its file <model>_<dataset>.xlsx; what belongs to which cannot be told from the name alone.
    return Source(path, kind, digest, named, answers, notes)


def _reshaped(rows: Sequence[Row], path: Path, model: str | None) -> Shaped | None:
    try:
        return reshape(rows, path.stem, model)
    except SafecotError as error:
        raise SafecotError(f"{path}: {error}.") from error


def _of_one_model(
    rows: list[Row], path: Path, model: str | None, notes: list[str]
) -> tuple[list[Row], str | None]:
    try:
        return one_model(rows, model, notes)
    except SafecotError as error:
        raise SafecotError(f"{path}: {error}.") from error


def _json_log(path: Path) -> dict[str, object] | None:
    """A log of Inspect in JSON form; None for any other file."""
    if path.suffix.lower() != ".json":
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError, OSError):
        return None  # the table reader says what is wrong
    return content if isinstance(content, dict) and {"eval", "samples"} <= content.keys() else None
