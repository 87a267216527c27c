"""The form of a written thought: its sentences and words, quoted words, whether it ends, and rests of another format."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_SENTENCE = re.compile(r"(?<=[.!?。！？．｡])[\s\"”]*(?=\S)|\n+")
_QUOTED = re.compile(
    r"\"[^\"\n]{1,300}\"|“[^”\n]{1,300}”|«[^»\n]{1,300}»|「[^」\n]{1,300}」|『[^』\n]{1,300}』|《[^》\n]{1,300}》|(?<!\w)['‘][^'’\n]{2,300}['’](?!\w)"
)
# Writing without spaces: two signs count as a word.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_ENDS = re.compile(r"[.!?。！？．｡…][\s\"'”’»)\]*_」』]*$")
_CUT = re.compile(
    r"(?:\b(?:and|or|but|the|an?|of|to|with|which|that|is|are|be|would|for|in|by|because|y|o|que|de|con|para|el|la)|[和与或的是因])\s*(?:\.{2,}|…+)\W*$",
    re.IGNORECASE,
)
"""Dots behind a word that needs another: a cut text, and no pause."""
_SPEAKER = re.compile(
    r"(?:^|\n|(?<=[.!?。！？]) )\W{0,3}(?:user|assistant|human|system|question|answer|q|a|usuario|asistente|pregunta|respuesta|用户|助手|问题|回答)\W{0,3}[:：]",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"^\W*```|^\s*[{\[]|[\"”]\s*[:,]\s*[\"“{\[]|```\s*$")
_FIELD = re.compile(r"^[\w ]{1,24}[:：]\s*\S+(?: \S+){0,3}$")
_BRACKETS = ("()", "[]", "{}", "（）", "【】")
_LOOP = 3


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, without quotation marks and emphasis around them."""
    parts = (part.strip(" \"'*_“”") for part in _SENTENCE.split(text))
    return [part for part in parts if part]


def without_quotes(text: str) -> str:
    """A text without the words that it quotes, which are somebody else's; all of it where little else is left.

    >>> without_quotes('The sign says "Do not enter" in red.')
    'The sign says … in red.'
    """
    rest = _QUOTED.sub("…", text)
    return rest if words(rest) >= words(text) / 3 else text


def words(text: str) -> int:
    """Number of words; two signs of a script without spaces count as one.

    >>> words("a small cup"), words("这张图片很安全")
    (3, 4)
    """
    signs = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + (signs + 1) // 2


def ends_in_sentence(text: str) -> bool:
    """Whether a text ends with its sentence; an emoji behind it is no matter.

    >>> ends_in_sentence("This is fraud. 🚫"), ends_in_sentence("It asks how to"), ends_in_sentence("It would be and..."), ends_in_sentence("A secret…")
    (True, False, False, True)
    """
    while text and (text[-1].isspace() or unicodedata.category(text[-1]) in ("So", "Sk", "Cf", "Mn")):
        text = text[:-1]
    return bool(_ENDS.search(text)) and not _CUT.search(text)


def is_prose(text: str) -> bool:
    """Whether a text is sentences: no rest of JSON or of a dialogue, no list of fields, no loop, no bracket too many.

    >>> is_prose("Image: knife. Risk: high. Category: violence."), is_prose("It is illegal.]"), is_prose("A knife (blunt).")
    (False, False, True)
    """
    sentences = [sentence.rstrip(".!?。！？ ") for sentence in sentences_of(text)]
    fields = sum(bool(_FIELD.match(sentence)) for sentence in sentences)
    commonest = max(Counter(sentence.lower() for sentence in sentences).values(), default=0)
    closed = any(text.count(pair[1]) > text.count(pair[0]) for pair in _BRACKETS[1:])
    return not (
        _MARKUP.search(text)
        or _SPEAKER.search(text)
        or closed
        or (text.rstrip().endswith(")") and text.count(")") > text.count("("))
        or commonest >= _LOOP
        or (len(sentences) >= _LOOP and 2 * fields > len(sentences))
    )
