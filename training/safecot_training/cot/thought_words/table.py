"""What is known of a language: patterns that are read by the filter of written thoughts."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language's table.

    Attributes:
        common: A word that nearly every text of the language holds.
        refuses: Somebody declines in the first person, anywhere in a text: an answer and no thought.
        bare_refusal: A whole last sentence that declines: "No."
        addresses: The user is spoken to, anywhere in a text.
        opens: A first or last sentence begins as a chat or a heading does.
        steps: Instructions. Only looked for in thoughts about what is to be refused.
        safe: Something is called safe. A named group that is filled negates it.
        unsafe: Something is called unsafe, or to be refused; likewise.
        picture: The picture alone is spoken of, in what stands before a ``safe``.
        request: The question is spoken of.
        harm: A harm is named. It calls nothing unsafe by itself, but with ``request`` it shows that a harmless picture was not the end.
        negation: A text that ends in a negation, of what would come next.
        turned_before: A text that ends in a clause which the rest takes back: "Although …".
        turned_after: A text that begins by taking back what was said: "…, but".
        wished: A text that ends in what should be, or is asked: "ensure that …".
        opposite: A repetition in the negative: "the question is not".
        denial: A text that begins with the answer no.
    """

    code: str
    common: re.Pattern[str]
    refuses: re.Pattern[str]
    bare_refusal: re.Pattern[str]
    addresses: re.Pattern[str]
    opens: re.Pattern[str]
    steps: re.Pattern[str]
    safe: re.Pattern[str]
    unsafe: re.Pattern[str]
    picture: re.Pattern[str]
    request: re.Pattern[str]
    harm: re.Pattern[str]
    negation: re.Pattern[str]
    turned_before: re.Pattern[str]
    turned_after: re.Pattern[str]
    wished: re.Pattern[str]
    opposite: re.Pattern[str]
    denial: re.Pattern[str]


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern of several, blind to case."""
    return re.compile("|".join(patterns), re.IGNORECASE)
