"""One wording of a question to a judge, and a rubric of several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from safecot_eval.records.samples import Record, said_before
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.files import sha256_of

FIELDS = (
    "prompt",
    "answer",
    "generation",
    "reasoning",
    "safety_warning",
    "reference",
    "keywords",
    "behaviour",
    "dialogue",
    "image",
)
IMAGE = "image"
"""The field that is no text: the pictures that the model was shown."""
BY_FIRST = "first token"


@dataclass(frozen=True)
class Rubric:
    """One wording of one question.

    Attributes:
        id: What is judged; verdicts carry it.
        variant: The wording's name; empty for the general one.
        sees: Which texts of a record it is shown, of ``FIELDS``; the pictures stand before them, or after them where ``image`` is last.
        replies: What the judge may reply, and the label that each reply stands for.
        ask: The closing question, after the material; empty where ``template`` has the whole text.
        text: The rubric, the same for every item.
        title: One line for people.
        source: Where the question comes from.
        applies_to: ``benchmark/category`` or ``benchmark:variant`` with wildcards; empty for all.
        template: Official wordings: the whole message with placeholders in braces; ``text`` is empty.
        placeholders: Placeholder to field, for ``template``.
        pattern: Where the reply reasons first: a regular expression whose group 1 is the reply, or all groups, with spaces between.
        otherwise: Read as upstream's script does: the first match, letter for letter; one whose group 1 is no reply has
            this label.
        system: System message; empty for none.
        by_first_token: The label is the reply whose first token is the more probable, and its probability is that token's
            share of both: a softmax over two entries of the vocabulary.
        as_conversation: The request and the answer are sent as the turns of a conversation; the judge's own chat template
            holds the question (guard models).
        parts: The question is asked as these, one by one (a guard's policies), and their labels make one: see
            :mod:`safecot_eval.judge.parts`.
        one_picture: A request takes one picture; several are asked about one by one.
        pictures: Official wordings: where the authors show their judge the pictures, ``first`` or ``last``; empty if they do not.
    """

    id: str
    variant: str
    sees: tuple[str, ...]
    replies: Mapping[str, str]
    ask: str = ""
    text: str = ""
    title: str = ""
    source: str = ""
    applies_to: str = ""
    template: str = ""
    placeholders: Mapping[str, str] = field(default_factory=dict)
    pattern: str = ""
    otherwise: str = ""
    system: str = ""
    by_first_token: bool = False
    as_conversation: bool = False
    parts: tuple[Rubric, ...] = ()
    one_picture: bool = False
    pictures: str = ""

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits over everything that the judge's reply depends on."""
        content: list[Any] = [self.id, self.variant, self.sees, dict(self.replies), self.ask, self.text]
        content += [self.template, dict(self.placeholders), self.pattern, self.applies_to]
        if self.system or self.by_first_token:  # else the hash that rubrics without them have had
            content += [self.system, self.by_first_token]
        if self.otherwise:
            content.append(self.otherwise)
        if self.as_conversation:
            content.append("as conversation")
        if self.parts or self.one_picture:
            content += ["one picture", *(part.hash for part in self.parts)]
        return sha256_of(json.dumps(content, ensure_ascii=True))[:16]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that score (``unsure`` is not one)."""
        return tuple(dict.fromkeys(label for label in self.replies.values() if label != Unscored.UNSURE))


@dataclass(frozen=True)
class RubricSet:
    """A rubric with its variants: the wording for an item is the first whose ``applies_to`` fits.

    Where there is a wording for judges that see, it is that of all records with pictures. ``only_form`` says that the judge knows no
    other wording (a guard model), so that its id need not tell.
    """

    id: str
    general: Rubric
    variants: tuple[Rubric, ...] = ()
    seeing: Rubric | None = None
    only_form: bool = False

    @cached_property
    def hash(self) -> str:
        """Hash of all wordings: verdicts are comparable where it is equal."""
        wordings = [self.general, *self.variants, *([self.seeing] if self.seeing else [])]
        if len(wordings) == 1:
            return self.general.hash
        joined = "".join(rubric.hash for rubric in wordings)
        return sha256_of(joined)[:16]

    def for_record(self, record: Record) -> Rubric | None:
        """The wording for a record; None where the record lacks a text that the rubric needs."""
        benchmark = record.get("benchmark", "")
        places = f"{benchmark}/{record.get('category', '')}", f"{benchmark}:{record.get('variant', '')}"
        fitting = (r for r in self.variants if any(fnmatchcase(place, r.applies_to) for place in places))
        rubric = self.seeing if self.seeing and text_of(record, IMAGE) else next(fitting, self.general)
        return rubric if all(text_of(record, name) for name in rubric.sees) else None


def text_of(record: Record, name: str) -> str:
    """A text of a record by the field's name (``FIELDS``); empty where it has none."""
    if name == "generation":
        return str(record.get("raw") or record.get("answer") or "")
    if name in ("prompt", "answer", "reasoning"):
        return str(record.get(name) or "")
    if name == IMAGE:
        return " ".join(record.get("image_sha256") or ())
    extra = record.get("extra") or {}
    if name == "keywords":
        return str(extra.get("keywords") or record.get("category") or "").replace("_", " ")
    if name == "behaviour":
        return str(extra.get("question") or record.get("prompt") or "")
    if name == "dialogue":
        said = [*said_before(extra), ("user", record.get("prompt") or "")]
        return "\n\n".join(f"{role}: {text}" for role, text in said)
    return str(extra.get(name) or "")
