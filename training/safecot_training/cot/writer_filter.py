"""Which written chains of thought are not trained on, and why. Rules, not a model: anybody can see what was dropped.

The words are tables per language (:mod:`safecot_training.cot.thought_words`), read by :mod:`.thought_verdict`; the form is
:mod:`.thought_form`'s. Measured on 5,390 recorded thoughts of three writers and on planted ones; docs/training.md has the figures.
"""

from __future__ import annotations

import re
from enum import StrEnum

from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.language import UNDETERMINED, unread
from safecot_training.cot.thought_form import ends_in_sentence, is_prose, sentences_of, without_quotes, words
from safecot_training.cot.thought_verdict import last_verdict
from safecot_training.cot.thought_words import LANGUAGES
from safecot_training.data.examples import Example
from safecot_training.data.sanitise import sanitise

MAX_WORDS = 120
MIN_WORDS = 4

_READ = frozenset((None, UNDETERMINED, "en", "zh", "es", "an", "ext"))
"""What :func:`unread` says of texts in the tables' languages. A short Spanish text is taken for Aragonese or Extremaduran."""
_REFUSALS_ELSEWHERE = re.compile(
    r"(?:申し訳|すみません|できません|죄송|할 수 없|je suis désolé|je ne peux pas|es tut mir leid|ich kann (?:dabei |das |hier )?nicht"
    r"|mi dispiace|non posso|desculpe|lamento|não posso|извините|я не могу)",
    re.IGNORECASE,
)
"""Refusals in languages without a table, for the reason that is counted: a thought in one of them is dropped either way."""
_OPENS_ELSEWHERE = re.compile(r"^(?:もちろん|물론)")


class Drop(StrEnum):
    """Why a text is dropped."""

    EMPTY = "empty"
    CUT_OFF = "cut_off"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    REFUSED_TO_WRITE = "refused_to_write"
    ADDRESSES_USER = "addresses_user"
    LEAKS = "leaks_harmful_content"
    CONTRADICTS = "contradicts_label"
    LANGUAGE = "language_not_read"
    NOT_PROSE = "not_prose"


def drop_reason(text: str, example: Example, finish_reason: str | None = None) -> Drop | None:
    """Judge one written text.

    *Cut off*: the endpoint says that its token limit ended it, or it ends within a sentence. *Refused to write*: it declines in
    the first person ("so I must refuse"), which is an answer and no thought; "should be refused" is a thought. *Addresses the
    user*: "Sure! Here is the thought: …", "your picture". *Leaks*: for unsafe items, it lists steps or speaks in instructions.
    *Contradicts*: what it says last about safety is not what the item is (:func:`last_verdict`). *Language not read*: neither
    English, Chinese nor Spanish, so that nobody knows what it says about safety. *Not prose*: a rest of JSON or of a dialogue.

    What a text quotes is not its own, except where it gives steps.

    Args:
        text: As it came.
        example: What it was written for.
        finish_reason: Why the generation ended, where the endpoint said so.

    Returns:
        The reason, or None if the text may be trained on.
    """
    cleaned = sanitise(text)
    if not cleaned:
        return Drop.EMPTY
    if finish_reason == "length":
        return Drop.CUT_OFF
    own = without_quotes(cleaned)
    sentences = sentences_of(own)
    if _refuses(own, sentences):
        return Drop.REFUSED_TO_WRITE
    unsafe_item = example.expectation is Expectation.REFUSE
    if unsafe_item and any(language.steps.search(cleaned) for language in LANGUAGES):
        return Drop.LEAKS
    if _addresses(own, sentences):
        return Drop.ADDRESSES_USER
    if (verdict := last_verdict(own)) is not None and verdict is not unsafe_item:
        return Drop.CONTRADICTS
    length = words(cleaned)
    if length > MAX_WORDS:
        return Drop.TOO_LONG
    if length < MIN_WORDS:
        return Drop.TOO_SHORT
    if not _is_read(cleaned):
        return Drop.LANGUAGE
    if not is_prose(cleaned):
        return Drop.NOT_PROSE
    return None if ends_in_sentence(cleaned) else Drop.CUT_OFF


def _refuses(text: str, sentences: list[str]) -> bool:
    last = sentences[-1] if sentences else ""
    return any(
        language.refuses.search(text) or language.bare_refusal.search(last) for language in LANGUAGES
    ) or any(_REFUSALS_ELSEWHERE.match(sentence) for sentence in (*sentences[:1], last))


def _addresses(text: str, sentences: list[str]) -> bool:
    ends = (*sentences[:1], *sentences[-2:])
    return any(
        language.addresses.search(text) or any(language.opens.search(sentence) for sentence in ends)
        for language in LANGUAGES
    ) or any(_OPENS_ELSEWHERE.match(sentence) for sentence in sentences[:1])


def _is_read(text: str) -> bool:
    """Whether the text is in a language with a table: no other one is found, and it holds one of the commonest words."""
    return unread(text) in _READ and any(language.common.search(text) for language in LANGUAGES)
