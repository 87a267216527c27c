"""How the time of a function grows with its input: processor time, which other work on the machine hardly changes."""

from __future__ import annotations

import time
from collections.abc import Callable


def growth(work: Callable[[str], object], unit: str, count: int) -> float:
    """Processor time for four times the input, by the time for the input: about 4 where it grows linearly, 16 where squarely."""

    def seconds(text: str) -> float:
        found = []
        for _ in range(3):
            started = time.process_time()
            work(text)
            found.append(time.process_time() - started)
        return min(found)

    return seconds(unit * (4 * count)) / max(seconds(unit * count), 1e-4)
