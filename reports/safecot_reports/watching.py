"""``safecot report --watch``: the page again whenever its runs have grown, until the matrix that writes them is over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.records.matrix_state import State, read_state
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import agreeing, counted

_SEEN = (".json", ".jsonl", ".parquet")


def watch(
    paths: Sequence[str],
    write: Callable[[dict[str, Any] | None], object],
    say: Callable[[str], None],
    *,
    every: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Write the page now and whenever something changes below its folders; returns when their matrix is over.

    Args:
        paths: Run folders, as for the page.
        write: Writes the page with the progress that it shows; None once everything is done.
        say: Prints one line.
        every: Seconds between two looks.
        sleep: Waits.
    """
    last: object = None
    while True:
        states = [state for path in paths if (state := read_state(Path(path))) is not None]
        over = bool(states) and all(state.over for state in states)
        seen = fingerprint(paths)
        if seen != last or over:
            try:
                write(None if over else progress(states, every))
                say(sentence(states))
                last = seen
            except SafecotError as error:  # nothing to show yet, or a file that is being written
                if over:
                    raise
                say(f"waiting: {error}")
        if over:
            return
        sleep(every)


def fingerprint(paths: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files below the paths."""
    found = []
    for path in paths:
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                if name.endswith(_SEEN):
                    try:
                        about = os.stat(os.path.join(folder, name))
                    except OSError:
                        continue
                    found.append((os.path.join(folder, name), about.st_size, about.st_mtime_ns))
    return tuple(found)


def progress(states: Sequence[State], every: float) -> dict[str, Any]:
    """What the page shows of a matrix that still runs."""
    return {
        "sentence": sentence(states),
        "items": sum(state.items for state in states),
        "answers": sum(state.answers for state in states),
        "written": time.strftime("%Y-%m-%d %H:%M:%S"),
        "every": max(5, round(every)),
    }


def sentence(states: Sequence[State]) -> str:
    """How far the matrix is and how long it takes.

    >>> sentence([State(4, 1, 1, 400, 100, 5400.0, False)])
    '1 of 4 runs is done, 1 failed; 100 of 400 answers; about 1 h 30 min left'
    """
    if not states:
        return "more runs may come"
    runs, done, failed, items, answers = (
        sum(getattr(state, name) for state in states)
        for name in ("runs", "done", "failed", "items", "answers")
    )
    parts = [
        f"{done} of {counted(runs, 'run')} {agreeing(done, 'is', 'are')} done"
        + (f", {failed} failed" if failed else "")
    ]
    if items:
        parts.append(f"{answers:,} of {items:,} answers")
    left = [state.seconds_left for state in states if not state.over]
    if left and None not in left:
        parts.append(f"about {_duration(max(second for second in left if second is not None))} left")
    return "; ".join(parts)


def _duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
