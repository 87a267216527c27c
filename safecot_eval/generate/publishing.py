"""lmms-eval's files appear whole or not at all: it writes to a hidden folder, and what is complete is moved into place.

lmms-eval swallows errors while writing (a full disk is a warning), appends to samples files that exist, and orders the
samples of a distributed run by process. Here the files are checked, sorted by document, and given a timestamp that is free.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing

STAGING = "staging"
_TIMESTAMPED = re.compile(r"^(?P<timestamp>\d{8}_\d{6})_(?P<rest>(?:results\.json|samples_.+\.jsonl))$")


@contextmanager
def staging_folder(journal: Path, name: str) -> Iterator[Path]:
    """A folder for lmms-eval to write to, empty at the start and gone at the end.

    Args:
        journal: The journal's folder, on the same file system as the output.
        name: See :func:`safecot_eval.generate.journal.lock.results_name`; its lock is held.
    """
    folder = journal / f"{STAGING}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(
    staging: Path,
    output: Path,
    results: Mapping[str, Any],
    task_names: Collection[str],
    *,
    sort: bool = False,
) -> tuple[Path, str]:
    """Check the staged files and move them to the output folder.

    Args:
        staging: Where lmms-eval wrote.
        output: Where the files belong.
        results: What lmms-eval returned.
        task_names: Tasks that must have a samples file.
        sort: Order samples by document (a distributed run has them by process).

    Returns:
        The folder of the published files, and their timestamp.

    Raises:
        SafecotError: a file is missing or incomplete: the disk was full, say. Nothing has been published then.
    """
    written = sorted(staging.rglob("*_results.json"))
    if not written:
        raise SafecotError(
            f"{output}: lmms-eval could not write its results (is the disk full?). The answers are in the journal: "
            "make room and run the same command again."
        )
    home, timestamp = written[-1].parent, written[-1].name[:15]
    _check_json(written[-1], output)
    for task_name in task_names:
        _check_samples(
            home / f"{timestamp}_samples_{task_name}.jsonl", _expected(results, task_name), output, sort=sort
        )
    target = output / home.relative_to(staging)
    try:
        target.mkdir(parents=True, exist_ok=True)
        free = _free_timestamp(target, timestamp)
        names = sorted(path.name for path in home.iterdir() if _TIMESTAMPED.match(path.name))
        # The results file comes last: a run without it is one that was interrupted here.
        for name in sorted(names, key=lambda text: text.endswith("_results.json")):
            _sync(home / name)
            os.replace(home / name, target / f"{free}{name[15:]}")
    except OSError as error:
        raise SafecotError(f"{target}: the results cannot be written ({error.strerror}).") from error
    return target, free


def _expected(results: Mapping[str, Any], task_name: str) -> int | None:
    counts = results.get("n-samples", {})
    entry = counts.get(task_name) if isinstance(counts, Mapping) else None
    effective = entry.get("effective") if isinstance(entry, Mapping) else None
    return effective if isinstance(effective, int) else None


def _check_json(path: Path, output: Path) -> None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SafecotError(
            f"{output}: lmms-eval's results are incomplete (is the disk full?). The answers are in the journal: make "
            "room and run the same command again."
        ) from error


def _check_samples(path: Path, expected: int | None, output: Path, *, sort: bool) -> None:
    try:
        with path.open("rb") as stream:
            places, offset = [], 0
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                places.append((_doc_id(line) if sort else 0, offset, len(line)))
                offset += len(line)
    except OSError:
        places = []
    if not places or (expected is not None and len(places) != expected):
        wanted = "" if expected is None else f" of {expected}"
        raise SafecotError(
            f"{output}: lmms-eval wrote {len(places)}{wanted} samples for {path.name[24:-6]} (is the disk full?). The "
            "answers are in the journal: make room and run the same command again."
        )
    if sort and places != sorted(places):
        _reorder(path, [(start, size) for _, start, size in sorted(places)])


def _doc_id(line: bytes) -> int:
    found = json.loads(line).get("doc_id")
    return found if isinstance(found, int) else 0


def _reorder(path: Path, places: list[tuple[int, int]]) -> None:
    with replacing(path) as scratch, path.open("rb") as source, scratch.open("wb") as target:
        for start, size in places:
            source.seek(start)
            target.write(source.read(size))


def _free_timestamp(folder: Path, timestamp: str) -> str:
    """The timestamp, or the next second that no file here has."""
    moment = datetime.strptime(timestamp, "%Y%m%d_%H%M%S")
    while any(folder.glob(f"{timestamp}_*")):
        moment += timedelta(seconds=1)
        timestamp = moment.strftime("%Y%m%d_%H%M%S")
    return timestamp


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
