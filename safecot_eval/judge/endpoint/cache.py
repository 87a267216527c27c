"""Verdicts on disk, by judge and content: what was judged once, in whatever run, is not judged again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from safecot_eval.judge.replies import Reading
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import cache_dir

COMMIT_EVERY = 64
_SELECT_AT_ONCE = 500
_SCHEMA = 1


def default_path() -> Path:
    """Where verdicts are kept, below the cache folder."""
    return cache_dir() / "judge" / f"verdicts-{_SCHEMA}.sqlite"


def key_of(model: str, content: str) -> bytes:
    """The key of a question: the judge's model with its revision, and the content (rubric and material)."""
    return hashlib.sha256(f"{model}\0{content}".encode()).digest()


class VerdictCache:
    """A table of readings; a context manager.

    What a server's restart may change (failures of the request) is not kept.

    Args:
        path: The file; None keeps nothing.

    Raises:
        SafecotError: the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._waiting: dict[bytes, Reading] = {}
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(str(path or ":memory:"), timeout=60, isolation_level=None)
            # WAL with NORMAL: a killed process loses nothing that was committed.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS verdicts (key BLOB PRIMARY KEY, label TEXT NOT NULL, probability REAL, "
                "raw TEXT NOT NULL, failure TEXT NOT NULL, decoding TEXT NOT NULL) WITHOUT ROWID"
            )
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> SafecotError:
        return SafecotError(
            f"{self.path}: the verdict cache cannot be used ({error}); delete the file, set SAFECOT_CACHE_DIR, or judge "
            "with --no-cache."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.commit()
        finally:
            self._database.close()

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Reading]:
        """The readings that are known."""
        found = {key: self._waiting[key] for key in keys if key in self._waiting}
        try:
            for start in range(0, len(keys), _SELECT_AT_ONCE):
                part = keys[start : start + _SELECT_AT_ONCE]
                marks = ",".join("?" * len(part))
                # Only question marks are put into the text.
                rows = self._database.execute(f"SELECT * FROM verdicts WHERE key IN ({marks})", part)  # noqa: S608  # nosec B608
                found.update({row[0]: Reading(*row[1:]) for row in rows})
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return found

    def put(self, key: bytes, reading: Reading) -> None:
        """Keep a reading; written to disk with others, at most ``COMMIT_EVERY``."""
        self._waiting[key] = reading
        if len(self._waiting) >= COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        """Write what is waiting."""
        rows = [
            (key, str(r.label), r.probability, r.raw, r.failure, r.decoding)
            for key, r in self._waiting.items()
        ]
        if not rows:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        self._waiting.clear()
