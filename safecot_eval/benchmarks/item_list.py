"""Run some of a task's items: a list of ids, one a line, or JSON lines that say which task each is of.

=====================================================  ===============================================================
``7``                                                  the item with this id, of every task that has one
``{"task": "safecot_siuo", "item_id": "7"}``           the item of this task; tasks that no line names keep all theirs
=====================================================  ===============================================================

Lines that begin with ``#`` are notes. An id that no task of the run has is a mistake, and so is a list that names none of them.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from safecot_eval.benchmarks import registry
from safecot_eval.records.samples import Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable
from safecot_eval.util.near_names import near_names

VARIABLE = "SAFECOT_ITEMS"
"""Names the file for the process that loads the tasks."""
CHECKED = "SAFECOT_ITEMS_CHECKED"
"""Names it again for the processes of a matrix, each of which has some of the tasks that the list was compared with."""


@dataclass(frozen=True)
class ItemList:
    """What is asked for.

    Attributes:
        path: The file.
        everywhere: Ids for every task.
        in_task: Ids by task.
    """

    path: Path
    everywhere: frozenset[str] = frozenset()
    in_task: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def select(self, task_name: str, items: Sequence[Item]) -> list[Item]:
        """The items of a task that are asked for, in the task's order.

        Raises:
            SafecotError: the list names items that the task does not have, or none that it has.
        """
        if not self.everywhere and task_name not in self.in_task:
            return list(items)
        told = self.in_task.get(task_name, frozenset())
        known = {item.item_id for item in items}
        if lacking := sorted(told - known):
            raise SafecotError(
                f"{self.path}: {task_name} has no item {lacking[0]!r}"
                f"{f' ({len(lacking)} such ids)' if len(lacking) > 1 else ''}; ids are those of its samples' `item_id`."
            )
        chosen = [item for item in items if item.item_id in told or item.item_id in self.everywhere]
        if not chosen:
            raise SafecotError(f"{self.path}: none of its ids is an item of {task_name}; leave the task out.")
        return chosen

    def require_used(self, tasks: Mapping[str, Collection[str]]) -> None:
        """Refuse a list of which the run would leave something out in silence.

        Args:
            tasks: Tasks of the run with the ids of all their items.

        Raises:
            SafecotError: an id is in none of the tasks, a line names a task that does not exist, or all name others.
        """
        if nowhere := sorted(self.everywhere.difference(*tasks.values())):
            raise SafecotError(
                f"{self.path}: {nowhere[0]!r} is the id of no item of {', '.join(tasks)}"
                f"{f' ({len(nowhere)} such ids of {len(self.everywhere)})' if len(nowhere) > 1 else ''}; take it out."
            )
        ours = registry.task_names()
        if unknown := sorted(set(self.in_task) - set(ours)):
            near = near_names(unknown[0], ours, most=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise SafecotError(f"{self.path}: there is no task {unknown[0]!r}{hint}")
        if self.in_task and not self.everywhere and not set(self.in_task) & set(tasks):
            raise SafecotError(
                f"{self.path}: its lines are of {', '.join(sorted(self.in_task))}, and none of {', '.join(tasks)}; ask those tasks, "
                "or give another list."
            )


def load(path: Path) -> ItemList:
    """Read a list.

    Raises:
        SafecotError: unreadable or empty, or a line that is neither an id nor such an object (the line is named).
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeError as error:
        raise SafecotError(f"{path}: not UTF-8 text; save it as such, one item a line.") from error
    if next(filter(str.strip, lines), "").lstrip().startswith("["):
        raise SafecotError(
            f"{path}: a JSON list; write one id a line, without brackets, quotation marks and commas."
        )
    everywhere: set[str] = set()
    in_task: dict[str, set[str]] = defaultdict(set)
    for number, line in enumerate(lines, start=1):
        if not (text := line.strip()) or text.startswith("#"):
            continue
        if not text.startswith("{"):
            everywhere.add(text)
            continue
        try:
            entry = json.loads(text)
            in_task[entry["task"]].add(str(entry["item_id"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SafecotError(
                f'{path}, line {number}: write an item id, or {{"task": TASK, "item_id": ID}}.'
            ) from error
    if not everywhere and not in_task:
        raise SafecotError(f"{path}: the list of items is empty; write one id a line.")
    return ItemList(
        path, frozenset(everywhere), {task_name: frozenset(ids) for task_name, ids in in_task.items()}
    )


def chosen(task_name: str, items: Sequence[Item]) -> list[Item]:
    """The items of a task that this process is to run: all, unless ``SAFECOT_ITEMS`` names a list."""
    path = os.environ.get(VARIABLE)
    return _loaded(path).select(task_name, items) if path else list(items)


def require_used(tasks: Mapping[str, Collection[str]]) -> None:
    """Likewise for the list that ``SAFECOT_ITEMS`` names; see :meth:`ItemList.require_used`."""
    if tasks and (path := os.environ.get(VARIABLE)) and os.environ.get(CHECKED) != path:
        _loaded(path).require_used(tasks)


@cache
def _loaded(path: str) -> ItemList:
    return load(Path(path))
