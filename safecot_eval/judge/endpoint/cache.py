"""Verdicts on disk, by judge and content: what was judged once, in whatever run, is not judged again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.util.appends import AppendLog
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from safecot_eval.util.paths import cache_dir

COMMIT_EVERY = 64
_SCHEMA = 2
_FIELDS = tuple(one.name for one in fields(ParsedJudgement))


def default_path() -> Path:
    """Where verdicts are kept, below the cache folder."""
    return cache_dir() / "judge" / f"verdicts-{_SCHEMA}.jsonl"


def key_of(model: str, content: str) -> str:
    """The key of a question: the judge's model with its revision, and the content (rubric and material)."""
    return sha256_of(f"{model}\0{content}")[:32]


def _plain(reading: ParsedJudgement) -> dict[str, Any]:
    """A reading as a dict; ``asdict``, which copies every value, took a sixteenth of the judge's processor time."""
    return {name: getattr(reading, name) for name in _FIELDS}


class VerdictCache:
    """Readings by question; a context manager. Several processes may use a file at once.

    What a server's restart may change (failures of the request) is not kept.

    Args:
        path: The file; None keeps nothing.

    Raises:
        SafecotError: the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._waiting: dict[str, ParsedJudgement] = {}
        self._log: AppendLog | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._log = AppendLog(path, durable=False)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> SafecotError:
        return SafecotError(
            f"{self.path}: the verdict cache cannot be used ({error.strerror}); delete the file, set SAFECOT_CACHE_DIR, or "
            "judge with --no-cache."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.commit()
        finally:
            if self._log is not None:
                self._log.close()

    def get_many(self, keys: Sequence[str]) -> dict[str, ParsedJudgement]:
        """The readings that are known."""
        found = {key: self._waiting[key] for key in keys if key in self._waiting}
        if self._log is not None:
            self._log.refresh()
            found |= {
                key: ParsedJudgement(**value) for key in keys if (value := self._log.get(key)) is not None
            }
        return found

    def put(self, key: str, reading: ParsedJudgement) -> None:
        """Keep a reading; written to disk with others, at most ``COMMIT_EVERY``."""
        self._waiting[key] = reading
        if self._log is not None and len(self._waiting) >= COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        """Write what is waiting."""
        if self._log is None:
            return
        try:
            self._log.append([(key, _plain(reading)) for key, reading in self._waiting.items()])
        except OSError as error:
            raise self._unusable(error) from error
        self._waiting.clear()
