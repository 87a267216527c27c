"""Rubrics: what a judge is asked, as text files with a header, and their official wordings.

A rubric file has header lines ``name: value``, a line ``---``, and the text for the judge. ``id``, ``version``,
``title``, ``source``, ``sees``, ``labels`` and ``ask`` (the closing question) are needed; ``variant`` and ``for``
(``benchmark/category``, or ``benchmark:variant`` of the task, with wildcards) name a wording for some items only; ``system`` is a system message, and
``probability: first token`` reads the label from the probabilities of two labels' first tokens instead of from the reply.
The official wordings are third-party and are read from files of the data folder (most from
``protocols/judge_prompts.json``); ``official.yaml`` says how.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.records.samples import Record, said_before
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from safecot_eval.util.paths import cache_dir, data_dir

FOLDER = Path(__file__).parent / "rubrics"
OFFICIAL_MAP = Path(__file__).with_name("official.yaml")
OFFICIAL_FILE = Path("protocols") / "judge_prompts.json"
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
_NEEDED = ("id", "version", "title", "source", "sees", "labels", "ask")


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
    by_first_token = header.get("probability", "") == BY_FIRST
    if header.get("probability") and not by_first_token:
        raise SafecotError(f"{path}: 'probability' is {BY_FIRST!r} or left out.")
    if by_first_token and (len(labels) != 2 or labels[0][:1] == labels[1][:1]):
        raise SafecotError(f"{path}: 'probability: {BY_FIRST}' needs two labels that begin differently.")
    if not by_first_token and (Unscored.UNSURE not in labels or len(labels) < 3):
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
        system=header.get("system", ""),
        by_first_token=by_first_token,
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


def official(names: Iterable[str] = ()) -> dict[str, RubricSet]:
    """The benchmarks' own wordings by rubric id.

    Args:
        names: Which; empty for all whose files are in the data folder.

    Raises:
        SafecotError: the file of a wanted wording is not in the data folder (or no file is), or lacks a prompt.
    """
    entries: dict[str, dict[str, Any]] = yaml.safe_load(OFFICIAL_MAP.read_text(encoding="utf-8"))
    wanted = [name for name in names if name in entries]
    found: dict[str, RubricSet] = {}
    read: dict[Path, Any] = {}
    absent: list[SafecotError] = []
    for name in wanted or entries:
        entry = entries[name]
        file = Path(entry.get("file", OFFICIAL_FILE))
        if (path := in_data_folder(file)) is None:
            absent.append(_no_file(file))
            continue
        if path not in read:
            read[path] = _prompts(path)
        prompts = read[path]
        if entry.get("where_known") and not wanted and not _said(prompts, entry["key"], None):
            continue
        found[name] = RubricSet(
            name,
            _official(name, entry, entry["key"], "", prompts, path),
            tuple(
                _official(name, found_in, found_in["key"], place, prompts, path)
                for place, found_in in _variants(entry)
                if not found_in.get("where_known")
                or _said(prompts, found_in["key"], found_in.get("separator"))
            ),
        )
    if absent and (wanted or not found):
        raise absent[0]
    return found


def _variants(entry: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Wordings for some items: another text, read in the same way, or an entry of its own."""
    for place, other in entry.get("variants", {}).items():
        yield place, other if isinstance(other, Mapping) else {**entry, "key": other}


def _prompts(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SafecotError(f"{path}: the official judge prompts cannot be read as JSON ({error}).") from error


def _said(prompts: Any, key: str, separator: str | None) -> Any:
    """The text under a key; one with a separator leads through objects within one another."""
    for part in key.split(separator) if separator else [key]:
        prompts = prompts.get(part) if isinstance(prompts, Mapping) else None
    return prompts


def _composed(prompts: Any, key: str, entry: Mapping[str, Any]) -> Any:
    """A template whose ``parts`` are filled in (a table becomes one line a class) and ``fixed`` words, its ``positional`` places named."""
    template = _said(prompts, key, entry.get("separator"))
    for name, part in entry.get("parts", {}).items():
        text = _said(prompts, part, entry.get("separator"))
        if isinstance(text, Mapping):
            text = "\n" + "".join(f"{number}: {line}\n" for number, line in text.items())
        if not isinstance(template, str) or not isinstance(text, str):
            return None
        template = template.replace("{" + name + "}", text)
    for name, text in entry.get("fixed", {}).items() if isinstance(template, str) else ():
        template = template.replace("{" + name + "}", text)
    for name in entry.get("positional", ()) if isinstance(template, str) else ():
        template = template.replace("{}", "{" + name + "}", 1)
    return template


def _official(name: str, entry: Mapping[str, Any], key: str, place: str, prompts: Any, path: Path) -> Rubric:
    separator = entry.get("separator")
    template = _composed(prompts, key, entry)
    system = _said(prompts, entry["system"], separator) if "system" in entry else ""
    if not isinstance(template, str) or not isinstance(system, str):
        missing = key if not isinstance(template, str) else entry["system"]
        raise SafecotError(
            f"{path}: has no prompt {missing!r}, which the official wording of {name!r} needs."
        )
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
        source=f"{entry.get('file', OFFICIAL_FILE)}: {key}",
        applies_to=place,
        template=template,
        placeholders=entry["fields"],
        pattern=_pattern(entry, prompts, path),
        otherwise=entry.get("otherwise", ""),
        system=system,
        by_first_token=entry.get("probability") == BY_FIRST,
        pictures=entry.get("pictures", ""),
    )


def _pattern(entry: Mapping[str, Any], prompts: Any, path: Path) -> str:
    """How the reply is found: ours, or upstream's own pattern where the file has it."""
    pattern = str(_said(prompts, entry["pattern_key"], None) or "") if "pattern_key" in entry else ""
    pattern = pattern or entry.get("pattern", "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise SafecotError(
            f"{path}: {entry.get('pattern_key')} is no regular expression ({error})."
        ) from error
    return pattern


def in_data_folder(file: Path) -> Path | None:
    """Where a prepared file is; None if it is in no data folder."""
    folders = [folder for folder in (data_dir(), cache_dir() / "data") if folder is not None]
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def _no_file(file: Path) -> SafecotError:
    return SafecotError(
        f"The official judge prompts ({file}) are in no data folder; see `safecot data prepare {file.parts[0]}`, or judge "
        "with our own wording."
    )


def choose(names: Iterable[str], *, wording: str = "own") -> dict[str, RubricSet]:
    """Rubrics by name or file.

    Args:
        names: Rubric ids, or paths of rubric files; empty for all of the wording.
        wording: ``own`` or ``official``; a file stands for itself.

    Raises:
        SafecotError: an unknown name.
    """
    wanted = list(names)
    available = official(wanted) if wording == "official" else own()
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
    """What a judge id says about the wording: nothing for our own and for guards, ``+official``, ``+image``, both, or ``+<hash>``."""
    ours = own()
    foreign = sorted(s.hash for name, s in sets.items() if name not in ours or ours[name].hash != s.hash)
    if not foreign:
        return ""
    if all(s.only_form for s in sets.values()):
        return ""
    if all(s.general.template for s in sets.values()):
        wordings = (rubric for s in sets.values() for rubric in (s.general, *s.variants))
        return "+official+image" if any(IMAGE in rubric.sees for rubric in wordings) else "+official"
    if all(name in ours and replace(s, seeing=None).hash == ours[name].hash for name, s in sets.items()):
        return "+image"
    return "+" + sha256_of("".join(foreign))[:8]
