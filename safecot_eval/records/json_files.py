"""Read JSON and JSON lines that others wrote: size limits, line numbers in every message, no NaN or infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from safecot_eval.util.errors import SafecotError

MAX_LINE_BYTES = 64 * 2**20


def enumerate_jsonl(
    path: Path,
    *,
    tolerate_cut_tail: bool = False,
    digest: Any = None,
    wanted: Callable[[bytes], bool] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) of a JSON-lines file; see :func:`enumerate_lines`."""
    for number, _, content in enumerate_lines(
        path, tolerate_cut_tail=tolerate_cut_tail, digest=digest, wanted=wanted
    ):
        yield number, content


def enumerate_lines(
    path: Path,
    *,
    tolerate_cut_tail: bool = False,
    digest: Any = None,
    wanted: Callable[[bytes], bool] | None = None,
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield (line number from 1, byte offset, object) of a JSON-lines file.

    Args:
        path: The file.
        tolerate_cut_tail: Skip a last line without line end that does not parse (an append was interrupted).
        digest: A hash object that is updated with every line.
        wanted: Which lines are parsed; all if not given.

    Raises:
        SafecotError: the file cannot be read, or a line is not a JSON object or is over 64 MiB.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise SafecotError(f"{path}: cannot be read ({error.strerror}).") from error
    with stream:
        number = end = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number, offset, end = number + 1, end, end + len(line)
            if digest is not None:
                digest.update(line)
            if len(line) > MAX_LINE_BYTES:
                raise SafecotError(
                    f"{path}, line {number}: longer than 64 MiB; the file is damaged or hostile."
                )
            if not line.strip() or (wanted is not None and not wanted(line)):
                continue
            try:
                content = parse_line(line)
            except (ValueError, RecursionError) as error:
                if tolerate_cut_tail and not line.endswith(b"\n"):
                    return
                reason = " ".join(str(error).split())
                raise SafecotError(f"{path}, line {number}: not a JSON object ({reason}).") from error
            yield number, offset, content


def parse_line(line: bytes) -> dict[str, Any]:
    """Parse one line.

    Raises:
        ValueError: it is not a JSON object.
        RecursionError: it is nested too deeply.
    """
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        content = json.loads(line)  # lone surrogates and NaN, which only Python's own parser takes
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


MAX_RESULTS_BYTES = 256 * 2**20


def _finite(text: str) -> float | None:
    """A number; NaN, infinity and what is too large for a float become None, as JSON has none of them."""
    value = float(text)
    return value if math.isfinite(value) else None


def read_small_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty dict if the file is missing, broken, a link elsewhere or oversized."""
    try:
        if path.is_symlink() and path.resolve().parent != path.parent.resolve():
            return {}
        if path.stat().st_size > MAX_RESULTS_BYTES:
            return {}
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=lambda name: None, parse_float=_finite)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
