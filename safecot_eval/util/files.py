"""Read, write, hash and lock small files. A file is written whole or not at all: no reader ever sees half of it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safecot_eval.util.errors import SafecotError

if TYPE_CHECKING:
    from filelock import BaseFileLock


def disk_error(path: Path, error: OSError) -> SafecotError:
    """Return the sentence for a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SafecotError(
            f"{path}: the disk is full; free some space and run the same command again (it resumes)."
        )
    return SafecotError(f"{path}: cannot be written ({error.strerror or error}).")


def unreadable(path: Path, error: OSError) -> SafecotError:
    """Return the sentence for a failed read.

    >>> str(unreadable(Path("no.csv"), FileNotFoundError()))
    'no.csv: no such file or folder.'
    """
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SafecotError(f"{path}: no such file or folder.")
    if isinstance(error, IsADirectoryError):
        return SafecotError(f"{path}: a folder, where a file is needed.")
    return SafecotError(f"{path}: cannot be read ({error.strerror or error}).")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside a file, which takes its place at the end, or is gone if something fails.

    Args:
        path: The file; its folder is created if needed.

    Raises:
        SafecotError: it cannot be written or the disk is full; the file is as it was, and nothing is left beside it.
    """
    scratch: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.")
        os.close(handle)
        scratch = Path(name)
        scratch.chmod(0o644)  # mkstemp's files are private; results are meant to be shared
        yield scratch
        os.replace(scratch, path)
        scratch = None
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Likewise for a folder with everything in it; an earlier folder of that name is removed at the end."""
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        yield scratch
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    except OSError as error:
        raise disk_error(folder, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; see :func:`replacing`."""
    with replacing(path) as scratch:
        scratch.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text; see :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any, *, indent: int = 2, ensure_ascii: bool = False) -> None:
    """Write indented JSON; see :func:`write_bytes`."""
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=ensure_ascii) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines; see :func:`write_bytes`."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        SafecotError: unreadable, or not an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise SafecotError(f"{path}: not a readable JSON file ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: must hold a JSON object.")
    return content


def sha256(path: Path) -> str:
    """Hash a file's bytes.

    Raises:
        SafecotError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def sha256_of(content: str | bytes) -> str:
    """Hash bytes, or a text's UTF-8."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def content_hash(content: Any) -> str:
    """Hash anything that JSON can hold, independent of key order.

    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    return sha256_of(json.dumps(content, sort_keys=True, ensure_ascii=True))


@contextmanager
def locked(path: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of a file, which is made if it is missing. Two places of one process exclude each other, too.

    Args:
        path: The lock file, in a folder that exists.
        wait_s: How long to wait for somebody else who holds it.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: the file cannot be made.
    """
    from filelock import Timeout

    # Not a singleton, and not of a thread: another place of this process, in whatever thread, is somebody else.
    lock = _lock_class()(path, timeout=wait_s, is_singleton=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise BlockingIOError(errno.EAGAIN, "somebody else holds the lock", str(path)) from error
    try:
        yield
    finally:
        lock.release()


@cache
def _lock_class() -> type[BaseFileLock]:
    from filelock import FileLock

    # lmms-eval (0.7.3, evaluator._enable_reentrant_filelocks) makes FileLock one object per path and process, which any place of
    # the process then takes again. It leaves a class of another name alone.
    return type("Lock", (FileLock,), {})
