"""Resumable checkpoints that say whether they are whole.

When a checkpoint has been written by all processes, the first process adds ``integrity.json`` with the size and hash of
every file. A checkpoint without it was interrupted; one whose files differ from it is damaged. Either is named and left
alone, and the one before it is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import read_json, sha256, write_json

INTEGRITY = "integrity.json"
_NAME = re.compile(r"^checkpoint-(\d+)$")


@dataclass(frozen=True, slots=True)
class Found:
    """Result of the search for a checkpoint.

    Attributes:
        path: Newest whole checkpoint, or None.
        damaged: Newer ones that cannot be used, each with its reason.
    """

    path: Path | None
    damaged: tuple[str, ...]


def seal(folder: Path) -> None:
    """Write ``integrity.json``.

    Raises:
        SafecotError: the disk is full.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != INTEGRITY)
    write_json(
        folder / INTEGRITY,
        {str(path.relative_to(folder)): [path.stat().st_size, sha256(path)] for path in files},
    )


def damage(folder: Path) -> str | None:
    """Why a checkpoint cannot be used, or None."""
    seal_file = folder / INTEGRITY
    if not seal_file.is_file():
        return f"{folder.name} was not finished"
    try:
        expected = read_json(seal_file)
    except SafecotError:
        return f"{folder.name}: {INTEGRITY} is damaged"
    for name, (size, digest) in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{folder.name}: {name} is missing"
        if path.stat().st_size != size or sha256(path) != digest:
            return f"{folder.name}: {name} is damaged"
    return None


def newest_whole(folder: Path) -> Found:
    """Find the newest checkpoint that is whole."""
    numbered = [
        (int(found.group(1)), path)
        for path in folder.glob("checkpoint-*")
        if (found := _NAME.match(path.name))
    ]
    damaged: list[str] = []
    for _, path in sorted(numbered, reverse=True):
        reason = damage(path)
        if reason is None:
            return Found(path, tuple(damaged))
        damaged.append(reason)
    return Found(None, tuple(damaged))
