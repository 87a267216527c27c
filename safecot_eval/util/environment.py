"""Variables that libraries read when they are loaded; called before torch is, and what the user has set stays."""

from __future__ import annotations

import os

DEFAULTS = {
    "TOKENIZERS_PARALLELISM": "false",  # it warns of every fork otherwise
    # Threads that wait for work spin for some microseconds and then sleep. By default they spin a hundred times as long,
    # and take several times as long where other work has the cores (bench/results/threads.md).
    "GOMP_SPINCOUNT": "3000",
}


def prepare() -> None:
    """Set the defaults for this process and those that it starts."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
