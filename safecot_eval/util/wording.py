"""Words that agree with a number."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "answer"), counted(2, "answer"), counted(0, "reply"), counted(3, "process")
    ('1 answer', '2 answers', '0 replies', '3 processes')
    """
    return f"{count} {noun if count == 1 else _plural(noun)}"


def agreeing(count: int, one: str, many: str) -> str:
    """The form of a word, mostly a verb, that goes with a number.

    >>> agreeing(1, "is", "are"), agreeing(0, "is", "are")
    ('is', 'are')
    """
    return one if count == 1 else many


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
