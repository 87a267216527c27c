"""Which tasks exist and which can run here: benchmark folders joined with the data on disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from safecot_eval.benchmarks import registry
from safecot_eval.benchmarks.data import root
from safecot_eval.benchmarks.data.typography import not_drawn
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
