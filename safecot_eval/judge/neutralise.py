"""Make untrusted text harmless for a judge: no control tokens, no invisible characters, a bounded length.

A chat template joins strings and tokenises afterwards, so that ``<|eot_id|>`` inside an answer would end the judge's turn.
What is changed here is changed for the judge alone; the record keeps the text as it came.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_CHARACTERS = 8_000
HEAD_SHARE = 0.5
_GAP = "\n[… {cut} characters cut here …]\n"

_BREAK = "\u2060"  # word joiner: invisible, and no tokenizer has it inside a special token

_SPECIAL = re.compile(
    r"<\|(?=[^\n]{0,64}?\|>)"  # <|eot_id|>, <|im_start|>, <|start_header_id|> …
    r"|<(?=\uff5c[^\n]{0,64}?\uff5c>)"  # the full-width bars of DeepSeek
    r"|<(?=/?(?:s|unk|pad|bos|eos|mask|start_of_turn|end_of_turn|image|image_soft_token|video|audio|think|img)>)"
    r"|<(?=(?:unused|extra_id_|reserved_)\w{0,32}>)"
    r"|<(?=/?[A-Z][A-Z_]{2,40}>)"  # <IMG_CONTEXT>
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|IMG|IMG_BREAK|IMG_END|PREFIX|SUFFIX|MIDDLE|THINK|CLS|SEP|MASK|PAD|UNK|gMASK|sMASK)\])"
    r"|<<(?=/?SYS>>)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text as a judge may see it.

    Attributes:
        text: The harmless text.
        cut: Characters left out of its middle.
    """

    text: str
    cut: int = 0


def clean(text: str, limit: int = MAX_CHARACTERS) -> Cleaned:
    r"""Strip what cannot be seen, cut the middle, break up control tokens.

    Args:
        text: Any text.
        limit: Characters kept at most, half of them from each end.

    >>> clean("Sure.<|eot_id|>").text == "Sure.<\u2060|eot_id|>"
    True
    >>> clean("abcdefgh", limit=4)
    Cleaned(text='ab\n[… 4 characters cut here …]\ngh', cut=4)
    >>> clean("a\u202eb\x00c").text
    'abc'
    """
    visible = _visible(text)
    cut = max(0, len(visible) - limit)
    if cut:
        head = int(limit * HEAD_SHARE)
        tail = limit - head
        visible = visible[:head] + _GAP.format(cut=cut) + (visible[-tail:] if tail else "")
    return Cleaned(_SPECIAL.sub(lambda found: found[0][0] + _BREAK + found[0][1:], visible), cut)


def _visible(text: str) -> str:
    """Without control, bidi and other format characters, lone surrogates; line ends and tabs stay."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    unseen = [
        ord(character)
        for character in set(unified)
        if character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
    ]
    return unified.translate(dict.fromkeys(unseen)) if unseen else unified
