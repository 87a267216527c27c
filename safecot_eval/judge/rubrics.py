"""Rubrics: what a judge is asked, as text files with a header, and their official twins.

A rubric file has header lines ``name: value``, a line ``---``, and the text for the judge. ``id``, ``version``,
``title``, ``source``, ``sees``, ``labels`` and ``ask`` (the closing question) are needed; ``variant`` and ``for``
(``benchmark/category`` with wildcards) name a wording for some items only. The official wordings are third-party and are
read from ``protocols/judge_prompts.json`` of the data folder; ``official.yaml`` says how.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.records.samples import Record
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from safecot_eval.util.paths import cache_dir, data_dir

FOLDER = Path(__file__).parent / "rubrics"
OFFICIAL_MAP = Path(__file__).with_name("official.yaml")
OFFICIAL_FILE = Path("protocols") / "judge_prompts.json"
FIELDS = ("prompt", "answer", "reasoning", "safety_warning", "reference", "keywords", "behaviour")
_NEEDED = ("id", "version", "title", "source", "sees", "labels", "ask")


@dataclass(frozen=True)
class Rubric:
    """One wording of one question.

    Attributes:
        id: What is judged; verdicts carry it.
        variant: The wording's name; empty for the general one.
        sees: Which texts of a record it is shown, of ``FIELDS``.
        replies: What the judge may reply, and the label that each reply stands for.
        ask: The closing question, after the material; empty where ``template`` has the whole text.
        text: The rubric, the same for every item.
        title: One line for people.
        source: Where the question comes from.
        applies_to: ``benchmark/category`` with wildcards; empty for all.
        template: Official wordings: the whole message with placeholders in braces; ``text`` is empty.
        placeholders: Placeholder to field, for ``template``.
        pattern: Where the reply reasons first: a regular expression whose group 1 is the reply.
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

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits over everything that the judge's reply depends on."""
        content = [self.id, self.variant, self.sees, dict(self.replies), self.ask, self.text]
        content += [self.template, dict(self.placeholders), self.pattern, self.applies_to]
        return sha256_of(json.dumps(content, ensure_ascii=True))[:16]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that score (``unsure`` is not one)."""
        return tuple(dict.fromkeys(label for label in self.replies.values() if label != Unscored.UNSURE))


@dataclass(frozen=True)
class RubricSet:
    """A rubric with its variants: the wording for an item is the first whose ``applies_to`` fits."""

    id: str
    general: Rubric
    variants: tuple[Rubric, ...] = ()

    @cached_property
    def hash(self) -> str:
        """Hash of all wordings: verdicts are comparable where it is equal."""
        if not self.variants:
            return self.general.hash
        joined = "".join(rubric.hash for rubric in (self.general, *self.variants))
        return sha256_of(joined)[:16]

    def for_record(self, record: Record) -> Rubric | None:
        """The wording for a record; None where the record lacks a text that the rubric needs."""
        place = f"{record.get('benchmark', '')}/{record.get('category', '')}"
        rubric = next((r for r in self.variants if fnmatchcase(place, r.applies_to)), self.general)
        return rubric if all(text_of(record, name) for name in rubric.sees) else None


def text_of(record: Record, name: str) -> str:
    """A text of a record by the field's name (``FIELDS``); empty where it has none."""
    if name in ("prompt", "answer", "reasoning"):
        return str(record.get(name) or "")
    extra = record.get("extra") or {}
    if name == "keywords":
        return str(extra.get("keywords") or record.get("category") or "").replace("_", " ")
    if name == "behaviour":
        return str(extra.get("question") or record.get("prompt") or "")
    return str(extra.get(name) or "")


def read_rubric(path: Path) -> Rubric:
    """Read a rubric file.

    Raises:
        SafecotError: it is not one (the line or the field is named).
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SafecotError(f"{path}: the rubric cannot be read as UTF-8 text.") from error
    head, line, text = content.partition("\n---\n")
    if not line:
        raise SafecotError(f"{path}: no line '---' between the header and the text; see docs/judge.md.")
    header: dict[str, str] = {}
    for number, written in enumerate(head.split("\n"), start=1):
        name, colon, value = written.partition(":")
        if not colon:
            raise SafecotError(f"{path}, line {number}: a header line is 'name: value'.")
        header[name.strip()] = value.strip()
    if missing := [name for name in _NEEDED if not header.get(name)]:
        raise SafecotError(f"{path}: the header lacks {', '.join(missing)}; see docs/judge.md.")
    labels, sees = _names(header["labels"]), _names(header["sees"])
    if unknown := [name for name in sees if name not in FIELDS]:
        raise SafecotError(f"{path}: 'sees' names {unknown[0]!r}; it may name {', '.join(FIELDS)}.")
    if Unscored.UNSURE not in labels or len(labels) < 3:
        raise SafecotError(f"{path}: 'labels' needs at least two labels and 'unsure'.")
    return Rubric(
        id=header["id"],
        variant=header.get("variant", ""),
        sees=sees,
        replies={label: label for label in labels},
        ask=header["ask"],
        text=text.strip(),
        title=header["title"],
        source=header["source"],
        applies_to=header.get("for", ""),
    )


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",") if name.strip())


@lru_cache(maxsize=1)
def own() -> dict[str, RubricSet]:
    """Our own rubrics by id."""
    found = [read_rubric(path) for path in sorted(FOLDER.glob("*.txt"))]
    general = {rubric.id: rubric for rubric in found if not rubric.applies_to}
    return {
        name: RubricSet(name, rubric, tuple(r for r in found if r.applies_to and r.id == name))
        for name, rubric in general.items()
    }


def paraphrases(name: str) -> list[Rubric]:
    """Other wordings of a rubric, for the audit."""
    found = [read_rubric(path) for path in sorted((FOLDER / "paraphrased").glob("*.txt"))]
    return [rubric for rubric in found if rubric.id == name]


def official() -> dict[str, RubricSet]:
    """The benchmarks' own wordings by rubric id.

    Raises:
        SafecotError: the file is not in the data folder, or lacks a prompt.
    """
    path = _official_path()
    try:
        prompts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SafecotError(f"{path}: the official judge prompts cannot be read as JSON ({error}).") from error
    entries: dict[str, dict[str, Any]] = yaml.safe_load(OFFICIAL_MAP.read_text(encoding="utf-8"))
    return {
        name: RubricSet(
            name,
            _official(name, entry, entry["key"], "", prompts, path),
            tuple(
                _official(name, entry, key, place, prompts, path)
                for place, key in entry.get("variants", {}).items()
            ),
        )
        for name, entry in entries.items()
    }


def _official(
    name: str, entry: Mapping[str, Any], key: str, place: str, prompts: Mapping[str, Any], path: Path
) -> Rubric:
    template = prompts.get(key) if isinstance(prompts, Mapping) else None
    if not isinstance(template, str):
        raise SafecotError(f"{path}: has no prompt {key!r}, which the official twin of {name!r} needs.")
    lacking = [placeholder for placeholder in entry["fields"] if "{" + placeholder + "}" not in template]
    if lacking:
        raise SafecotError(
            f"{path}: the prompt {key!r} has no {{{lacking[0]}}}; is it another version of the file?"
        )
    return Rubric(
        id=name,
        variant="official" + (f"-{place.split('/')[-1].rstrip('-*')}" if place else ""),
        sees=tuple(dict.fromkeys(entry["fields"].values())),
        replies=entry["replies"],
        title=key,
        source=f"{OFFICIAL_FILE}: {key}",
        applies_to=place,
        template=template,
        placeholders=entry["fields"],
        pattern=entry.get("pattern", ""),
    )


def _official_path() -> Path:
    folders = [folder for folder in (data_dir(), cache_dir() / "data") if folder is not None]
    for folder in folders:
        if (folder / OFFICIAL_FILE).is_file():
            return folder / OFFICIAL_FILE
    raise SafecotError(
        f"The official judge prompts ({OFFICIAL_FILE}) are in no data folder; see `safecot data prepare protocols`, or "
        "judge with our own wording."
    )


def choose(names: Iterable[str], *, wording: str = "own") -> dict[str, RubricSet]:
    """Rubrics by name or file.

    Args:
        names: Rubric ids, or paths of rubric files; empty for all of the wording.
        wording: ``own`` or ``official``; a file stands for itself.

    Raises:
        SafecotError: an unknown name.
    """
    available = official() if wording == "official" else own()
    wanted = list(names)
    if not wanted:
        return dict(available)
    chosen: dict[str, RubricSet] = {}
    for name in wanted:
        if name in available:
            chosen[name] = available[name]
        elif name.endswith(".txt"):
            rubric = read_rubric(Path(name).expanduser())
            chosen[rubric.id] = RubricSet(rubric.id, rubric)
        else:
            raise SafecotError(
                f"There is no {'official ' if wording == 'official' else ''}rubric {name!r}; there are "
                f"{', '.join(available)}, or name a rubric file (.txt)."
            )
    return chosen


def wording_of(sets: Mapping[str, RubricSet]) -> str:
    """What a judge id says about the wording: nothing for our own, ``+official``, or ``+<hash>`` for a file."""
    ours = own()
    foreign = sorted(s.hash for name, s in sets.items() if name not in ours or ours[name].hash != s.hash)
    if not foreign:
        return ""
    if all(s.general.template for s in sets.values()):
        return "+official"
    return "+" + sha256_of("".join(foreign))[:8]
