"""Which column of a table is which, by the names that people give them; the choice is printed, and can be overruled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.generate.importing.answers import Answer
from safecot_eval.generate.importing.pictures import pictures
from safecot_eval.generate.importing.responses import (
    NotAnAnswer,
    Response,
    as_text,
    message_of,
    read_response,
)
from safecot_eval.records.samples import Status
from safecot_eval.records.tables import LONGEST_XLSX_CELL
from safecot_eval.records.tables.delimited import plain_name
from safecot_eval.scoring.failure_texts import of_recorded
from safecot_eval.util.errors import SafecotError

NAMES: dict[str, tuple[str, ...]] = {
    # A table with both a prediction and an answer keeps the reference in the latter (VLMEvalKit).
    "response": (
        "response",
        "prediction",
        "model_response",
        "model_answer",
        "model_output",
        "model_prediction",
        "completion",
        "generation",
        "generated_text",
        "output_text",
        "output",
        "reply",
        "pred",
        "responses",
        "resps",
        "filtered_resps",
        "answer",
        "generated",
        "outputs",
        "antwort",
        "ausgabe",
        "réponse",
        "reponse",
        "respuesta",
        "risposta",
    ),
    # After the general names, those of the benchmarks' own files.
    "prompt": (
        "prompt",
        "question",
        "query",
        "instruction",
        "input",
        "user_prompt",
        "user_input",
        "prompt_text",
        "question_text",
        "forbidden_prompt",
        "jailbreak_query",
        "behavior",
        "goal",
        "changed_question",
        "rephrased_question(sd)",
        "rephrased_question",
        "text",
        "frage",
        "eingabe",
        "pregunta",
        "domanda",
    ),
    "image": (
        "image_sha256",
        "image_path",
        "image",
        "images",
        "image_file",
        "image_name",
        "imagefilename",
        "image_filename",
        "img",
        "img_path",
        "picture",
        "file_name",
        "filename",
        "image_url",
        "bild",
        "imagen",
        "immagine",
    ),
    "id": (
        "item_id",
        "id",
        "question_id",
        "instruction_id",
        "behaviorid",
        "behavior_id",
        "case_id",
        "pid",
        "qid",
        "uid",
        "custom_id",
        "category_id_task_id",
    ),
    "task": ("task",),
    "status": ("status",),
    "error": ("error", "exception", "error_message"),
    "output_tokens": ("output_tokens",),
    "category": ("category", "scenario", "harm_category", "type"),
    "prompt_field": ("question_field", "prompt_field"),
    "labels": ("labels",),
}
"""What a column holds, to the names it may have, the likeliest first (case, spaces and hyphens do not count)."""

KNOWN = frozenset(name for names in NAMES.values() for name in names)
_NESTED = ("meta", "metadata")
_TOGETHER = ("category_id", "task_id")
_ALSO_NESTED = ("category", "prompt_field")
"""Kinds that may also stand in an object of the row, as ``meta.category``."""


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the fields of its ``meta`` object as columns of their own, and the two columns of FigStep's id as one.

    >>> flat({"category_id": 1, "task_id": "6"})["category_id_task_id"]
    '1_6'
    >>> flat({"id": 1, "meta": {"category": "a"}})
    {'id': 1, 'meta': {'category': 'a'}, 'meta.category': 'a'}
    """
    found = dict(row)
    for name in _NESTED:
        inner = row.get(name)
        if isinstance(inner, Mapping):
            found |= {f"{name}.{key}": value for key, value in inner.items()}
    if found.keys() >= set(_TOGETHER):
        found["_".join(_TOGETHER)] = "_".join(as_text(found[name]) for name in _TOGETHER)
    return found


def choose(present: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """Decide which column holds what.

    Args:
        present: The table's column names.
        given: The user's own choice, kind to column.

    Returns:
        Kind to column name; a kind that the table lacks is absent.

    Raises:
        SafecotError: a kind or column that does not exist, or no column of answers.

    >>> choose(["index", "question", "answer", "prediction"], {})
    {'response': 'prediction', 'prompt': 'question'}
    """
    columns = list(present)
    for kind, column in given.items():
        if kind not in NAMES:
            raise SafecotError(f"--column {kind}={column}: a column is one of {', '.join(NAMES)}.")
        if column not in columns:
            raise SafecotError(
                f"--column {kind}={column}: there is no such column; there are: {', '.join(columns)}."
            )
    plain = {plain_name(column): column for column in reversed(columns)}
    chosen: dict[str, str] = {}
    for kind, names in NAMES.items():
        places = [name for name in names if name in plain]
        if kind in _ALSO_NESTED:
            nested = (f"{inner}.{name}" for inner in _NESTED for name in names)
            places += [name for name in nested if name in plain]
        found = given.get(kind) or next((plain[name] for name in places), None)
        if found is not None and found not in chosen.values():
            chosen[kind] = found
    for kind in _INSIDE:
        if kind not in chosen and len(inside := _inside(kind, columns, chosen)) == 1:
            chosen[kind] = inside[0]
    there = ", ".join(columns) or "none"
    known = ", ".join(f"{kind} = {column}" for kind, column in chosen.items())
    known = f" Recognised: {known}." if known else ""
    if "response" not in chosen:
        raise SafecotError(f"No column of answers among {there}; name it with --column response=NAME.{known}")
    if not {"prompt", "id", "image"} & chosen.keys():
        raise SafecotError(
            f"No column of prompts was found among {there}; name it with --column prompt=NAME (or id=NAME, image=NAME).{known}"
        )
    return chosen


_INSIDE = {
    "response": re.compile("antwort|answer|response|réponse|respuesta|risposta"),
    "prompt": re.compile("frage|question|prompt|pregunta|domanda"),
}
"""Words that tell what a column holds when they stand inside its name, and one column alone has them."""
_ABOUT = re.compile(
    r"(?:^|[_. ])(?:id|ids|nr|no|num|number|type|typ|kind|category|length|len|länge|time|zeit|tokens?|count|lang|language|label|"
    r"score|judge|model|source|url|hash|system)(?:$|[_. ])|reference|referenz|correct|korrekt|richtig|muster|gold|truth|"
    r"expected|erwartet|target|system|refus|label|bewert"
)
"""Words of columns that hold something about a question or answer, or the right one."""


def _inside(kind: str, columns: Iterable[str], chosen: Mapping[str, str]) -> list[str]:
    return [
        column
        for column in columns
        if column not in chosen.values()
        and _INSIDE[kind].search(name := plain_name(column))
        and not _ABOUT.search(name)
        and not any(words.search(name) for other, words in _INSIDE.items() if other != kind)
    ]


def to_answer(
    row: Mapping[str, Any], chosen: Mapping[str, str], where: str, folders: tuple[Path, ...]
) -> Answer:
    """One row as an answer.

    Raises:
        SafecotError: an answer, status or token count that is none (the row and column are named).
    """
    cells = {kind: row.get(column) for kind, column in chosen.items()}
    try:
        response = read_response(cells["response"])
    except NotAnAnswer as error:
        raise SafecotError(
            f"{where}, column {chosen['response']}: {error}, and not one answer; write its text into the column, or name "
            "another with --column response=NAME."
        ) from error
    tokens = cells.get("output_tokens")
    status, failure = _status(as_text(cells.get("status")), response, where)
    error_text = message_of(cells.get("error")) or response.error
    if not response.text.strip() and status is Status.OK and error_text:
        status, failure = Status.REQUEST_FAILED, f"the row's own {chosen['error']!r}"
    return Answer(
        where=where,
        response=response.text,
        prompt=as_text(cells.get("prompt")) or None,
        item_id=as_text(cells.get("id")) or None,
        task=as_text(cells.get("task")) or None,
        pictures=pictures(cells.get("image"), folders) if "image" in chosen else None,
        status=status,
        failure=failure,
        output_tokens=None if as_text(tokens) == "" else _whole(tokens, where),
        asked_as=as_text(cells.get("prompt_field")),
        category=as_text(cells.get("category")),
        error=error_text,
        labels=_labels(cells.get("labels"), chosen.get("labels", "")),
    )


def _labels(cell: Any, column: str) -> dict[str, str]:
    """Judge to label; a label without its judge is the column's."""
    if isinstance(cell, str) and cell.strip().startswith("{"):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return {column: cell}
    if isinstance(cell, Mapping):
        return {str(judge): as_text(label) for judge, label in cell.items() if as_text(label)}
    return {column: as_text(cell)} if as_text(cell) else {}


def _status(given: str, response: Response, where: str) -> tuple[Status, str]:
    """The status of an answer, and the source of the failure that its text stands for."""
    if given and given not in list(Status):
        raise SafecotError(f"{where}: status {given[:40]!r} is none of {', '.join(Status)}.")
    if given and given != Status.OK:
        return Status(given), ""
    if response.status is not None:
        return response.status, "the reply's own error or finish reason"
    if failure := of_recorded(response.text):
        return failure.status, failure.source
    cut = ".xlsx" in where and len(response.text) >= LONGEST_XLSX_CELL
    return Status.TRUNCATED if cut else Status.OK, ""


def _whole(value: Any, where: str) -> int:
    try:
        number = float(value)
        if number < 0 or number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise SafecotError(f"{where}: output_tokens is {str(value)[:40]!r}, not a whole number.") from error
    return int(number)
