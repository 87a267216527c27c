"""Numbers as the page, the Markdown and the CSV write them: rates in per cent, differences in points."""

from __future__ import annotations

import math

from safecot_eval.stats.claims import Outcome
from safecot_eval.stats.compare import Comparison
from safecot_eval.stats.estimates import Estimate

NOTHING = "–"
MINUS = "\N{MINUS SIGN}"
SIGNS = {
    Outcome.HOLDS: "holds",
    Outcome.FAILS: "does not hold",
    Outcome.UNDECIDED: "undecided",
    Outcome.NOT_RUN: NOTHING,
}


def percent(value: float | None, digits: int = 1) -> str:
    """A share in per cent, without the sign.

    >>> percent(0.6266), percent(-0.5), percent(None)
    ('62.7', '−50.0', '–')
    """
    return NOTHING if value is None or math.isnan(value) else f"{100 * value:.{digits}f}".replace("-", MINUS)


def rate(found: Estimate | None) -> str:
    """A rate with its interval.

    >>> from safecot_eval.stats import rate as estimate
    >>> rate(estimate(8, 10))
    '80.0 [49.0, 94.3]'
    """
    if found is None:
        return NOTHING
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}]"


def points(value: float) -> str:
    """A difference in points, with its sign.

    >>> points(0.213), points(-0.05), points(0.0)
    ('+21.3', '−5.0', '0.0')
    """
    shown = f"{100 * abs(value):.1f}"
    return shown if float(shown) == 0 else ("+" if value > 0 else MINUS) + shown


def difference(found: Comparison | None) -> str:
    """A difference with its interval."""
    if found is None:
        return NOTHING
    return f"{points(found.diff)} [{points(found.low)}, {points(found.high)}]"


def p_value(p: float) -> str:
    """A p value.

    >>> p_value(0.00001), p_value(0.0321), p_value(1.0)
    ('< 0.001', '0.032', '1')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}".rstrip("0").rstrip(".") if p < 1 else "1"


def listed(names: list[str]) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def count(number: int) -> str:
    """A count with thousands apart.

    >>> count(28809)
    '28,809'
    """
    return f"{number:,}"
