"""The journal's files: one JSON line per answer, appended, synced, checked when read.

A line is ``{"key", "text", "finish", "tokens", "sum"}``. ``sum`` is a checksum of the others: a line that was cut by a
crash or damaged on disk is never taken for an answer, and its request is asked again. Only the places of the answers
are held in memory, not their texts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from safecot_eval.util.errors import SafecotError

MAX_LINE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """One stored generation.

    Attributes:
        text: The whole generation.
        finish: What :mod:`safecot_eval.generate.finish_reasons` noted about its end, or None.
        tokens: Input, output and reasoning tokens as the back end counted them; None where it returned bare text.
    """

    text: str
    finish: str | None = None
    tokens: tuple[int | None, int | None, int | None] | None = None


class Journal:
    """The answers of one model identity below an output folder.

    Every process of a distributed run appends to a part file of its own and reads all of them.

    Args:
        folder: The journal's folder; created where it does not exist.
        name: Model identity; part of the file names.
        part: Number of this process.

    Raises:
        SafecotError: the folder or its files cannot be read or written.
    """

    def __init__(self, folder: Path, name: str, *, part: int = 0) -> None:
        self.path = folder / f"{name}.{part}.jsonl"
        self.damaged = 0
        self._readers: list[BinaryIO] = []
        self._places: dict[str, tuple[int, int]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _cut_torn_tail(self.path)
            for path in sorted({*folder.glob(f"{name}.*.jsonl"), self.path}):
                if path.is_symlink():
                    raise SafecotError(f"{path} is a symbolic link; a journal is a plain file. Remove it.")
                path.touch(exist_ok=True)
                self._index(path)
            self._own = sorted({*folder.glob(f"{name}.*.jsonl")}).index(self.path)
            self._writer = self.path.open("ab")
            _sync_folder(folder)
        except OSError as error:
            raise SafecotError(f"{folder}: the journal cannot be opened ({error.strerror}).") from error

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, key: str) -> Answer | None:
        """The stored answer to a request, or None."""
        place = self._places.get(key)
        if place is None:
            return None
        reader = self._readers[place[0]]
        reader.seek(place[1])
        found = parse_line(reader.readline(MAX_LINE_BYTES + 1))
        return found[1] if found is not None and found[0] == key else None

    def append(self, answers: Sequence[tuple[str, Answer]]) -> None:
        """Store answers: they are on the disk when this returns.

        Raises:
            SafecotError: the disk is full or the folder has become read-only; earlier answers are intact.
        """
        if not answers:
            return
        lines = [write_line(key, answer) for key, answer in answers]
        start = self._writer.tell()
        try:
            self._writer.write(b"".join(lines))
            self._writer.flush()
            os.fsync(self._writer.fileno())
        except OSError as error:
            self._undo(start)
            raise SafecotError(
                f"{self.path}: the answers cannot be stored ({error.strerror}); {len(self)} answers are kept. "
                "Make room and run the same command again."
            ) from error
        for (key, _), line in zip(answers, lines, strict=True):
            self._places[key] = (self._own, start)
            start += len(line)

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
        for reader in self._readers:
            reader.close()

    def _undo(self, size: int) -> None:
        """Cut what a failed write left; where even that fails, the next opening cuts the torn line."""
        try:
            os.ftruncate(self._writer.fileno(), size)
            self._writer.close()  # what is still buffered is lost with it
        except OSError:
            pass
        self._writer = self.path.open("ab")

    def _index(self, path: Path) -> None:
        reader = path.open("rb")
        self._readers.append(reader)
        offset = 0
        while line := reader.readline(MAX_LINE_BYTES + 1):
            found = parse_line(line)
            if found is not None:
                self._places[found[0]] = (len(self._readers) - 1, offset)
            elif line.strip():
                self.damaged += 1
            offset += len(line)


def write_line(key: str, answer: Answer) -> bytes:
    """One line of a journal.

    >>> parse_line(write_line("ab", Answer("No.", "stop", (3, 2, None))))
    ('ab', Answer(text='No.', finish='stop', tokens=(3, 2, None)))
    """
    content: dict[str, Any] = {
        "key": key,
        "text": answer.text,
        "finish": answer.finish,
        "tokens": None if answer.tokens is None else list(answer.tokens),
    }
    content["sum"] = _checksum(content)
    return json.dumps(content, ensure_ascii=True).encode() + b"\n"


def parse_line(line: bytes) -> tuple[str, Answer] | None:
    """Key and answer of a line; None where it is cut, damaged or something else.

    >>> parse_line(write_line("ab", Answer("No."))[:-5]) is None
    True
    """
    if not line.endswith(b"\n"):
        return None
    try:
        content = json.loads(line)
        if content["sum"] != _checksum(content):
            return None
        tokens = content["tokens"]
        counts = None if tokens is None else (tokens[0], tokens[1], tokens[2])
        return content["key"], Answer(content["text"], content["finish"], counts)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None


def _checksum(content: dict[str, Any]) -> str:
    parts = [content["key"], content["text"], content["finish"], content["tokens"]]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:16]


def _cut_torn_tail(path: Path) -> None:
    """Remove a last line without line end: a crash interrupted its append."""
    if path.is_symlink() or not path.exists():
        return
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(0, end - 65536)
            stream.seek(start)
            found = stream.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            stream.truncate(end)
            os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(folder: Path, name: str) -> int:
    """Delete the journal of a model identity (``--fresh``); returns how many files there were."""
    paths: Iterable[Path] = list(folder.glob(f"{name}.*.jsonl"))
    count = 0
    for path in paths:
        path.unlink()
        count += 1
    return count
