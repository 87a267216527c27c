"""One way to keep results as they come: JSON lines that are appended, checked when read, and outlive every kind of stop.

A crash can leave a last line without its end, a line whose bytes were lost, or the same result twice. None of them is ever
read as a result: an unfinished tail is cut before the next append, a line that does not fit its checksum is passed over, and
of two lines with the same key the later one counts. Only the places of the values are held in memory, not the values.

Processes may share a file: each append holds a lock, and what others appended is seen by :meth:`AppendLog.refresh`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from safecot_eval.util.files import locked

MAX_LINE_BYTES = 64 * 2**20
_LOCK_WAIT_S = 60.0
_SUM = b', "sum": "%s"}\n'
_SUM_LENGTH = len(_SUM % bytes(16))
Accept = Callable[[dict[str, Any]], bool]


class AppendLog:
    """Values by key in a file; a context manager.

    Args:
        path: The file, in a folder that exists; created if it is missing.
        others: Further files that are read and not written (parts of other processes); the own file counts last.
        durable: Each append is on the disk when it returns. Otherwise it outlives the process, but not a power cut.
        accept: Whether a line without our checksum is a result: one that an older version wrote.

    Raises:
        OSError: a file cannot be opened.

    Attributes:
        damaged: Lines that were passed over.
    """

    def __init__(
        self,
        path: Path,
        *,
        others: Sequence[Path] = (),
        durable: bool = True,
        accept: Accept = lambda content: False,
    ) -> None:
        self.path, self.damaged = path, 0
        self._durable, self._accept = durable, accept
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = path.with_name(f".{path.name}.lock")
        self._writer = path.open("ab", buffering=0)
        self._readers: list[BinaryIO] = []
        self._read_to = [0] * (len(others) + 1)
        try:
            for other in [*others, path]:
                self._readers.append(other.open("rb"))
                self._index(len(self._readers) - 1)
            if durable:
                _sync_folder(path.parent)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: str) -> dict[str, Any] | None:
        """The value of a key, or None."""
        place = self._places.get(key)
        if place is None:
            return None
        reader = self._readers[place[0]]
        reader.seek(place[1])
        found = parse_line(reader.readline(MAX_LINE_BYTES + 1), self._accept)
        return found[1] if found is not None and found[0] == key else None

    def append(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep values.

        Raises:
            OSError: they cannot be written; the file is as it was.
        """
        if not entries:
            return
        lines = [write_line(key, value) for key, value in entries]
        with locked(self._lock, wait_s=_LOCK_WAIT_S):
            start = self._cut_tail()
            self.refresh()
            try:
                _write_all(self._writer, b"".join(lines))
                if self._durable:
                    os.fsync(self._writer.fileno())
            except OSError:
                # Where even that fails, the next append cuts what is left.
                with contextlib.suppress(OSError):
                    os.truncate(self._writer.fileno(), start)
                raise
        own = len(self._readers) - 1
        for (key, _), line in zip(entries, lines, strict=True):
            self._places[key] = (own, start)
            start += len(line)
        self._read_to[own] = start

    def refresh(self) -> None:
        """See what other processes appended."""
        self._index(len(self._readers) - 1)

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
        for reader in self._readers:
            reader.close()

    def _index(self, number: int) -> None:
        """Note the places of what was appended since the last look; a line without its end is left for later."""
        reader, offset = self._readers[number], self._read_to[number]
        if os.fstat(reader.fileno()).st_size <= offset:
            return
        reader.seek(offset)
        while line := reader.readline(MAX_LINE_BYTES + 1):
            if not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
                break
            found = parse_line(line, self._accept)
            if found is not None:
                self._places[found[0]] = (number, offset)
            elif line.strip():
                self.damaged += 1
            offset += len(line)
        self._read_to[number] = offset

    def _cut_tail(self) -> int:
        """Remove a last line without line end: a crash interrupted its append. Returns the size, under the lock."""
        reader = self._readers[-1]
        size = end = reader.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            reader.seek(start)
            found = reader.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            os.truncate(self._writer.fileno(), end)
        return end


def write_line(key: str, value: Mapping[str, Any]) -> bytes:
    """One line, with its checksum.

    >>> parse_line(write_line("ab", {"text": "No."}))
    ('ab', {'text': 'No.'})
    """
    start = json.dumps({"key": key, **value}, ensure_ascii=True).encode()[:-1]
    return start + _SUM % _checksum(start)


def parse_line(line: bytes, accept: Accept = lambda content: False) -> tuple[str, dict[str, Any]] | None:
    """Key and value of a line; None for one that is cut, damaged or something else.

    >>> parse_line(write_line("ab", {"text": "No."})[:-5]) is None
    True
    """
    start = line[:-_SUM_LENGTH]
    checked = line[-_SUM_LENGTH:] == _SUM % _checksum(start)
    try:
        content = _loads(line)
        key = content.pop("key")
        if not isinstance(key, str) or not (checked or accept({"key": key, **content})):
            return None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None
    content.pop("sum", None)
    return key, content


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)  # half of a surrogate pair in a model's answer


def _checksum(start: bytes) -> bytes:
    return hashlib.sha256(start).hexdigest()[:16].encode()


def _write_all(stream: Any, content: bytes) -> None:
    """Write on where a single call took only a part."""
    left = memoryview(content)
    while left:
        left = left[stream.write(left) or 0 :]


def _sync_folder(folder: Path) -> None:
    """Have a new file's name outlive a power cut, where folders can be synced (Windows has no such call)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
