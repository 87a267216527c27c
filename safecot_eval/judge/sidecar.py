"""Verdict files beside the samples: ``verdicts/<judge id>.jsonl``, appended in order, safe against every kind of stop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from safecot_eval.judge.replies import CUT, CUT_REASONING
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import locked, write_bytes
from safecot_eval.util.paths import slug


class Place(NamedTuple):
    """What a verdict is about, by the names of its line in the file."""

    task: str
    stamp: str
    sample_id: str
    rubric: str


def file_name(judge_id: str) -> str:
    """Name of a judge's verdict file.

    >>> file_name("human:msts")
    'human-msts.jsonl'
    """
    return slug(judge_id, keep="@", by="-") + ".jsonl"


class Sidecar:
    """One judge's verdicts on the runs of one folder; a context manager that holds the file's lock.

    On entry a cut last line (an append was interrupted), verdicts that are ``missing`` or were cut off (they are asked for
    again) and verdicts by an older wording of ``hashes``' rubrics are dropped; the file is replaced as a whole, or not touched.

    Args:
        folder: The folder of the samples files.
        judge_id: Whose verdicts.
        hashes: Rubric id to its present hash.

    Raises:
        SafecotError: another process is judging with this judge here, or the file is damaged.
    """

    def __init__(self, folder: Path, judge_id: str, hashes: Mapping[str, str]) -> None:
        self.path = folder / "verdicts" / file_name(judge_id)
        self._hashes = dict(hashes)
        self._lock_path = self.path.with_name(f".{self.path.name}.lock")
        self._held = contextlib.ExitStack()
        self.done: set[Place] = set()

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._held.enter_context(locked(self._lock_path))
        except BlockingIOError as error:
            raise SafecotError(
                f"{self.path}: another process is writing verdicts of this judge; wait for it, or stop it."
            ) from error
        except OSError as error:
            raise SafecotError(f"{self.path}: cannot be written ({error.strerror}).") from error
        try:
            self._load()
            self._stream = self.path.open("ab")
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with contextlib.suppress(OSError):  # what a full disk did not take was reported on writing
                self._stream.close()
            if not self.path.stat().st_size:
                self.path.unlink()
        finally:
            self._held.close()

    def _load(self) -> None:
        if not self.path.is_file():
            return
        kept: list[bytes] = []
        tidy = True
        for number, line in enumerate(self.path.read_bytes().splitlines(keepends=True), start=1):
            whole = line.endswith(b"\n")
            try:
                verdict = orjson.loads(line)
                place = Place(*(str(verdict.get(name) or "") for name in Place._fields))
            except (orjson.JSONDecodeError, AttributeError) as error:
                if not whole:
                    tidy = False
                    continue
                raise SafecotError(
                    f"{self.path}, line {number}: not a verdict; repair or delete the file."
                ) from error
            current = self._hashes.get(place.rubric, verdict.get("rubric_hash")) == verdict.get("rubric_hash")
            again = verdict.get("label") == Unscored.MISSING or verdict.get("failure") in (CUT, CUT_REASONING)
            if again or not current or place in self.done:
                tidy = False
                continue
            tidy = tidy and whole
            self.done.add(place)
            kept.append(line if whole else line + b"\n")
        if not tidy:
            write_bytes(self.path, b"".join(kept))

    def append(self, verdicts: Sequence[Mapping[str, Any]]) -> None:
        """Write verdicts and wait until they are on the disk.

        Raises:
            SafecotError: the disk is full or gone.
        """
        try:
            self._stream.write(b"".join(map(_line, verdicts)))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise SafecotError(f"{self.path}: cannot be written ({error.strerror}).") from error


def _line(verdict: Mapping[str, Any]) -> bytes:
    return orjson.dumps(verdict, option=orjson.OPT_APPEND_NEWLINE)


def count_lines(paths: Iterable[Path]) -> int:
    """Lines of files, without reading them as JSON."""
    total = 0
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(2**20):
                total += block.count(b"\n")
    return total
