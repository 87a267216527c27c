"""The journal's files: one line per answer (see :mod:`safecot_eval.util.appends`), a file per process of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from safecot_eval.util.appends import AppendLog
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from safecot_eval.util.wording import agreeing, counted


@dataclass(frozen=True, slots=True)
class Answer:
    """One stored generation.

    Attributes:
        text: The whole generation.
        finish_reason: What :mod:`safecot_eval.generate.finish_reasons` noted about its end, or None.
        tokens: Input, output and reasoning tokens as the back end counted them; None where it returned bare text.
    """

    text: str
    finish_reason: str | None = None
    tokens: tuple[int | None, int | None, int | None] | None = None


class Journal:
    """The answers of one model identity below an output folder; a context manager.

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
        try:
            folder.mkdir(parents=True, exist_ok=True)
            parts = sorted({*folder.glob(f"{name}.*.jsonl"), self.path})
            for path in parts:
                if path.is_symlink():
                    raise SafecotError(f"{path} is a symbolic link; a journal is a plain file. Remove it.")
            others = [path for path in parts if path != self.path]
            self._log = AppendLog(self.path, others=others, accept=_written_by_0_1)
        except OSError as error:
            raise SafecotError(f"{folder}: the journal cannot be opened ({error.strerror}).") from error

    @property
    def damaged(self) -> int:
        """Lines that were passed over."""
        return self._log.damaged

    def __len__(self) -> int:
        return len(self._log)

    def __contains__(self, key: str) -> bool:
        return key in self._log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: str) -> Answer | None:
        """The stored answer to a request, or None."""
        value = self._log.get(key)
        if value is None:
            return None
        tokens = value["tokens"]
        return Answer(
            value["text"], value["finish"], None if tokens is None else (tokens[0], tokens[1], tokens[2])
        )

    def append(self, answers: Sequence[tuple[str, Answer]]) -> None:
        """Store answers: they are on the disk when this returns.

        Raises:
            SafecotError: the disk is full or the folder has become read-only; earlier answers are intact.
        """
        try:
            self._log.append([(key, _value(answer)) for key, answer in answers])
        except OSError as error:
            raise SafecotError(
                f"{self.path}: the answers cannot be stored ({error.strerror}); {counted(len(self), 'answer')} {agreeing(len(self), 'is', 'are')} kept. "
                "Make room and run the same command again."
            ) from error

    def close(self) -> None:
        """Close the files."""
        self._log.close()


def _value(answer: Answer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "finish": answer.finish_reason,
        "tokens": None if answer.tokens is None else list(answer.tokens),
    }


def _written_by_0_1(content: Mapping[str, Any]) -> bool:
    """Whether a line fits the checksum of version 0.1, over its fields."""
    parts = [content["key"], content["text"], content["finish"], content["tokens"]]
    return bool(content["sum"] == sha256_of(json.dumps(parts, ensure_ascii=True))[:16])


def remove(folder: Path, name: str) -> int:
    """Delete the journal of a model identity (``--fresh``); returns how many files there were."""
    paths = list(folder.glob(f"{name}.*.jsonl"))
    for path in paths:
        path.unlink()
    return len(paths)
