"""Split a generation into reasoning and answer.

A refusal is looked for in the answer only: a chain of thought that says "so I cannot assist" is not yet a refusal. The
markers are in ``reasoning_markers.yaml``. A marker that an answer merely mentions ("it prints </think> at the end") is text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError

Pairs = Sequence[tuple[str, str]]

_FILE: Mapping[str, list[Mapping[str, str]]] = safe_yaml.load(
    Path(__file__).with_name("reasoning_markers.yaml").read_text(encoding="utf-8")
)


def _pairs(kind: str) -> tuple[tuple[str, str], ...]:
    return tuple((entry["opening"], entry["closing"]) for entry in _FILE[kind])


THINK = ("<think>", "</think>")
SAFECOT = ("<safety_reasoning>", "</safety_reasoning>")
DEFAULT_MARKERS: tuple[tuple[str, str], ...] = _pairs("thoughts")
"""Opening and closing markers that are recognised unless a task says otherwise."""
_LEADING, _ANSWERS, _HEADINGS = _pairs("leading"), _pairs("answers"), _pairs("headings")


def chosen_markers() -> Pairs:
    """The markers of a run: the pair that ``SAFECOT_REASONING_MARKERS`` names first, then the usual ones.

    Raises:
        SafecotError: the variable is not a pair.
    """
    if not (extra := os.environ.get("SAFECOT_REASONING_MARKERS")):
        return DEFAULT_MARKERS
    opening, _, closing = extra.partition(",")
    if not opening or not closing:
        raise SafecotError(
            f"SAFECOT_REASONING_MARKERS={extra!r} must be an opening and a closing marker with a comma between them, for "
            "example '<think>,</think>'."
        )
    return ((opening, closing), *DEFAULT_MARKERS)


@dataclass(frozen=True, slots=True)
class Split:
    """A generation in two parts.

    Attributes:
        reasoning: The text between the markers; several thoughts are joined by a line break. Empty if the model did
            not reason.
        answer: What remains for the user, stripped; joined likewise where thoughts stand between its parts.
        closed: False if reasoning began and never ended: there is no answer then.
    """

    reasoning: str
    answer: str
    closed: bool


def split(raw: str, markers: Pairs = DEFAULT_MARKERS) -> Split:
    """Split a generation.

    A text that has only a closing marker (the opening one was part of the prompt) is split there.

    Args:
        raw: The whole generation.
        markers: Opening and closing markers of reasoning, beside those that count at the beginning only.

    >>> split("<think>a knife, harmless</think> It is a kitchen.").answer
    'It is a kitchen.'
    >>> split("<think>never ends").closed
    False
    >>> split("Use kill. It may print </think> at the end of its thoughts.").reasoning
    ''
    """
    if (found := _channels(raw) or _headed(raw)) is not None:
        return found
    tokens = _tokens(raw, tuple(markers))
    if not tokens:
        return Split("", raw.strip(), closed=True)
    return _Scan(raw, tokens).result()


class _Kind(Enum):
    OPENS, CLOSES, ANSWER_OPENS, ANSWER_CLOSES = range(4)


_ANSWER_TAGS = (_Kind.ANSWER_OPENS, _Kind.ANSWER_CLOSES)


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    kind: _Kind
    family: str
    leading: bool
    mentioned: bool


class _Scan:
    """One pass over the markers of a text: what lies between them is a thought, or a part of the answer."""

    def __init__(self, raw: str, tokens: list[_Token]) -> None:
        self.raw, self.tokens = raw, tokens
        self.thoughts: list[str] = []
        self.answer: list[str] = []
        self.position = 0
        self.tagged = False
        """A thought or an answer's tag was seen: further tags of the answer are no text of it."""
        self.last_answer = max((t.start for t in tokens if t.kind is _Kind.ANSWER_OPENS), default=-1)

    def result(self) -> Split:
        index = 0
        while index < len(self.tokens):
            token = self.tokens[index]
            index += 1
            if token.start < self.position:
                continue
            if token.kind is _Kind.OPENS and not token.mentioned and self._may_open(token):
                closing = self._closing(index - 1)
                self._say(token.start)
                if closing is None:
                    self._think(token.end, len(self.raw))
                    return Split("\n".join(self.thoughts), "", closed=False)
                ends = self.tokens[closing]
                self._think(token.end, ends.start)
                self.position = ends.start if ends.kind is _Kind.ANSWER_OPENS else ends.end
            elif token.kind is _Kind.CLOSES and not token.mentioned and not token.leading:
                self._say(token.start)
                self.position = token.end
                if self.raw[token.end :].strip() or not self.tagged:
                    # The opening was part of the prompt: all before it is reasoning.
                    self.thoughts += self.answer
                    self.answer, self.tagged = [], True
            elif token.kind in _ANSWER_TAGS and (self.tagged or not self._said(token.start)):
                self._say(token.start)
                self.position, self.tagged = token.end, True
        self._say(len(self.raw))
        return Split("\n".join(self.thoughts), "\n".join(self.answer), closed=True)

    def _may_open(self, token: _Token) -> bool:
        return not token.leading or not self._said(token.start) or token.start < self.last_answer

    def _said(self, until: int) -> bool:
        """Whether a part of the answer stands before a position."""
        return bool(self.answer or self._text(until))

    def _text(self, until: int) -> str:
        """The text up to a position; a template's name for who speaks is none."""
        text = self.raw[self.position : until].strip()
        return "" if not self.answer and text.casefold() in ("assistant", "assistant:") else text

    def _say(self, until: int) -> None:
        if text := self._text(until):
            self.answer.append(text)

    def _think(self, start: int, end: int) -> None:
        self.tagged = True
        if text := self.raw[start:end].strip():
            self.thoughts.append(text)

    def _closing(self, opened: int) -> int | None:
        """Index of the token that ends a thought; thoughts may be nested, and a thought may mention its own markers."""
        family, depth = self.tokens[opened].family, 1
        last = mentioned = answer = None
        for index in range(opened + 1, len(self.tokens)):
            token = self.tokens[index]
            if token.kind is _Kind.ANSWER_OPENS and not token.mentioned:
                answer = index if answer is None else answer
            if token.family != family:
                continue
            if token.mentioned:
                mentioned = index if token.kind is _Kind.CLOSES else mentioned
            elif token.kind is _Kind.OPENS:
                depth += 1
            elif token.kind is _Kind.CLOSES:
                depth, last = depth - 1, index
                if depth == 0:
                    return index
        return next((found for found in (last, mentioned, answer) if found is not None), None)


def _tokens(raw: str, markers: tuple[tuple[str, str], ...]) -> list[_Token]:
    pattern, meaning = _compiled(markers)
    found = []
    for hit in pattern.finditer(raw):
        kind, family, leading, exact = meaning[_key(hit.group())]
        opens = kind in (_Kind.OPENS, _Kind.ANSWER_OPENS)
        mentioned = not exact and _is_mentioned(raw, hit.start(), hit.end(), opens=opens)
        found.append(_Token(hit.start(), hit.end(), kind, family, leading, mentioned))
    return found


@lru_cache(maxsize=16)
def _compiled(
    markers: tuple[tuple[str, str], ...],
) -> tuple[re.Pattern[str], Mapping[str, tuple[_Kind, str, bool, bool]]]:
    """One pattern for all markers, and what each means: kind, family, leading only, the user's own."""
    meaning: dict[str, tuple[_Kind, str, bool, bool]] = {}
    for pairs, kinds, leading in (
        (markers, (_Kind.OPENS, _Kind.CLOSES), False),
        (_LEADING, (_Kind.OPENS, _Kind.CLOSES), True),
        (_ANSWERS, (_Kind.ANSWER_OPENS, _Kind.ANSWER_CLOSES), False),
    ):
        for pair in pairs:
            own = pairs is markers and pair not in DEFAULT_MARKERS
            for text, kind in zip(pair, kinds, strict=True):
                meaning.setdefault(_key(text), (kind, _key(pair[0]), leading, own))
    longest_first = sorted(meaning, key=len, reverse=True)
    written = "|".join(re.escape(text).replace("<", r"<\s?").replace(">", r"\s?>") for text in longest_first)
    return re.compile(written, re.IGNORECASE), meaning


def _key(text: str) -> str:
    return re.sub(r"(?<=<)\s|\s(?=>)", "", text).casefold()


_QUOTES = "\"'`“”‘’«»"


def _is_mentioned(raw: str, start: int, end: int, *, opens: bool) -> bool:
    """Whether a marker is spoken of: in quotes, or in the middle of a line's running text."""
    before = raw[max(0, start - 40) : start].rpartition("\n")[2]
    after = raw[end : end + 40].partition("\n")[0]
    if before[-1:] and before[-1] in _QUOTES and after[:1] and after[0] in _QUOTES:
        return True
    runs_up = re.search(r"[\w,;)] +$", before) is not None
    runs_on = re.match(r" +\w|[,.;:!?)]" if opens else r" +[a-z(]|[,.;:!?)]", after) is not None
    return runs_up and runs_on


_HARMONY = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_HARMONY_BARE = re.compile(
    r"\A\s*(?:assistant)?analysis(?=[A-Z\"'“(])(.*?)(?:assistantfinal(.*))?\Z", re.DOTALL
)


def _channels(raw: str) -> Split | None:
    """OpenAI's harmony format, with its special tokens or (where a back end dropped them) without."""
    if "<|channel|>" in raw:
        parts = _HARMONY.findall(raw)
        final = [text.strip() for name, text in parts if name.lower() == "final"]
        thoughts = [text.strip() for name, text in parts if name.lower() != "final"]
        if not parts:
            return None
        return Split("\n".join(filter(None, thoughts)), "\n".join(filter(None, final)), closed=bool(final))
    if "analysis" in raw[:40] and (bare := _HARMONY_BARE.match(raw)) is not None:
        thought = bare[1].replace("assistantcommentary", "\n").replace("assistantanalysis", "\n")
        return Split(thought.strip(), (bare[2] or "").strip(), closed=bare[2] is not None)
    return None


def _headed(raw: str) -> Split | None:
    """Reasoning that a plain line opens."""
    start = raw.lstrip()
    for opening, closing in _HEADINGS:
        if start[: len(opening)].casefold() == opening.casefold():
            thought, found, answer = _partition(start[len(opening) :], closing)
            return Split(thought.strip(), _unwrapped(answer).strip(), closed=found)
    return None


def _partition(text: str, closing: str) -> tuple[str, bool, str]:
    place = text.casefold().find(closing.casefold())
    if place < 0:
        return text, False, ""
    return text[:place], True, text[place + len(closing) :]


def _unwrapped(text: str) -> str:
    for marker in _flat(_ANSWERS):
        text = text.replace(marker, "")
    return text


def _flat(pairs: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (marker for pair in pairs for marker in pair)
