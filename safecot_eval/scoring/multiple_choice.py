"""Read the option letter out of a multiple-choice answer, without guessing."""

from __future__ import annotations

import re

_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^\W*([A-D])\W*$",  # the letter alone
        r"\(([A-D])\)",  # (B)
        r"(?i:answer|option|choice)(?i:\s+is)?\s*:?\s*\W?([A-D])\b",  # the answer is B
        r"^\W*([A-D])[.:)]",  # B. because …
    )
)


def chosen_option(answer: str) -> str | None:
    """Return the option an answer names, by the first form that occurs (the last mention of that form).

    SIUO's own parser picks a random letter where none is found; here that is a wrong answer, never a guess.

    >>> chosen_option("The correct option is C."), chosen_option("(A) is unsafe, so (B)"), chosen_option("A dog.")
    ('C', 'B', None)
    """
    for form in _FORMS:
        letters = form.findall(answer.strip())
        if letters:
            return str(letters[-1])
    return None
