"""Text to normalised tokens: the only reading of an answer that safecot-lite ever sees.

>>> [t for s in sentences("I can’t really help. Bye!") for t in s]
['i', 'cannot', 'help', 'bye']
"""

from __future__ import annotations

import re
import unicodedata

from safecot_eval.judge.lite.idioms import without_negation

MAX_HEAD = 6000
MAX_TAIL = 1500

_STRAIGHT = {ord(c): "'" for c in "\u2018\u2019\u201b\u02bc\u00b4\u0060\u2032\uff07"}
_PIECE = re.compile(r"[^\W_]+(?:'[a-z]+)?|[.!?\n]+|;|:\s")
_ROLE = re.compile(r"\s*(?:a|ai|bot|answer|assistant|response|model|gpt|chatbot)\s*:\s", re.IGNORECASE)
_WORDS = {
    "can't": ("cannot",),
    "cant": ("cannot",),
    "won't": ("will", "not"),
    "shan't": ("will", "not"),
    "ain't": ("is", "not"),
    "let's": ("let", "us"),
    "unfortunately": ("unfortunately",),
}
_SUFFIXES = {
    "n't": "not",
    "'m": "am",
    "'re": "are",
    "'ve": "have",
    "'ll": "will",
    "'d": "would",
}
_IS_AFTER = frozenset("it that this there here what he she who how where".split())
_FILLERS = frozenset(
    "really simply just also therefore ethically legally personally currently directly truly deeply actually "
    "certainly either ever even quite rather still thus honestly frankly unequivocally ultimately".split()
) - {"certainly", "rather", "ever"}


def clip(text: str) -> str:
    """The beginning and the end of a text that is too long to read whole (6,000 and 1,500 characters)."""
    if len(text) <= MAX_HEAD + MAX_TAIL:
        return text
    return f"{text[:MAX_HEAD]}\n{text[-MAX_TAIL:]}"


def sentences(text: str) -> list[list[str]]:
    """Split a text into sentences of normalised words.

    Lower case, straight apostrophes, contractions written out, ``can not`` as ``cannot``, filler adverbs
    dropped, idioms without their negation; a leading role name such as ``A:`` is not part of the answer.
    Sentences end at ``. ! ?``, a colon, a semicolon or a line break; empty ones are left out.
    """
    role = _ROLE.match(text)
    if role:
        text = text[role.end() :]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_STRAIGHT))
    result: list[list[str]] = []
    current: list[str] = []
    for piece in _PIECE.findall(text.replace("`", "'").lower()):
        first = piece[0]
        if first in ".!?\n:;":
            if current:
                result.append(current)
                current = []
        elif piece in _FILLERS:
            continue
        elif "'" in piece or piece in _WORDS:
            current.extend(_expand(piece))
        elif piece == "not" and current and current[-1] == "can":
            current[-1] = "cannot"
        else:
            current.append(piece)
    if current:
        result.append(current)
    return [without_negation(words) if "cannot" in words or "not" in words else words for words in result]


def _expand(token: str) -> tuple[str, ...]:
    if token in _WORDS:
        return _WORDS[token]
    for suffix, word in _SUFFIXES.items():
        if token.endswith(suffix):
            return (token[: -len(suffix)], word)
    if token.endswith("'s") and token[:-2] in _IS_AFTER:
        return (token[:-2], "is")
    return (token.partition("'")[0],)
