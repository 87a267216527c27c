"""How far a matrix is, in a small file beside its runs: what ``safecot report --watch`` shows as progress.

``safecot_matrix.json`` holds ``started`` (seconds since 1970), ``answers_before`` (lines of the journal at the start) and
``cells``: ``model``, ``task``, ``items`` and ``outcome`` of each. It is written anew whenever an outcome changes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from safecot_eval.records.json_files import read_small_json
from safecot_eval.util.files import write_text

FILE = "safecot_matrix.json"
JOURNAL = ".journal"


class Outcome(StrEnum):
    """What became of one model on one task."""

    DONE_BEFORE = "done before"
    DONE = "done"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    NOT_STARTED = "not started"


_FINISHED = (Outcome.DONE.value, Outcome.DONE_BEFORE.value)


@dataclass(frozen=True, slots=True)
class State:
    """What is done of a matrix.

    Attributes:
        runs: Models times tasks.
        done: Of them, those with a complete run.
        failed: Of them, those that ended without one.
        items: Answers that are wanted in all.
        answers: Answers that are there, as far as the journal tells.
        seconds_left: At the rate since the start; None if nothing came yet.
        over: Nothing is left to be started.
    """

    runs: int
    done: int
    failed: int
    items: int
    answers: int
    seconds_left: float | None
    over: bool


class StateFile:
    """Writes the state of a matrix as its outcomes change.

    Args:
        output: The matrix's folder.
    """

    def __init__(self, output: Path) -> None:
        self._path = output / FILE
        self._head = {"started": time.time(), "answers_before": _lines(output)}

    def write(self, cells: Iterable[dict[str, Any]]) -> None:
        """Write ``model``, ``task``, ``items`` and ``outcome`` of all cells; a folder that cannot be written to stops no run."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps({**self._head, "cells": list(cells)}, indent=1) + "\n")
        except OSError:
            return


def read_state(folder: Path, now: float | None = None) -> State | None:
    """The state of the matrix whose output folder this is; None where there is none, or its file is damaged."""
    content = read_small_json(folder / FILE)
    cells = (content or {}).get("cells")
    if content is None or not isinstance(cells, list):
        return None
    try:
        outcomes = [Outcome(cell["outcome"]) for cell in cells]
        items = [max(0, int(cell["items"])) for cell in cells]
        started, before = float(content["started"]), int(content["answers_before"])
    except (KeyError, TypeError, ValueError):
        return None
    total = sum(items)
    finished = sum(n for n, o in zip(items, outcomes, strict=True) if o.value in _FINISHED)
    early = sum(n for n, o in zip(items, outcomes, strict=True) if o is Outcome.DONE_BEFORE)
    fresh = max(0, _lines(folder) - before)
    answers = min(total, max(finished, early + fresh))
    seconds = (time.time() if now is None else now) - started
    come = answers - early
    return State(
        runs=len(cells),
        done=sum(o.value in _FINISHED for o in outcomes),
        failed=sum(o in (Outcome.FAILED, Outcome.INCOMPLETE) for o in outcomes),
        items=total,
        answers=answers,
        seconds_left=(total - answers) * seconds / come if come > 0 and seconds > 0 else None,
        over=Outcome.NOT_STARTED not in outcomes,
    )


def _lines(folder: Path) -> int:
    count = 0
    for path in (folder / JOURNAL).glob("*.jsonl"):
        try:
            with path.open("rb") as stream:
                count += sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
        except OSError:
            continue
    return count
