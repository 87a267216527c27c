"""Claims about one number and one threshold, decided by the number's interval."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    NOT_RUN = "not run"


def at_least(low: float, high: float, threshold: float, *, strictly: bool = False) -> Outcome:
    """Decide whether a number with the interval [low, high] is at least (or above) a threshold.

    >>> str(at_least(0.1, 0.4, 0.0)), str(at_least(-0.2, -0.1, 0.0)), str(at_least(-0.1, 0.1, 0.0))
    ('holds', 'does not hold', 'undecided')
    """
    if low > threshold or (low == threshold and not strictly):
        return Outcome.HOLDS
    return Outcome.FAILS if high < threshold or (high == threshold and strictly) else Outcome.UNDECIDED


def at_most(low: float, high: float, threshold: float) -> Outcome:
    """Decide whether a number with the interval [low, high] is at most a threshold."""
    if high <= threshold:
        return Outcome.HOLDS
    return Outcome.FAILS if low > threshold else Outcome.UNDECIDED
