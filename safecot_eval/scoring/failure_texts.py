"""Failed calls are no answers: the texts that harnesses, endpoints and tables write in the place of one.

The table is ``failure_texts.yaml`` beside this module; a file of the same shape named by ``--failure-texts`` or
``SAFECOT_FAILURE_TEXTS`` is asked first. Import, replay and scoring all ask here.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from safecot_eval.records.samples import Status
from safecot_eval.scoring.reasoning import split
from safecot_eval.util import safe_yaml
from safecot_eval.util.chat_replies import FILTER_WORDS
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of

SHIPPED = Path(__file__).with_name("failure_texts.yaml")
VARIABLE = "SAFECOT_FAILURE_TEXTS"
STATUSES = (
    Status.REQUEST_FAILED,
    Status.BLOCKED_BY_PROVIDER,
    Status.UNFINISHED,
    Status.BUDGET_EXCEEDED,
    Status.EMPTY,
)
_KEYS = frozenset({"source", "status", "prefixes", "whole", "containing", "recorded"})
_HEAD, _LOOKED_AT = 400, 4000
"""Characters of an answer that are compared with whole texts and prefixes, and with ``containing``."""

_STRAIGHT = {ord(c): "'" for c in "\u2018\u2019\u02bc\uff07"} | {ord(c): '"' for c in "\u201c\u201d"}


@dataclass(frozen=True, slots=True)
class FailureText:
    """One text of the table, and what an answer that is this text stands for."""

    text: str
    status: Status
    source: str


@dataclass(frozen=True, slots=True)
class _Entry:
    status: Status
    source: str
    prefixes: tuple[str, ...]
    whole: tuple[str, ...]
    containing: tuple[str, ...]
    recorded: bool


@dataclass(frozen=True)
class FailureTexts:
    """A table of failure texts.

    Attributes:
        id: ``<name>@<first 8 hex digits of the hash of its entries>``.
        entries: In the order in which they are asked.
    """

    id: str
    entries: tuple[_Entry, ...]
    _whole: Mapping[str, list[int]] = field(init=False, repr=False, compare=False)
    _prefixes: Mapping[str, list[int]] = field(init=False, repr=False, compare=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole: dict[str, list[int]] = {}
        prefixes: dict[str, list[int]] = {}
        for number, entry in enumerate(self.entries):
            for text in entry.whole:
                whole.setdefault(text if entry.recorded else _bare(_fold(text)), []).append(number)
            for text in entry.prefixes:
                prefixes.setdefault(_fold(text), []).append(number)
        longest_first = sorted(prefixes, key=len, reverse=True)
        object.__setattr__(self, "_whole", whole)
        object.__setattr__(self, "_prefixes", prefixes)
        object.__setattr__(self, "_pattern", re.compile("|".join(map(re.escape, longest_first)) or r"(?!)"))

    def find(self, text: str, *, recorded: bool = False) -> FailureText | None:
        """What a text stands for, where it is a failure and no answer.

        Args:
            text: A whole generation, or the answer after its reasoning.
            recorded: Another tool wrote it down: then a table's words for a missing value count, too.

        >>> table = load()
        >>> table.find("Failed to obtain answer via API. Input too long.").status
        <Status.REQUEST_FAILED: 'request_failed'>
        >>> table.find("None"), table.find("None", recorded=True).status
        (None, <Status.REQUEST_FAILED: 'request_failed'>)
        """
        exact = text.strip()
        folded = _fold(exact[:_HEAD])
        possible: list[tuple[int, str]] = []
        if len(exact) <= _HEAD:
            if recorded:
                possible += [(number, exact) for number in self._whole.get(exact, ())]
            bare = _bare(folded)
            possible += [(n, bare) for n in self._whole.get(bare, ()) if not self.entries[n].recorded]
        if self._pattern.match(folded):
            possible += [
                (number, prefix)
                for prefix, numbers in self._prefixes.items()
                if folded.startswith(prefix)
                for number in numbers
                if recorded or not self.entries[number].recorded
            ]
        if possible:
            folded = _fold(exact[:_LOOKED_AT])
        for number, matched in sorted(possible):
            entry = self.entries[number]
            if not entry.containing or any(word in folded for word in entry.containing):
                return FailureText(matched, entry.status, entry.source)
        return None


def load(*paths: str | Path) -> FailureTexts:
    """The shipped table, behind the tables of files that are given.

    Args:
        paths: YAML files in the shape of the shipped one; the first is asked first.

    Raises:
        SafecotError: a file cannot be read or is not of that shape (file and entry are named).
    """
    return _load(tuple(str(Path(path).expanduser()) for path in paths))


def active() -> FailureTexts:
    """The shipped table with the file that ``SAFECOT_FAILURE_TEXTS`` names.

    Raises:
        SafecotError: see :func:`load`.
    """
    given = os.environ.get(VARIABLE)
    return load(given) if given else load()


def use(path: Path | None) -> None:
    """Have a file of failure texts asked from now on, in this process and those it starts.

    Args:
        path: The file; None leaves what the environment names, and checks it.

    Raises:
        SafecotError: see :func:`load`.
    """
    if path is not None:
        os.environ[VARIABLE] = str(path.expanduser().resolve())
    active()


def of_recorded(response: str) -> FailureText | None:
    """What a recorded generation stands for by the active table, where it (or its answer) is a failure's text.

    >>> of_recorded("<think>Hm.</think>Failed to obtain answer via API.").status
    <Status.REQUEST_FAILED: 'request_failed'>
    """
    table = active()
    return table.find(response, recorded=True) or table.find(split(response).answer, recorded=True)


@lru_cache(maxsize=16)
def _load(paths: tuple[str, ...]) -> FailureTexts:
    entries: list[_Entry] = []
    names = []
    for path in (*map(Path, paths), SHIPPED):
        content = safe_yaml.read_mapping(path, "needs a list 'entries'; see docs/importing.md")
        names.append(str(content.get("id") or path.stem))
        listed = content.get("entries")
        if not isinstance(listed, list) or not listed:
            raise SafecotError(f"{path}: needs a list 'entries'; see docs/importing.md.")
        entries += [_entry(entry, f"{path}, entry {number}") for number, entry in enumerate(listed, start=1)]
    content_of = [[e.status, e.prefixes, e.whole, e.containing, e.recorded] for e in entries]
    digest = sha256_of(json.dumps(content_of, ensure_ascii=True))
    return FailureTexts(f"{'+'.join(names)}@{digest[:8]}", tuple(entries))


def _entry(given: Any, where: str) -> _Entry:
    if not isinstance(given, dict):
        raise SafecotError(f"{where}: is not 'status', 'source' and 'prefixes' or 'whole'.")
    if unknown := sorted(set(given) - _KEYS):
        raise SafecotError(f"{where}: knows no {unknown[0]!r}; it has {', '.join(sorted(_KEYS))}.")
    status = given.get("status", Status.REQUEST_FAILED.value)
    if status not in [allowed.value for allowed in STATUSES]:
        raise SafecotError(f"{where}: status {status!r} is none of {', '.join(STATUSES)}.")
    prefixes, whole = (_texts(given.get(key), f"{where}: {key!r}") for key in ("prefixes", "whole"))
    if not prefixes and not whole:
        raise SafecotError(f"{where}: needs 'prefixes' or 'whole'.")
    recorded = given.get("recorded", False)
    if not isinstance(recorded, bool):
        raise SafecotError(f"{where}: 'recorded' is true or false.")
    words = FILTER_WORDS if given.get("containing") == "filter_words" else given.get("containing")
    containing = tuple(map(_fold, _texts(words, f"{where}: 'containing'")))
    return _Entry(
        Status(status), str(given.get("source") or "unnamed"), prefixes, whole, containing, recorded
    )


def _texts(given: Any, where: str) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(text, str) and text.strip() for text in given):
        raise SafecotError(f'{where} is a list of texts that are not empty (quote words such as "null").')
    return tuple(given)


def _fold(text: str) -> str:
    """The form in which two spellings are the same: case, apostrophes and white space folded."""
    return " ".join(unicodedata.normalize("NFKC", text.translate(_STRAIGHT)).casefold().split())


def _bare(folded: str) -> str:
    return folded.rstrip(".").strip("\"'`*")


class Why(StrEnum):
    """What is suspicious about a short answer."""

    ERROR = "it reads like an error or a placeholder"
    NO_WORD = "it has neither letter nor digit"
    AGAIN = "it comes again and again"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A short text that looks like a failure though the table does not know it.

    Attributes:
        text: As it stands in the first such answer.
        count: Answers with this text, numbers aside.
        first: Index of the first.
        why: What is suspicious about it.
    """

    text: str
    count: int
    first: int
    why: Why


_SHORT = 200
_FEW_WORDS = 6
_OFTEN = 5
_OFTEN_SHARE = 0.02
_ERROR_WORDS = re.compile(
    r"""^[\W_]*(?:
      (?:\w+\s)?(?:error|exception|failure|traceback)\b | \w+(?:error|exception)\b
    | (?:api|server|request|connection|network|gateway|model|judge|call|generation|inference|decoding)\b.{0,30}
      \b(?:error|failed|failure|timed?\s?-?out|rejected|blocked|refused|unavailable|exceeded|overloaded|interrupted)\b
    | fail(?:ed|ure)?\b.{0,20}\b(?:to|with|after|request|call|api|generation|response|inference)\b
    | time(?:d\s|-)?out\b | rate[\s_-]?limit | quota\b | too\smany\srequests
    | (?:http[\s/\d.]{0,5}|status(?:\scode)?:?\s?)[45]\d\d\b
    | [45]\d\d(?:\s*[:-]|\s(?:bad|too|internal|service|gateway|not|unauthorized|forbidden|client|server)\b)
    | (?:no|empty|missing|invalid|null)\s(?:response|answer|output|completion|candidates?|reply|text|prediction|result|content)\b
    | (?:content|safety|prompt|response|output)[\s_-]*(?:filter|block|policy\sviolation|violation)
    | max(?:imum)?\sretries | retr(?:y|ies)\b | out\sof\smemory | oom\b | skipped\b | placeholder\b | unavailable\b
    | (?:fehler|fehlgeschlagen|erreur|errore|ошибка|错误|錯誤|エラー|오류)(?:\s\d+)?\s*[:：!-] | zeitüberschreitung\b
    | (?:to\s?do|tbd|fixme|lorem\sipsum)\b.{0,20}$
    | internal\s(?:server\s)?error | service\sunavailable | not\s(?:available|generated)\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_WORD = re.compile(r"[^\W_]")
_USUAL = re.compile(
    r"^[\W_]*(?:[a-z]|yes|no|true|false|unsure|unknown)[\W_]*$|\b(?:i|we|you|your|my|please|sorry)\b",
    re.IGNORECASE,
)
"""Letters of options, and sentences of a model that says the same thing every time."""


def suspects(answers: Sequence[str], is_refusal: Any = lambda text: False) -> list[Suspect]:
    """Short answers that look like failures, or that come again and again word for word; the most frequent first.

    Args:
        answers: Answers that are no known failures.
        is_refusal: Whether a text is a refusal; a canned refusal is no failure.

    >>> [(s.text, s.count) for s in suspects(["ServerError 17", "A cat.", "ServerError 18"])]
    [('ServerError 17', 2)]
    """
    groups: dict[str, list[int]] = {}
    for number, answer in enumerate(answers):
        if 0 < len(answer.strip()) <= _SHORT:
            groups.setdefault(re.sub(r"\d+", "#", _fold(answer)), []).append(number)
    often = max(_OFTEN, _OFTEN_SHARE * len(answers))
    found = []
    for numbers in groups.values():
        text = answers[numbers[0]].strip()
        identical = max(Counter(answers[number].strip() for number in numbers).values())
        again = identical >= often and len(text.split()) <= _FEW_WORDS and not _USUAL.search(text)
        if _ERROR_WORDS.match(text):
            why = Why.ERROR
        elif not _WORD.search(text):
            why = Why.NO_WORD
        elif again:
            why = Why.AGAIN
        else:
            continue
        if not is_refusal(text):
            found.append(Suspect(text, len(numbers), numbers[0], why))
    return sorted(found, key=lambda suspect: -suspect.count)
