"""Compare a data folder with what is pinned: missing files, changed files, counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safecot_eval.benchmarks.data import protocols
from safecot_eval.benchmarks.data.locate import misplaced
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.util.files import sha256

_IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg", ".webp")


@dataclass(frozen=True)
class Report:
    """What a look at a data folder found.

    Attributes:
        good: Files with the pinned content.
        other: Files that may differ from the pinned copy, and do (upstream originals).
        changed: Files with another content than pinned.
        missing: Pinned files that are not there.
        short: Folders with fewer files than needed, and needed files that are not there, as sentences.
    """

    good: tuple[str, ...]
    other: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    short: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Nothing is missing, changed or short."""
        return not (self.changed or self.missing or self.short)


def verify(source: Source, root: Path) -> Report:
    """Hash every pinned file below ``root``."""
    good, other, changed, missing = [], [], [], []
    for name, digest in source.sha256.items():
        path = _found(root / name, by_stem=source.may_differ(name))
        if path is None:
            missing.append(name)
        elif path.name == Path(name).name and sha256(path) == digest:
            good.append(name)
        elif source.may_differ(name):
            other.append(name)
        else:
            changed.append(name)
    short = [
        f"{name.replace('|', ' or ')} is not there"
        for name in source.needed
        if not any(_there(root / one) for one in name.split("|"))
    ]
    for folder, count in source.counts.items():
        there = sum(path.is_file() for path in (root / folder).glob("*"))
        if there < count:
            short.append(f"{folder}/ holds {there} of {count} files")
    if source.extracted and (keys := protocols.lacking(root)):
        short.append(
            f"{protocols.FILE} lacks {len(keys)} text{'' if len(keys) == 1 else 's'} ({', '.join(keys[:3])}"
            f"{', …' if len(keys) > 3 else ''}); `safecot data prepare {source.folder}` adds what it lacks in the cache"
        )
    if missing or short:
        tables = [name for one in source.needed for name in one.split("|")] + list(missing)
        elsewhere = misplaced(root, [name for name in tables if "/" not in name])
        short += [elsewhere.strip()] if elsewhere else []
    return Report(tuple(good), tuple(other), tuple(changed), tuple(missing), tuple(short))


def layouts(source: Source, root: Path) -> list[str]:
    """Which of the layouts that a source may have this folder has, one sentence for each choice; all choices are named.

    >>> from safecot_eval.benchmarks.data.sources import sources
    >>> layouts(sources()["vlsbench"], Path("/nowhere"))[0]
    'none of records.jsonl or data.json is there'
    """
    found = []
    for choice in (name.split("|") for name in source.needed if "|" in name):
        there = [one for one in choice if _there(root / one)]
        accepted = " or ".join(choice)
        found.append(f"{there[0]}, of {accepted}" if there else f"none of {accepted} is there")
    return found


def _there(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _found(path: Path, *, by_stem: bool) -> Path | None:
    """The file, or, where the upstream's may have another image format, its namesake."""
    candidates = [path]
    if by_stem and path.suffix in _IMAGE_SUFFIXES:
        candidates += [path.with_suffix(ending) for ending in _IMAGE_SUFFIXES]
    return next((candidate for candidate in candidates if candidate.is_file()), None)
