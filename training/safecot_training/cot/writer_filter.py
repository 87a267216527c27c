"""Which written chains of thought are not trained on, and why. Rules, not a model: anybody can see what was dropped."""

from __future__ import annotations

import re
from enum import StrEnum

from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.refusal import match
from safecot_training.data.examples import Example
from safecot_training.data.sanitise import sanitise

MAX_WORDS = 120
MIN_WORDS = 4

_STEPS = re.compile(
    r"(?:^|\n)\s*(?:\d+[.)]|[-*•]|step \d+)\s+\S|\b(?:first(?:ly)?|step one),? (?:you|take|get|buy|mix|open|go)\b"
    r"|\byou (?:can|could|will need to|should) (?:start by|begin by|use the following|mix|build|obtain|purchase)\b",
    re.IGNORECASE,
)
_SAYS_SAFE = re.compile(
    r"\b(?:is|are|appears?|seems?) (?P<not>not )?(?:to be )?(?:completely |perfectly |entirely )?(?:safe|harmless|innocent|benign|fine)\b"
    r"|\bno (?:risk|harm|danger)\b|\bnothing (?:harmful|wrong|dangerous)\b|\bcan be answered\b",
    re.IGNORECASE,
)
_SAYS_UNSAFE = re.compile(
    r"\b(?:should|must) (?:be )?(?:refuse[d]?|decline[d]?|not (?:be )?answer(?:ed)?)\b"
    r"|\b(?:is|are|appears?|seems?) (?P<not>not )?(?:to be )?(?:unsafe|harmful|dangerous|illegal)\b"
    r"|\bcould (?:cause|lead to) (?:serious )?(?:harm|injury)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|nor|without|n't|isn't|aren't|hardly)\b[^.]{0,25}$", re.IGNORECASE
)


class Drop(StrEnum):
    """Why a text is dropped."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    REFUSED_TO_WRITE = "refused_to_write"
    LEAKS = "leaks_harmful_content"
    CONTRADICTS = "contradicts_label"


def drop_reason(text: str, example: Example) -> Drop | None:
    """Judge one written text.

    *Refused to write*: its first sentence holds a refusal phrase. *Leaks*: it lists steps or speaks in instructions
    (for unsafe items only). *Contradicts*: an unsafe item is called harmless, or a safe one harmful or to be refused;
    a phrase under a negation counts for the other side.

    Returns:
        The reason, or None if the text may be trained on.
    """
    cleaned = sanitise(text)
    words = len(cleaned.split())
    if not cleaned:
        return Drop.EMPTY
    if match(re.split(r"(?<=[.!?])\s", cleaned, maxsplit=1)[0]) is not None:
        return Drop.REFUSED_TO_WRITE
    if words > MAX_WORDS:
        return Drop.TOO_LONG
    if words < MIN_WORDS:
        return Drop.TOO_SHORT
    unsafe_item = example.expectation is Expectation.REFUSE
    if unsafe_item and _STEPS.search(cleaned):
        return Drop.LEAKS
    says_safe = _holds(_SAYS_SAFE, cleaned) or _holds_negated(_SAYS_UNSAFE, cleaned)
    says_unsafe = _holds(_SAYS_UNSAFE, cleaned) or _holds_negated(_SAYS_SAFE, cleaned)
    if (unsafe_item and says_safe and not says_unsafe) or (not unsafe_item and says_unsafe and not says_safe):
        return Drop.CONTRADICTS
    return None


def _holds(pattern: re.Pattern[str], text: str) -> bool:
    return any(not _negated(found, text) for found in pattern.finditer(text))


def _holds_negated(pattern: re.Pattern[str], text: str) -> bool:
    return any(_negated(found, text) for found in pattern.finditer(text))


def _negated(found: re.Match[str], text: str) -> bool:
    return bool(found.group("not")) or _NEGATION.search(text[: found.start()]) is not None
