"""What was recorded beside the runs (``manifest.json``): counts, shards, and the figures of that time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.reading import read_json
from safecot_eval.paper.recorded import RecordedRun
from safecot_eval.util.errors import SafecotError

FILE = "manifest.json"
COUNTS = ("items", "judged", "unsafe", "safe")
_SHARDS = re.compile(r"^(\d+) of (\d+)$")


@dataclass(frozen=True)
class Entry:
    """What the manifest says about one run.

    Attributes:
        file: The run's file.
        base: The base model's full name; empty if not said.
        shards: Shards that were found and shards that there were, e.g. (3, 4); None if not said.
        counts: Number of ``items``, ``judged``, ``unsafe`` and ``safe``, as far as said.
        recorded: File name to text of what stood beside the run (``eval_template_score.txt``, ``final_scores.txt``).
    """

    file: str
    base: str = ""
    shards: tuple[int, int] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    recorded: Mapping[str, str] = field(default_factory=dict)


def read_manifest(folder: Path) -> dict[str, Entry]:
    """Read ``manifest.json`` of a folder of runs.

    Returns:
        File name to entry; empty if there is no manifest.

    Raises:
        SafecotError: it has another form, names a file twice, or names one that is not there.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, list):
        raise SafecotError(f"{path}: a list of runs was expected, not {type(content).__name__}.")
    entries: dict[str, Entry] = {}
    for number, raw in enumerate(content):
        entry = _entry(raw, f"{path}, entry {number}")
        if entry.file in entries:
            raise SafecotError(f"{path}: {entry.file} is named twice; remove one of the entries.")
        if not (folder / entry.file).is_file():
            raise SafecotError(
                f"{path}: names {entry.file}, which is not there; restore the file or remove the entry."
            )
        entries[entry.file] = entry
    return entries


def _entry(raw: Any, where: str) -> Entry:
    file = raw.get("file") if isinstance(raw, dict) else None
    if not isinstance(file, str) or "/" in file or not file.endswith(".jsonl"):
        raise SafecotError(f"{where}: 'file' is not the name of a .jsonl file beside the manifest.")
    shards = None
    if "shards" in raw:
        found = _SHARDS.match(str(raw["shards"]))
        if found is None:
            raise SafecotError(f"{where}: 'shards' is {raw['shards']!r}; write it as '3 of 4'.")
        shards = (int(found[1]), int(found[2]))
    counts = {key: raw[key] for key in COUNTS if key in raw}
    if not all(
        isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts.values()
    ):
        raise SafecotError(f"{where}: {', '.join(COUNTS)} are whole numbers.")
    recorded = raw.get("recorded") or {}
    if not isinstance(recorded, dict) or not all(isinstance(text, str) for text in recorded.values()):
        raise SafecotError(f"{where}: 'recorded' is not an object of texts.")
    return Entry(file, str(raw.get("base") or ""), shards, counts, recorded)


def check(run: RecordedRun, entry: Entry) -> None:
    """Compare a run with its entry.

    Raises:
        SafecotError: the run has fewer answers than the manifest says (a shard is missing), or other counts differ.
    """
    unsafe = sum(run.test.questions[answer.position].unsafe for answer in run.answers)
    found = {
        "items": len(run.answers),
        "judged": len(run.answers) - run.unjudged,
        "unsafe": unsafe,
        "safe": len(run.answers) - unsafe,
    }
    said = entry.counts.get("items", found["items"])
    if found["items"] < said:
        shards = f" ({entry.shards[0]} of {entry.shards[1]} shards)" if entry.shards else ""
        raise SafecotError(
            f"{run.path}: {found['items']} answers, but {FILE} names {said}{shards}; {describe_gaps([run])} missing: a "
            "shard was lost. Restore the file, or correct the manifest."
        )
    for key, count in entry.counts.items():
        if found[key] != count:
            raise SafecotError(f"{run.path}: {found[key]} {key}, but {FILE} names {count}; restore the file.")


def describe_gaps(runs: Sequence[RecordedRun]) -> str:
    """The items that runs lack, in words: ``items 1 to 150 are``."""
    gaps = [gap for run in runs for gap in run.gaps]
    spans = ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in gaps[:4])
    more = ", …" if len(gaps) > 4 else ""
    several = len(gaps) > 1 or any(last > first for first, last in gaps)
    return f"items {spans}{more} are" if several else f"item {spans} is"
