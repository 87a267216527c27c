"""Reading, writing and hashing of small files: atomically, and with a sentence where the disk is full."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safecot_eval.errors import SafecotError


def disk_error(path: Path, error: OSError) -> SafecotError:
    """The sentence for a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SafecotError(
            f"{path}: the disk is full; free some space and run the same command again (it resumes)."
        )
    return SafecotError(f"{path}: cannot be written ({error.strerror or error}).")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        SafecotError: the disk is full or the folder is not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise disk_error(path, error) from error


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines, whole or not at all."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        SafecotError: unreadable, or not an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SafecotError(f"{path}: not a readable JSON file ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: must hold a JSON object.")
    return content


def sha256(path: Path) -> str:
    """Hash of a file's bytes.

    Raises:
        SafecotError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SafecotError(f"{path}: cannot be read ({error.strerror}).") from error


def content_hash(content: Any) -> str:
    """Hash of anything that JSON can hold, independent of key order.

    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def place_image(source: Path, folder: Path) -> tuple[str, str]:
    """Put an image under its content's name.

    Returns:
        Its path relative to the folder's parent, and its sha256.

    Raises:
        SafecotError: the image cannot be read, or the disk is full.
    """
    digest = sha256(source)
    target = folder / f"{digest[:20]}{source.suffix.lower()}"
    if not target.is_file():
        temporary = target.with_name(f".{target.name}.part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, temporary)
            os.replace(temporary, target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise disk_error(target, error) from error
    return f"{folder.name}/{target.name}", digest
