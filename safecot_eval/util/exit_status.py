"""Exit statuses of ``safecot``, the same ones in every command (docs/recipes.md has them as a table)."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a command's end means to a script."""

    DONE = 0
    """All that was asked for is done."""
    FAILED = 1
    """Something failed on the way: lmms-eval, a model of a matrix, a check of ``doctor`` or ``train check``."""
    MISTAKE = 2
    """A mistake, or something missing, that the user can put right; one sentence says what."""
    INCOMPLETE = 3
    """Results are written, but some items have no answer, no verdict or no match."""
    INTERRUPTED = 130
    """Ctrl-C: 128 and the signal's number, as shells report it."""
