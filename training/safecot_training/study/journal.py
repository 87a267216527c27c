"""The journal of finished runs: one line each, with what it cost. What is in it is not run again."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from pathlib import Path
from typing import Any

from safecot_training.study.plan import Run


class Journal:
    """``journal.jsonl`` in the study folder; several processes may write to it.

    Each line holds ``run`` (its name), ``variant``, ``steps``, CPU seconds (``data_s``, ``train_s``, ``evaluate_s``),
    ``commit`` (of the code that ran it; absent: the study's first), ``process`` and ``finished`` (time, UTC).
    """

    def __init__(self, out: Path) -> None:
        self.path = out / "journal.jsonl"

    def rows(self) -> list[dict[str, Any]]:
        """All lines; what a killed process left half written is none."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def has(self, run: Run) -> bool:
        """Whether a run is finished."""
        return any(row["run"] == run.name for row in self.rows())

    def add(self, run: Run, commit: str | None = None, **seconds: float) -> None:
        """Enter a finished run."""
        row = {
            "run": run.name,
            "variant": run.variant.value,
            "steps": run.setting.steps,
            **seconds,
            **({"commit": commit} if commit else {}),
            "process": os.getpid(),
            "finished": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        }
        whole = not self.path.is_file() or self.path.read_bytes()[-1:] in (b"", b"\n")
        with self.path.open("ab") as stream:
            stream.write((b"" if whole else b"\n") + json.dumps(row).encode() + b"\n")
