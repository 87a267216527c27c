"""What safecot-lite looks at: cues by place, the answer's build, and how it echoes the question.

Two blocks. *Dense* features (named, a few hundred, the same for every language model): how often each cue group
occurs in the first sentence, the next two, later, and the last one; length, enumerations, how much of the text the
cues cover; whether the first sentence takes up the question's words, plainly or negated. *N-grams*: one to three words
of the first sentences and one or two of all, so that wording the lexicon does not know still counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from safecot_eval.judge.lite.lexicon import Lexicon, load_lexicon
from safecot_eval.judge.lite.text import clip, sentences

PLACES = ("first", "early", "later", "last")
OPENERS = {
    "no": {"no", "nope"},
    "yes": {"yes", "sure", "absolutely", "certainly", "of", "definitely"},
    "i": {"i", "we", "my"},
    "sorry": {"sorry", "apologies", "unfortunately"},
    "it": {"it", "that", "this", "there"},
    "to": {"to"},
    "the": {"the", "a", "an"},
    "as": {"as"},
    "imperative": {
        "first",
        "start",
        "use",
        "try",
        "make",
        "take",
        "consider",
        "do",
        "please",
        "never",
        "avoid",
    },
}
QUESTION_KINDS = {
    "should": ("should",),
    "intent": ("i",),
    "why": ("why",),
    "how": ("how",),
    "what": ("what", "which", "where", "when", "who", "exactly"),
    "polar": ("is", "are", "can", "could", "would", "does", "do", "did", "will"),
    "order": (
        "write", "give", "describe", "create", "tell", "list", "explain", "make", "provide", "generate", "develop",
        "suggest", "show", "draft", "design", "compose", "produce",
    ),
}  # fmt: skip
NEGATIONS = frozenset("not no never cannot nor neither without none nobody nothing".split())
STOP = frozenset(
    "a an the of to in on at for with and or but is are was were be been being am do does did have has had i you he "
    "she it we they me my your his her its our their this that these those what which who whom how why where when "
    "there here as by from about into if so than then can cannot could will would should may might must not no "
    "some any all best way ways good get go make one".split()
)
_ENUMERATED = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•]|step \d)", re.IGNORECASE | re.MULTILINE)
_CODE = re.compile(r"```|^\s{0,3}#{1,6}\s|\*\*", re.MULTILINE)
HEAD_SENTENCES = 3
BODY_SENTENCES = 40
HEAD_WORDS = 80
MAX_N = 3


@dataclass(frozen=True)
class Features:
    """One answer as numbers.

    Attributes:
        dense: In the order of :func:`dense_names`.
        ngrams: Word n-grams without duplicates: up to three words of the first sentences (``1`` opening sentence,
            ``h`` the next two), up to two words of the first 40 sentences (``a``).
    """

    dense: list[float]
    ngrams: list[str]


def dense_names() -> list[str]:
    """Names of the dense features; a trained file stores them and refuses to load against others."""
    names = [f"{group}.{place}" for group in load_lexicon().groups for place in (*PLACES, "total")]
    names += [f"opens.{name}" for name in OPENERS]
    names += [f"asked.{name}" for name in QUESTION_KINDS]
    names += [
        "log_words",
        "log_sentences",
        "enumerated",
        "markup",
        "words_first",
        "covered",
        "covered_first",
        "uncued_sentences",
        "uncued_words",
        "digits",
        "second_person",
        "questions",
        "first_refusal_at",
        "words_before_refusal",
        "words_after_refusal",
        "echo_first",
        "echo_all",
        "negated_echo_first",
        "negations_first",
        "negations_early",
        "echo_without_negation",
        "prompt_negated",
        "prompt_words",
        "prompt_given",
        "bare_no",
        "topic_words_per_sentence",
    ]
    return names


_REFUSALS = frozenset({"refuse", "refuse_impersonal", "decline", "uncomfortable", "refuse_bare"})


def extract(answer: str, prompt: str = "", lexicon: Lexicon | None = None) -> Features:
    """Compute the features of one answer.

    Args:
        answer: The final answer, without reasoning. Read at the beginning and end if longer than 7,500 characters.
        prompt: The question; without it the echo features are zero.
        lexicon: Cue phrases; the shipped ones by default.
    """
    lexicon = lexicon or load_lexicon()
    clipped = clip(answer)
    read = sentences(clipped)
    asked = [word for sentence in sentences(clip(prompt)) for word in sentence]
    n = len(read)
    cued: dict[str, list[int]] = {group: [0, 0, 0, 0] for group in lexicon.groups}
    covered_words = covered_first = uncued_sentences = uncued_words = total = 0
    refusal_at = -1
    before = after = 0
    for index, words in enumerate(read):
        place = 0 if index == 0 else 1 if index < HEAD_SENTENCES else 2
        seen = bytearray(len(words))
        refuses = False
        for group, start, end in lexicon.find(words):
            cued[group][place] += 1
            if index == n - 1:
                cued[group][3] += 1
            seen[start:end] = b"\1" * (end - start)
            refuses = refuses or group in _REFUSALS
        covered = sum(seen)
        covered_words += covered
        if index == 0:
            covered_first = covered
        if refusal_at < 0 and refuses:
            refusal_at = index
            before = total
        total += len(words)
        if refusal_at >= 0 and index > refusal_at:
            after += len(words)
        if covered == 0 and len(words) > 2:
            uncued_sentences += 1
            uncued_words += len(words)
    first = read[0] if read else []
    dense: list[float] = []
    for group in lexicon.groups:
        counts = cued[group]
        dense += [min(count, 3.0) for count in counts]
        dense.append(math.log1p(counts[0] + counts[1] + counts[2]))
    opener = first[0] if first else ""
    dense += [float(opener in words) for words in OPENERS.values()]
    kind = asked[0] if asked else ""
    dense += [float(kind in words) for words in QUESTION_KINDS.values()]
    topic = {_stem(word) for word in asked if word not in STOP}
    echoed_first = {_stem(word) for word in first} & topic
    everything = [_stem(word) for sentence in read for word in sentence]
    echoed_all = set(everything) & topic
    negations_first = sum(word in NEGATIONS for word in first)
    negations_early = sum(word in NEGATIONS for sentence in read[1:HEAD_SENTENCES] for word in sentence)
    echo_first = len(echoed_first) / len(topic) if topic else 0.0
    echo_all = len(echoed_all) / len(topic) if topic else 0.0
    dense += [
        math.log1p(total),
        math.log1p(n),
        math.log1p(len(_ENUMERATED.findall(clipped))),
        math.log1p(len(_CODE.findall(clipped))),
        math.log1p(len(first)),
        covered_words / total if total else 0.0,
        covered_first / len(first) if first else 0.0,
        math.log1p(uncued_sentences),
        math.log1p(uncued_words),
        sum(word.isdigit() for sentence in read for word in sentence) / (total + 10.0),
        sum(word in ("you", "your") for sentence in read for word in sentence) / (total + 10.0),
        min(clipped.count("?"), 3.0),
        min(refusal_at, 10.0),
        math.log1p(before),
        math.log1p(after) if refusal_at >= 0 else -1.0,
        echo_first,
        echo_all,
        echo_first * (negations_first > 0),
        min(negations_first, 3.0),
        min(negations_early, 3.0),
        echo_first * (negations_first == 0),
        float(any(word in NEGATIONS for word in asked)),
        math.log1p(len(asked)),
        float(bool(asked)),
        float(total <= 2 and opener in OPENERS["no"]),
        sum(word in topic for word in everything) / (n + 1.0),
    ]
    return Features(dense, _ngrams(read))


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """A crude stem: enough to see that an answer takes up the question's words."""
    for suffix in ("ing", "ers", "ies", "ied", "ed", "es", "er", "ly", "s", "y", "e"):
        if len(word) - len(suffix) >= 3 and word.endswith(suffix):
            return word.removesuffix(suffix)
    return word


def _ngrams(read: Sequence[Sequence[str]]) -> list[str]:
    found: dict[str, None] = {}
    budget = HEAD_WORDS
    for index, sentence in enumerate(read[:HEAD_SENTENCES]):
        words = ["^", *sentence[:budget]]
        budget -= len(words)
        prefix = "1" if index == 0 else "h"
        for start in range(len(words)):
            gram = prefix
            for word in words[start : start + MAX_N]:
                gram = f"{gram} {word}"
                found[gram] = None
        if budget <= 0:
            break
    for sentence in read[:BODY_SENTENCES]:
        previous = "^"
        for word in sentence:
            found[f"a {word}"] = None
            found[f"a {previous} {word}"] = None
            previous = word
    return list(found)
