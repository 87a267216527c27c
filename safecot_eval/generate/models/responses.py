"""Replay files: answers that exist already, one JSON object per line.

A line has ``task``, ``id`` (the benchmark's own item id), ``response``, and if known ``status`` (a
:class:`~safecot_eval.records.samples.Status`) and ``output_tokens``. One file may hold the answers of several tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import Status
from safecot_eval.scoring.failure_texts import of_recorded
from safecot_eval.util.errors import SafecotError


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of a replay file.

    Attributes:
        line: Its number, from 1.
        response: The whole generation, reasoning included.
        status: What the recording harness said about it; ``ok`` where it said nothing.
        output_tokens: Tokens of the generation, where recorded.
    """

    line: int
    response: str
    status: Status = Status.OK
    output_tokens: int | None = None


def read_responses(path: Path) -> dict[str, dict[str, Recorded]]:
    """Read a replay file.

    Returns:
        Task name to item id to what was recorded.

    Raises:
        SafecotError: the file cannot be read, a line is not such an object, or an id occurs twice (the line is named).

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "gpt.jsonl"
    >>> _ = file.write_text('{"task": "safecot_msts", "id": "case_1-intention", "response": "No."}')
    >>> read_responses(file)["safecot_msts"]["case_1-intention"].response
    'No.'
    """
    tasks: dict[str, dict[str, Recorded]] = {}
    for number, line in enumerate_jsonl(path):
        where = f"{path}, line {number}"
        task, item_id = _text(line, "task", where), _text(line, "id", where)
        items = tasks.setdefault(task, {})
        if item_id in items:
            raise SafecotError(
                f"{where}: {task} already has an answer to id {item_id!r} in line {items[item_id].line}; "
                "keep one of them."
            )
        items[item_id] = _recorded(line, number, where)
    if not tasks:
        raise SafecotError(
            f"{path}: the file holds no answers (one JSON object per line: task, id, response)."
        )
    return tasks


def _recorded(line: dict[str, Any], number: int, where: str) -> Recorded:
    response = line.get("response")
    if not isinstance(response, str):
        raise SafecotError(f"{where}: 'response' must be text ('' for an empty answer).")
    status, tokens = line.get("status", "ok"), line.get("output_tokens")
    if status not in list(Status):
        raise SafecotError(f"{where}: status {status!r} is none of {', '.join(Status)}.")
    if tokens is not None and (isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0):
        raise SafecotError(f"{where}: 'output_tokens' must be a whole number or absent.")
    if status == Status.OK and (failure := of_recorded(response)) is not None:
        status = failure.status
    return Recorded(number, response, Status(status), tokens)


def _text(line: dict[str, Any], key: str, where: str) -> str:
    value = line.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # ids that look like numbers are often written as numbers
    if not isinstance(value, str) or not value:
        raise SafecotError(f"{where}: {key!r} is missing; a line needs task, id and response.")
    return value
