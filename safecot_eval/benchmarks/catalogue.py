"""Which tasks exist and which can run here: benchmark folders joined with the data on disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from safecot_eval.benchmarks import registry
from safecot_eval.benchmarks.data import root
from safecot_eval.benchmarks.data.typography import not_drawn
from safecot_eval.benchmarks.images import image_size
from safecot_eval.benchmarks.tables_read import noted
from safecot_eval.records.samples import ImageSource, Item
from safecot_eval.util.errors import SafecotError


def is_task(name: str) -> bool:
    """Whether a task name is one of ours."""
    try:
        registry.task_parts(name)
    except SafecotError:
        return False
    return True


def items_of(task_name: str) -> list[Item]:
    """Load the items of a task from the data on disk.

    Raises:
        SafecotError: no such task, or its data are missing or malformed.
    """
    benchmark, variant = registry.task_parts(task_name)
    folder = root(benchmark.name)
    with noted() as tables:
        found = benchmark.items(variant, folder)
    if not found:
        raise SafecotError(_why_none(task_name, benchmark.folder / "README.md", folder, tables))
    return found


def _why_none(task_name: str, readme: Path, folder: Path, tables: Mapping[Path, int]) -> str:
    """Why a task has no items although its data could be read: empty tables, or rows that are all left out."""
    read = ", ".join(f"{path}: {rows} row{'' if rows == 1 else 's'}" for path, rows in tables.items())
    if not tables:
        return f"{task_name}: its data folder {folder} holds no items; put the whole data there ({readme} says what belongs there)."
    if not any(tables.values()):
        return f"{read}; {task_name} has no items, so download the file again."
    return f"{read}, and all are left out of {task_name}; {readme} says which rows are taken."


@cache
def why_not_ready(task_name: str) -> str | None:
    """One sentence that says what a task lacks, or None where it can run."""
    try:
        with not_drawn():
            items_of(task_name)
    except SafecotError as error:
        return str(error)
    return None


def lacking_images(task_name: str) -> str | None:
    """One sentence that says why no model can be asked: images that are not on disk; None where enough are.

    Args:
        task_name: A task whose data are here.
    """
    with not_drawn():
        items = items_of(task_name)
    absent = [item for item in items if item.image_source is ImageSource.ABSENT]
    advice = registry.task_parts(task_name)[0].images_from
    if absent and advice:
        names = [name for item in absent[:4] for name in item.image_names or (item.item_id,)]
        return (
            f"{len(absent)} of its {len(items)} images are not on disk ({', '.join(names)}{', …' if len(absent) > 4 else ''}); "
            f"{advice}. Recorded answers need none (safecot import, --model safecot_replay)."
        )
    if len(absent) == len(items):
        return (
            "its images are not on disk, so only recorded answers can be scored "
            "(--model safecot_replay); see `safecot data list`."
        )
    return None


def bad_images(task_name: str, *, opened: bool) -> str | None:
    """Which of a task's images are not on disk or, if they are opened, are no images; None where all are good.

    Args:
        task_name: A task whose data are here.
        opened: Read every file's header. A file that is damaged further on is found when it is decoded, in the run.
    """
    with not_drawn():
        items = items_of(task_name)
    absent: set[str] = set()
    official: set[Path] = set()
    for item in items:
        if item.image_source is ImageSource.ABSENT:
            absent.update(item.image_names or (item.item_id,))
        elif item.image_source is ImageSource.OFFICIAL:
            official.update(item.images)
    absent |= {path.name for path in official if not path.is_file()}
    unreadable = {path.name for path in official if opened and path.is_file() and not _opens(path)}
    count = len(official) + len(absent - {path.name for path in official})
    told = [
        f"{len(names)} of {count} images {'is' if len(names) == 1 else 'are'} {what} ({', '.join(sorted(names)[:3])}"
        f"{', …' if len(names) > 3 else ''})"
        for names, what in ((absent, "not on disk"), (unreadable, "unreadable"))
        if names
    ]
    return "; ".join(told) or None


def _opens(path: Path) -> bool:
    try:
        image_size(path)
    except SafecotError:
        return False
    return True
