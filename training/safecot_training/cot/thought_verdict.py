"""What a written thought says last of safety: the reading of :class:`~safecot_training.cot.thought_words.table.Words`.

Words for safe and unsafe are found with their negation ("no es peligroso", 并不危险). What the text takes back ("Although it looks
safe, …", "… is harmless, but"), asks or wishes is no verdict, and neither is a harmless picture of which the text goes on to
name the harm.

>>> last_verdict("The picture is harmless, but the request is dangerous."), last_verdict("没有危险。"), last_verdict("A cat.")
(True, False, None)
"""

from __future__ import annotations

import re
from typing import NamedTuple

from safecot_training.cot.thought_words import LANGUAGES
from safecot_training.cot.thought_words.table import Words

_SENTENCE_ENDS = re.compile(r"[.!?。！？\n]\s*")
_NEXT_END = re.compile(r"[.!?。！？\n]|$")
_AHEAD = 200
"""Letters behind a verdict in which it may be taken back."""


class _Found(NamedTuple):
    place: int
    unsafe: bool
    stands: bool


def last_verdict(text: str) -> bool | None:
    """Whether a text ends by calling the item unsafe (True) or safe (False); None if it calls it neither."""
    found = sorted(verdict for words in LANGUAGES for verdict in _verdicts(text, words))
    for words in LANGUAGES:  # "The picture is harmless; the question is not."
        for match in words.opposite.finditer(text):
            said = [verdict for verdict in found if verdict.place < match.start()]
            if said:
                found.append(_Found(match.end(), not said[-1].unsafe, stands=True))
    standing = [verdict for verdict in found if verdict.stands]
    return max(standing).unsafe if standing else None


def _verdicts(text: str, words: Words) -> list[_Found]:
    found = []
    for pattern, unsafe in ((words.safe, False), (words.unsafe, True)):
        for match in pattern.finditer(text):
            before = _SENTENCE_ENDS.split(text[: match.start()])[-1]
            after = text[match.end() : match.end() + _AHEAD]
            negated = any(match.groupdict().values()) or words.negation.search(before) is not None
            stands = not (
                words.wished.search(before)
                or words.turned_before.search(before)
                or words.turned_after.search(after)
            )
            end = _NEXT_END.search(text, match.end())
            if end is not None and end.group() in ("?", "？"):
                denied = words.denial.search(text[end.end() :].strip()) is not None
                negated, stands = negated is not denied, stands and denied
            called_unsafe = unsafe is not negated
            if not called_unsafe and words.picture.search(before) and end is not None:
                rest = text[end.end() :]
                stands = stands and not (words.request.search(rest) and words.harm.search(rest))
            found.append(_Found(match.start(), called_unsafe, stands))
    return found
