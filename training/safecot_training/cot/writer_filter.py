"""Which written chains of thought are not trained on, and why. Rules, not a model: anybody can see what was dropped.

Measured on 4,850 recorded thoughts of three writers and on planted ones; docs/training.md has the figures.
"""

from __future__ import annotations

import re
from enum import StrEnum

from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.language import UNDETERMINED, unread
from safecot_training.data.examples import Example
from safecot_training.data.sanitise import sanitise

MAX_WORDS = 120
MIN_WORDS = 4

_I = re.IGNORECASE
_CANNOT = r"(?:can ?not|can['’]?t|could ?n['’]?t|won['’]?t|will not|(?:am|['’]m) (?:unable|not able)|must decline|have to decline|refuse)"
_NOUN = r"(?:request|question|task|this|that|it)"
_REFUSES = re.compile(
    rf"^(?:(?:so|therefore|thus|hence|however|unfortunately|in the end|for this reason|as (?:a|an) [\w -]{{2,30}}(?:model|assistant|ai)),?\s*)*"
    rf"(?:(?:i['’]?m|i am|we are|so|very)?\s*(?:sorry|afraid)\b|i apologi[sz]e|unfortunately\b|sorry\b"
    rf"|(?:i|we)(?: |['’]m|['’]re) ?(?:{_CANNOT}|really {_CANNOT})\b|i['’]m (?:unable|not able)|it['’]?s not safe to provide"
    rf"|(?:this|that) {_NOUN} is not appropriate for me)"
    r"|(?:抱歉|对不起|很遗憾|我(?:不能|无法|不可以|拒绝)|申し訳|すみません|できません|죄송|할 수 없|lo siento|no puedo (?:ayudar|escribir|responder)|je suis désolé|je ne peux pas|es tut mir leid|ich kann (?:dabei |das |hier )?nicht"
    r"|mi dispiace|non posso|desculpe|lamento|não posso|извините|я не могу)",
    _I,
)
"""A sentence that declines in the first person; "This unethical request …" declines nothing."""
_DECLINES = re.compile(
    r"\b(?:i|we)(?: |['’]m |['’]re )(?:sorry, but i )?(?:cannot|can ?not|can['’]?t|am unable to|unable to|am not able to|not able to|won['’]t)"
    r" (?:\w+ly )?(?:provide|help|assist|fulfil|comply|answer|discuss|describe|share|offer|support|engage|give|write|create)\b"
    r"|\bi['’]?m sorry, but\b",
    _I,
)
"""The same in the middle of a text, in the words of an answer."""
_ADDRESSES = re.compile(
    r"^(?:sure|certainly|of course|absolutely|okay|ok|here(?: is|['’]s| are)|below is|as requested)\b[^.\n]{0,60}[!:,.]"
    r"|^(?:safety )?(?:thoughts?|reasoning|chain of thought|assessment|rationale|analysis)\s*:"
    r"|\b(?:can|may) i help you with (?:something|anything) else\b|\bhow (?:can|may) i (?:help|assist)\b"
    r"|\b(?:let me know|feel free to ask|if you have any (?:other|further) questions|i hope this helps)\b"
    r"|\bdear user\b|\byour (?:request|question|query)\b|\byou should(?: not|n['’]t)\b|\bplease (?:seek|consult|contact|reach out)\b"
    r"|^(?:当然|好的|以下是|もちろん|물론)",
    _I,
)
_VERB = (
    r"(?:add|apply|assemble|attach|build|buy|collect|combine|connect|cut|download|drill|enter|fill|find|gather|get|grind|heat"
    r"|hide|insert|install|join|make|melt|mix|obtain|open|pour|prepare|purchase|push|put|remove|run|select|set|solder|take|turn"
    r"|use|wait|wear|weld|write)"
)
_STEPS = re.compile(
    rf"(?:^|\n)\s*(?:\d+[.)]|[-*•]|step \d+[:.)]?)\s*\**(?:first,? |then |next,? )?{_VERB}\b"
    r"|\b(?:first(?:ly)?|step one),? (?:you )?(?:take|get|buy|mix|open|go)\b"
    rf"|\bfirst(?:ly)?,? {_VERB} (?:the|a|an|your|some|it|\d)\b"
    r"|\byou (?:can|could|will need to|should) (?:start by|begin by|use the following|mix|build|obtain|purchase)\b",
    _I,
)
_SAFE_WORD = r"(?:safe|harmless|innocent|innocuous|benign|fine|acceptable|unproblematic|appropriate)"
_UNSAFE_WORD = (
    r"(?:unsafe|harmful|dangerous|illegal|unlawful|unethical|immoral|inappropriate|unacceptable|not acceptable|risky|hazardous"
    r"|problematic|offensive|hateful|misleading)"
)
_BE = r"(?:is|are|be|was|appears?|seems?|looks?|remains?|considered|deemed)"
_SAYS_SAFE = re.compile(
    rf"\b{_BE} (?P<not>not |never )?(?:to be )?(?:completely |perfectly |entirely |generally |quite |itself )?{_SAFE_WORD}\b"
    r"|\bno (?:explicit |obvious |apparent |real |such )?(?:risk|harm|danger|violence|threat|safety concern)s?\b"
    r"|\bnothing (?:harmful|wrong|dangerous|unsafe)\b|\bcan (?:safely )?be answered\b|\bsafe to answer\b|\bhurts? nobody\b"
    r"|\bno (?:reason|need) to (?:refuse|decline|reject)\b|\bi (?:can|may|will) (?:safely |gladly |happily )?answer\b"
    r"|\b(?:compliant|complies|in line|in accordance) with (?:our|the)[\w ]{0,20}(?:polic|standard|guideline)"
    r"|\bdoes not (?:violate|contain|depict|show|promote|pose) (?:any |a )?(?:of )?(?:our |the )?(?:explicit |inherently )?"
    r"(?:safety |violen|harm|risk|danger|threat|polic|prohibited|illegal)"
    r"|\b(?:es|son|parece|resulta) (?:\w+mente )?(?:inofensiv[oa]s?|segur[oa]s?)\b|\bse puede (?:responder|contestar)\b"
    r"|无害|没有(?:任何)?(?:危险|风险|伤害)|可以(?:放心)?回答|(?<!不)安全的",
    _I,
)
_SAYS_UNSAFE = re.compile(
    rf"\b(?:should|must|ought to|needs? to|has to) (?P<un>not )?(?:be )?(?:refused?|declined?|rejected?)\b"
    rf"|\b(?:should|must|can) ?not be (?:answered|given|helped|supplied|supported|written|provided)\b"
    rf"|\b{_BE} (?P<not>not |never )?(?:to be )?(?:potentially |highly |clearly |inherently |both |deeply )?{_UNSAFE_WORD}\b"
    r"|\b(?:could|can|may|might|would) (?:potentially )?(?:cause|lead to|result in|encourage|promote|facilitate|be used to|harm|hurt"
    r"|injure|endanger|deceive|enable|contribute to|incite|perpetuate)\b"
    r"|\b(?:falls? under|comes? under|amounts? to|constitutes?|violates?|poses? (?:a )?(?:significant |serious |potential )?(?:risk|threat))\b"
    r"|\b(?:es|son|sería|resulta|parece) (?:\w+mente )?(?:peligros[oa]s?|ilegal(?:es)?|dañin[oa]s?)\b"
    r"|\bdeb(?:o|e|ería) (?:negarme|rechazar(?:se)?|ser rechazad[oa])\b"
    r"|\bthe risk is\b|\brisk (?:of|category)\b|有害|危险|违法|非法|不安全|应(?:该|当)?拒绝|不(?:应|能)回答",
    _I,
)
_NEGATION = re.compile(
    r"(?:\b(?:not|never|neither|nor|hardly|nobody|nothing|none)\b|\bno \w+|n['’]t\b)[^.,;:]{0,20}$", _I
)
_WISHED = re.compile(
    r"\b(?:ensur(?:e|es|ing)|mak(?:e|ing) sure|whether|if|important (?:to|that)|essential|crucial)\b[^.]{0,90}$",
    _I,
)
"""What something should be, or whether it is, does not say what it is."""
_TURNS_BEFORE = re.compile(
    r"\b(?:although|though|even if|while|despite|whereas|on its own|by itself|alone)\b[^.;!?]*$", _I
)
_TURNS_AFTER = re.compile(
    r"^[^.!?]{0,60}[.;,]?\s*[\w ,]{0,25}\b(?:yet|but|however|nevertheless|nonetheless|still,|instead|combined|together)\b|^[^.!?]{0,40}[,;] (?:yet|but)\b"
    r"|^[^。！？]{0,30}[，,；。]?\s*(?:但|然而|不过|可是)",
    _I,
)
_ENDS = re.compile(r"[.!?。！？…][\s\"'”’)\]*_」』]*$")
_READ = frozenset((None, "en", "zh", "es", UNDETERMINED))
"""Languages whose words for safe and unsafe are known here; too short a text is in none."""
_SENTENCE = re.compile(r"(?<=[.!?。！？])[\s\"”]*(?=\S)|\n+")
# Writing without spaces: two signs count as a word.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")


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


def drop_reason(text: str, example: Example, finish_reason: str | None = None) -> Drop | None:
    """Judge one written text.

    *Cut off*: the endpoint says that its token limit ended it, or it ends within a sentence. *Refused to write*: it declines in the first person, which
    is an answer and no thought. *Addresses the user*: "Sure! Here is the thought: …". *Leaks*: for
    unsafe items, it lists steps or speaks in instructions. *Contradicts*: what it says last about safety is not what the item
    is; words under a negation count for the other side, and what a "yet" or an "although" takes back does not count. *Language
    not read*: neither English, Chinese nor Spanish, so that nobody knows what it says about safety.

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
    sentences = [part.strip(" \"'*_“”") for part in _SENTENCE.split(cleaned) if part.strip(" \"'*_“”")]
    ends = (*sentences[:1], *sentences[-1:])
    if any(_REFUSES.search(sentence) for sentence in ends) or _DECLINES.search(cleaned):
        return Drop.REFUSED_TO_WRITE
    if any(_ADDRESSES.search(sentence) for sentence in (*ends, *sentences[-2:])):
        return Drop.ADDRESSES_USER
    unsafe_item = example.expectation is Expectation.REFUSE
    if unsafe_item and _STEPS.search(cleaned):
        return Drop.LEAKS
    if (verdict := last_verdict(cleaned)) is not None and verdict is not unsafe_item:
        return Drop.CONTRADICTS
    length = words(cleaned)
    if length > MAX_WORDS:
        return Drop.TOO_LONG
    if length < MIN_WORDS:
        return Drop.TOO_SHORT
    if unread(cleaned) not in _READ:
        return Drop.LANGUAGE
    return None if _ENDS.search(cleaned) else Drop.CUT_OFF


def words(text: str) -> int:
    """Number of words; two signs of a script without spaces count as one.

    >>> words("a small cup"), words("这张图片很安全")
    (3, 4)
    """
    signs = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + (signs + 1) // 2


def last_verdict(text: str) -> bool | None:
    """Whether a text ends by calling the item unsafe (True) or safe (False); None if it calls it neither."""
    found: list[tuple[int, bool, bool]] = []
    for pattern, unsafe in ((_SAYS_SAFE, False), (_SAYS_UNSAFE, True)):
        for match in pattern.finditer(text):
            negated = any(match.groupdict().values()) or _NEGATION.search(text[: match.start()]) is not None
            taken_back = bool(
                _TURNS_BEFORE.search(text[: match.start()]) or _TURNS_AFTER.search(text[match.end() :])
            )
            found.append((match.start(), unsafe is not negated, taken_back))
    standing = [(place, verdict) for place, verdict, taken_back in found if not taken_back]
    return max(standing)[1] if standing else None
