"""The submission file: written whole with its own hash, read back without trusting anything in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safecot_eval import __version__
from safecot_eval.submissions.blocks import CODES
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of, unreadable, write_text

SCHEMA = "safecot-submission/1"
SUFFIX = ".safecot.json"
MAX_BYTES = 64 * 2**20


def seal(
    model: str,
    blocks: Sequence[Mapping[str, Any]],
    *,
    submitter: str = "",
    relationship: str = "other",
    note: str = "",
    now: datetime | None = None,
) -> dict[str, Any]:
    """Put blocks into a submission and add its hash.

    Args:
        model: Name on the leaderboard.
        blocks: See :func:`safecot_eval.submissions.blocks.task_block`.
        submitter: Who submits.
        relationship: ``first_party`` (made the model), ``third_party``, ``collaborative`` or ``other``.
        note: Anything a reviewer should know.
        now: The time; that of the clock where not given.
    """
    content = {
        "schema": SCHEMA,
        "model": model,
        "created": f"{now or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "safecot_eval": __version__,
        "submitter": {"name": submitter, "relationship": relationship},
        "note": note,
        "codes": CODES,
        "tasks": [dict(block) for block in blocks],
    }
    return {**content, "sha256": content_hash(content)}


def content_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 of a submission without its own hash: JSON with sorted keys, no blanks, ASCII.

    >>> content_hash({"b": 1, "a": 2, "sha256": "x"}) == content_hash({"a": 2, "b": 1})
    True
    """
    content = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return sha256_of(text)


def save(document: Mapping[str, Any], path: Path) -> None:
    """Write a submission, one task to a line so that a diff says which changed.

    Raises:
        SafecotError: the file cannot be written.
    """
    parts = []
    for key, value in document.items():
        if key == "tasks":
            lines = ",\n".join(json.dumps(block, separators=(",", ":"), allow_nan=False) for block in value)
            parts.append(f'"tasks":[\n{lines}\n]')
        else:
            parts.append(f"{json.dumps(key)}:{json.dumps(value, allow_nan=False)}")
    write_text(path, "{" + ",\n".join(parts) + "}\n")


def load(path: Path) -> dict[str, Any]:
    """Parse a submission file; :func:`safecot_eval.submissions.validate` says whether it is sound.

    Raises:
        SafecotError: not a file, too large, no JSON object, a key that occurs twice, or a number that is none.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SafecotError(f"{path}: larger than {MAX_BYTES // 2**20} MiB; no submission is.")
        content = json.loads(
            path.read_bytes(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:120]
        raise SafecotError(f"{path}: not a submission file ({said}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: not a submission file (not a JSON object).")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value
