"""Read JSON and JSON lines that others wrote: size limits, line numbers in every message, no NaN or infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable

MAX_LINE_BYTES = 64 * 2**20
_KINDS = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


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
        raise unreadable(path, error) from error
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
                raise SafecotError(f"{path}, line {number}: {_complaint(line, error)}.") from error
            yield number, offset, content


def _complaint(line: bytes, error: Exception) -> str:
    """What is wrong with a line that is not a JSON object."""
    if b"\0" in line:
        return "binary data, and no JSON lines; is it another kind of file, compressed, or UTF-16?"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "neither UTF-8 nor JSON; is it another kind of file, compressed, or text in another encoding?"
    reason = " ".join(str(error).split())
    if isinstance(error, json.JSONDecodeError):  # its own line is that within this line
        reason = f"{error.msg}, column {error.colno}" if error.lineno == 1 else f"{error.msg}, at its end"
    return f"not a JSON object ({reason})"


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
        raise ValueError(f"it is {_KINDS.get(type(content), 'a number')}")
    return content


MAX_RESULTS_BYTES = 256 * 2**20


def _finite(text: str) -> float | None:
    """A number; NaN, infinity and what is too large for a float become None, as JSON has none of them."""
    value = float(text)
    return value if math.isfinite(value) else None


_SPELLED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def spelled(content: Any) -> Any:
    """What JSON can hold of a value: NaN and infinities become the texts that Python and JavaScript spell them by.

    >>> spelled([[1, 2.5], [2, float("nan")]])
    [[1, 2.5], [2, 'NaN']]
    """
    if isinstance(content, dict):
        return {key: spelled(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [spelled(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return "NaN" if math.isnan(content) else "Infinity" if content > 0 else "-Infinity"
    return content


def unspelled(content: Any) -> Any:
    """The numbers of :func:`spelled` again.

    >>> unspelled({"loss": [1, "-Infinity"]})
    {'loss': [1, -inf]}
    """
    if isinstance(content, dict):
        return {key: unspelled(value) for key, value in content.items()}
    if isinstance(content, list):
        return [unspelled(value) for value in content]
    return _SPELLED.get(content, content) if isinstance(content, str) else content


def read_small_json(path: Path, *, spell: bool = False) -> dict[str, Any]:
    """A JSON object, or an empty dict if the file is missing, broken, a link elsewhere or oversized.

    Args:
        path: The file.
        spell: Numbers that are none become texts (:func:`spelled`) instead of None.
    """
    try:
        if path.is_symlink() and path.resolve().parent != path.parent.resolve():
            return {}
        if path.stat().st_size > MAX_RESULTS_BYTES:
            return {}
        text = path.read_text(encoding="utf-8")
        if spell:
            content = spelled(json.loads(text))
        else:
            content = json.loads(text, parse_constant=lambda name: None, parse_float=_finite)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
