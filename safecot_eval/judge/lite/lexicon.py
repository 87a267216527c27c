"""The cue phrases of ``lexicon.yaml``, compiled into one trie over words.

>>> lexicon = load_lexicon()
>>> lexicon.find(["i", "cannot", "help", "with", "that"])[0].group
'refuse'
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

LEXICON_FILE = Path(__file__).with_name("lexicon.yaml")
MAX_GAP = 3
_ANY = "*"
_END = ""


class Cue(NamedTuple):
    """A cue found in a sentence: words ``start`` to ``end`` (exclusive) are a phrase of ``group``."""

    group: str
    start: int
    end: int


@dataclass(frozen=True)
class Lexicon:
    """Groups in the file's order, and the trie of all their phrases."""

    groups: tuple[str, ...]
    trie: dict[str, Any]

    def find(self, words: Sequence[str]) -> list[Cue]:
        """Return every cue in one sentence; for each group and start the longest."""
        found: list[Cue] = []
        root, n = self.trie, len(words)
        for start, word in enumerate(words):
            node = root.get(word)
            if node is None:
                continue
            after = words[start + 1] if start + 1 < n else None
            if after not in node and _END not in node and _ANY not in node:
                continue  # most words that could begin a cue do not: not worth a call
            longest: dict[str, int] = {}
            _walk(node, words, start + 1, longest)
            found.extend(Cue(group, start, end) for group, end in longest.items())
        return found


def _walk(node: dict[str, Any], words: Sequence[str], position: int, longest: dict[str, int]) -> None:
    while True:
        for group in node.get(_END, ()):
            longest[group] = max(position, longest.get(group, 0))
        if _ANY in node:
            for skip in range(MAX_GAP + 1):
                if position + skip <= len(words):
                    _walk(node[_ANY], words, position + skip, longest)
        if position >= len(words) or words[position] not in node:
            return
        node = node[words[position]]
        position += 1


def expand(pattern: str, classes: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield the word sequences that a pattern stands for.

    >>> sorted(expand("i (really |)<no>", {"no": "(cannot|will not)"}))[0]
    ('i', 'cannot')
    """
    pattern = re.sub(r"<(\w+)>", lambda m: classes[m.group(1)], pattern)
    parts = [part.strip("()").split("|") if part.startswith("(") else [part] for part in _pieces(pattern)]
    for choice in itertools.product(*parts):
        words = tuple(" ".join(choice).split())
        if words:
            yield words


def _pieces(pattern: str) -> list[str]:
    return [piece for piece in re.split(r"(\([^()]*\))", pattern) if piece.strip()]


@lru_cache(maxsize=2)
def load_lexicon(path: Path = LEXICON_FILE) -> Lexicon:
    """Read and compile a lexicon; the shipped one by default."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    trie: dict[str, Any] = {}
    for group, patterns in content["groups"].items():
        for pattern in patterns:
            for words in expand(pattern, content["classes"]):
                node = trie
                for word in words:
                    node = node.setdefault(word, {})
                ends = node.setdefault(_END, [])
                if group not in ends:
                    ends.append(group)
    return Lexicon(tuple(content["groups"]), trie)
