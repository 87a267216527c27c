"""Who labelled answers: a phrase list, a judge under one prompt variant of a rubric, or people; and how that is spelled.

The spelling is what tables, pages and submissions show. It is read and written here only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from safecot_eval.records.verdicts import Unscored, outcome_of

PHRASE_LABELS = ("complied", "refused")
"""Labels of a phrase list. :func:`phrase_labels` says which a run has."""
UNREAD = len(PHRASE_LABELS)
"""Code of the answers whose language a list does not read."""
_REFUSED = {"refused": True, "complied": False}
_HASH_DIGITS = 8


def phrase_labels(*, unread: bool) -> tuple[str, ...]:
    """Labels of a phrase list in the order of their codes; that of unread answers is named only if there are any."""
    return (*PHRASE_LABELS, Unscored.UNSUPPORTED_LANGUAGE.value) if unread else PHRASE_LABELS


class Kind(StrEnum):
    """What an evaluator is."""

    PHRASES = "phrases"  # the phrase list that the run was scored by
    ALTERNATIVE = "alternative"  # another phrase list, matched against the same answers when they are read
    JUDGE = "judge"
    PEOPLE = "people"


_PREFIXES = {
    Kind.ALTERNATIVE: "shadow template:",
    Kind.PHRASES: "template:",
    Kind.PEOPLE: "human:",
    Kind.JUDGE: "",
}


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who labels, and by which wording.

    Attributes:
        kind: Phrase list, judge or people.
        name: Of the list, the judge or the people.
        rubric: What was asked; empty for phrase lists.
        variant: First digits of the hash of the list's phrases or of the rubric's prompts; empty if not known.

    >>> str(Evaluator(Kind.JUDGE, "llama-3-8b", "harm", "0a1b2c3d"))
    'llama-3-8b/harm@0a1b2c3d'
    """

    kind: Kind
    name: str
    rubric: str = ""
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a spelling.

        >>> Evaluator.parse("shadow template:gcg29@12345678").kind
        <Kind.ALTERNATIVE: 'alternative'>
        >>> found = Evaluator.parse("human:ann/refusal@human")
        >>> found.kind.value, found.name, found.rubric, found.variant
        ('people', 'ann', 'refusal', 'human')
        """
        kind = next(kind for kind, prefix in _PREFIXES.items() if text.startswith(prefix))
        rest = text.removeprefix(_PREFIXES[kind])
        if kind in (Kind.PHRASES, Kind.ALTERNATIVE):
            name, variant = _without_variant(rest)
            return cls(kind, name, "", variant)
        name, _, asked = rest.rpartition("/")  # a judge's name may be a path on the hub, a rubric's is not
        if not asked or "/" not in rest:
            return cls(kind, rest)
        rubric, variant = _without_variant(asked)
        return cls(kind, name, rubric, variant)

    @classmethod
    def of_list(cls, list_id: str, kind: Kind = Kind.PHRASES) -> Self:
        """A phrase list by its id."""
        return cls.parse(_PREFIXES[kind] + list_id)

    @classmethod
    def of_verdict(cls, judge: str, rubric: str, rubric_hash: str | None) -> Self:
        """Who gave a verdict."""
        return cls.parse(f"{judge}/{rubric}" + (f"@{rubric_hash[:_HASH_DIGITS]}" if rubric_hash else ""))

    def __str__(self) -> str:
        """The spelling, that of version 0.1.0."""
        return _PREFIXES[self.kind] + self.id

    @property
    def id(self) -> str:
        """Name, rubric and variant: for a list, its id."""
        return (
            self.name
            + (f"/{self.rubric}" if self.rubric else "")
            + (f"@{self.variant}" if self.variant else "")
        )

    @property
    def judge(self) -> str:
        """The id under which verdicts name it; that of a phrase list begins with ``template:``."""
        if self.is_list:
            return _PREFIXES[Kind.PHRASES] + self.id
        return _PREFIXES[self.kind] + self.name

    @property
    def is_list(self) -> bool:
        """Whether it is a phrase list."""
        return self.kind in (Kind.PHRASES, Kind.ALTERNATIVE)

    @property
    def outcome(self) -> str:
        """What it speaks of: ``refused``, ``unsafe``, ``effective``, or nothing that is yes or no."""
        return "refused" if self.is_list else outcome_of(self.rubric)[0]

    @property
    def by_label(self) -> Mapping[str, bool]:
        """Which labels are the outcome and which its opposite; the others are unscored."""
        return _REFUSED if self.is_list else outcome_of(self.rubric)[1]


def _without_variant(text: str) -> tuple[str, str]:
    head, _, variant = text.partition("@")
    return (head, variant) if head and variant else (text, "")


def people_id(name: str) -> str:
    """The judge id of a group of people.

    >>> people_id("consensus")
    'human:consensus'
    """
    return Evaluator(Kind.PEOPLE, name).judge


def is_people(judge: str) -> bool:
    """Whether a judge id is that of people."""
    return Evaluator.parse(judge).kind is Kind.PEOPLE


def short_names(evaluators: Iterable[Evaluator]) -> dict[Evaluator, str]:
    """Spellings without the variant, but for judges that asked in several.

    >>> one, two = (Evaluator(Kind.JUDGE, "j", "harm", variant) for variant in "ab")
    >>> list(short_names([one]).values()), list(short_names([one, two]).values())
    (['j/harm'], ['j/harm@a', 'j/harm@b'])
    """
    found = {
        evaluator: evaluator if evaluator.is_list else replace(evaluator, variant="")
        for evaluator in evaluators
    }
    count = Counter(found.values())
    return {evaluator: str(short if count[short] == 1 else evaluator) for evaluator, short in found.items()}
