"""Split a generation into reasoning and answer.

A refusal is looked for in the answer only: a chain of thought that says "so I cannot assist" is not yet a refusal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

THINK = ("<think>", "</think>")
SAFECOT = ("<safety_reasoning>", "</safety_reasoning>")
DEFAULT_MARKERS: tuple[tuple[str, str], ...] = (THINK, SAFECOT)
"""Opening and closing markers that are recognised unless a task says otherwise."""


@dataclass(frozen=True, slots=True)
class Split:
    """A generation in two parts.

    Attributes:
        reasoning: The text between the markers; empty where the model did not reason.
        answer: What remains for the user, stripped.
        answer_start: Offset of ``answer`` in the raw text, so that spans can be shown in either.
        closed: False where reasoning began and never ended: there is no answer then.
    """

    reasoning: str
    answer: str
    answer_start: int
    closed: bool


def split(raw: str, markers: Sequence[tuple[str, str]] = DEFAULT_MARKERS) -> Split:
    """Split at the first marker pair that occurs.

    A text that has only the closing marker (the opening one was part of the prompt) is split there too.

    >>> split("<think>a knife, harmless</think> It is a kitchen.").answer
    'It is a kitchen.'
    >>> split("<think>never ends").closed
    False
    >>> split("plain").reasoning
    ''
    """
    for opening, closing in markers:
        start = raw.find(opening)
        end = raw.rfind(closing)
        if end >= 0:
            begin = start + len(opening) if 0 <= start < end else 0
            return _split_at(raw, raw[begin:end].strip(), end + len(closing))
        if start >= 0 and not raw[:start].strip():
            return Split(raw[start + len(opening) :].strip(), "", len(raw), closed=False)
    return _split_at(raw, "", 0)


def _split_at(raw: str, reasoning: str, answer_from: int) -> Split:
    tail = raw[answer_from:]
    answer = tail.strip()
    return Split(reasoning, answer, answer_from + (len(tail) - len(tail.lstrip())), closed=True)
