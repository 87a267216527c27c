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
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.benchmarks.data import protocols
from safecot_eval.judge.rubric import BY_FIRST, FIELDS, IMAGE, Rubric, RubricSet
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of, unreadable
from safecot_eval.util.paths import cache_dir, data_dir

FOLDER = Path(__file__).parent / "rubrics"
OFFICIAL_MAP = Path(__file__).with_name("official.yaml")
OFFICIAL_FILE = Path(protocols.FOLDER) / protocols.FILE
_NEEDED = ("id", "version", "title", "source", "sees", "labels", "ask")


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
            read[path] = protocols.texts() if file == OFFICIAL_FILE else _prompts(path)
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
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
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
            f"{path}: {entry.get('pattern_key')} is not a regular expression ({error})."
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
