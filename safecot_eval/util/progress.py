"""One progress display for every pass: a bar on a terminal, plain lines elsewhere, JSON lines where asked.

``safecot --log-format json …`` (or ``SAFECOT_LOG_FORMAT=json``) writes one JSON object per event to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

FORMAT_VARIABLE = "SAFECOT_LOG_FORMAT"
LINE_EVERY_S = 15.0


def json_wanted() -> bool:
    """Whether events are written as JSON lines."""
    return os.environ.get(FORMAT_VARIABLE) == "json"


def event(kind: str, **fields: Any) -> None:
    """Write one JSON line to standard error, where JSON is wanted."""
    if json_wanted():
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": kind, **fields}
        print(json.dumps(line, ensure_ascii=True, default=str), file=sys.stderr, flush=True)


class Progress:
    """How far a pass is; a context manager.

    Args:
        title: Name of the pass: ``generate``, ``judge`` …
        total: How many things there are to do.
        done: How many of them were done before (by an earlier, interrupted run).
        unit: What they are.
        quiet: Show nothing (ranks other than 0).
    """

    def __init__(
        self, title: str, total: int, *, done: int = 0, unit: str = "samples", quiet: bool = False
    ) -> None:
        self.title, self.total, self.done, self.unit, self.quiet = title, total, done, unit, quiet
        self._before = done
        self._started = self._shown = time.monotonic()
        self._numbers: dict[str, Any] = {}
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self.quiet:
            return self
        if json_wanted():
            event("start", **{"pass": self.title}, total=self.total, done=self.done, unit=self.unit)
        elif sys.stderr.isatty():
            self._start_bar()
        else:
            kept = f", {self.done} of them already done" if self.done else ""
            print(f"{self.title}: {self.total} {self.unit}{kept}", file=sys.stderr, flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif not self.quiet:
            self._say("end" if error is None else "interrupted")

    def advance(self, count: int = 1, **numbers: Any) -> None:
        """Count things as done.

        Args:
            count: How many.
            numbers: Figures to show beside the bar, such as ``tokens=1200`` or ``failed=3``.
        """
        self.done += count
        self._numbers.update(numbers)
        if self.quiet:
            return
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, numbers=self._figures())
        elif time.monotonic() - self._shown >= LINE_EVERY_S:
            self._say("progress")

    def complete(self) -> None:
        """Nothing is left to do: the total was an estimate, and becomes what was done."""
        self.total = self.done
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=self.total)

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=Console(stderr=True),
        )
        self._bar.start()
        self._task = self._bar.add_task(self.title, total=self.total, completed=self.done, numbers="")

    def _say(self, kind: str) -> None:
        self._shown = time.monotonic()
        seconds = max(self._shown - self._started, 1e-9)
        rate = (self.done - self._before) / seconds
        left = (self.total - self.done) / rate if rate > 0 else None
        if json_wanted():
            event(
                kind,
                **{"pass": self.title},
                done=self.done,
                total=self.total,
                per_second=round(rate, 3),
                seconds=round(seconds, 1),
                seconds_left=None if left is None else round(left),
                **self._numbers,
            )
            return
        ends = f", about {left / 60:.1f} min left" if left and kind == "progress" else ""
        figures = f" ({self._figures()})" if self._numbers else ""
        word = "interrupted at " if kind == "interrupted" else ""
        print(
            f"{self.title}: {word}{self.done} of {self.total} {self.unit}, {rate:.1f}/s{ends}{figures}",
            file=sys.stderr,
            flush=True,
        )

    def _figures(self) -> str:
        return ", ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
            for name, value in self._numbers.items()
        )
