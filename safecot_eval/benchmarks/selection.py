"""What a wildcard, a tag or the group asks for: tasks, each once, without those that run only by name.

Tags are written in the tasks' YAML files (``tag: [safecot-leaf, safecot_overrefusal]``). Their names match ``safecot_*``
as the tasks' do; a wildcard is therefore read as the tasks behind everything that it matches.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.benchmarks import catalogue, item_list, registry
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable
from safecot_eval.util.near_names import near_names
from safecot_eval.util.paths import extra_tasks_dirs

GROUP = "safecot"
ALL = "safecot-leaf"


def tags() -> dict[str, list[str]]:
    """Tag to its tasks, both in the order of their names; the tag of all tasks is among them."""
    found: dict[str, list[str]] = {}
    for name in registry.names():
        benchmark = registry.load(name)
        for task_name in map(benchmark.task_name, benchmark.variants):
            path = benchmark.folder / f"{task_name}.yaml"
            if not path.is_file():
                continue
            given = _read(path).get("tag", [ALL])
            for tag in [given] if isinstance(given, str) else given or ():
                found.setdefault(str(tag), []).append(task_name)
    return {tag: sorted(found[tag]) for tag in sorted(found)}


class _Loader(yaml.SafeLoader):
    """lmms-eval's own tags (``!function``) are none of our business."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, yaml.YAMLError) as error:
        raise SafecotError(f"{path}: not a readable YAML file ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: a task file is a mapping (task: …, tag: …).")
    return content


def task_names_of(asked: str) -> list[str]:
    """Tasks behind a name, a wildcard, a tag or the group; empty where it is none of ours.

    >>> task_names_of("safecot_quick")
    ['safecot_quick']
    >>> "safecot_quick" in task_names_of("safecot_*")
    False
    """
    ours = registry.task_names()
    if asked in ours:
        return [asked]
    known = tags()
    if asked == GROUP:
        asked = f"{registry.TASK_PREFIX}*"
    if asked in known:
        return known[asked]
    if "*" not in asked and "?" not in asked:
        return []
    matched = {task_name for task_name in fnmatch.filter(ours, asked) if not only_by_name(task_name)}
    for tag in fnmatch.filter(known, asked):
        matched.update(known[tag])
    return sorted(matched)


def only_by_name(task_name: str) -> bool:
    """Whether a task is left out of wildcards, tags and the group."""
    benchmark, variant = registry.task_parts(task_name)
    return variant in benchmark.only_by_name


def expand_tasks(asked: str, *, recorded: bool) -> tuple[dict[str, int], tuple[str, ...], dict[str, str]]:
    """Expand ``--tasks`` to tasks that can run here.

    A wildcard, a tag or the group asks for what is there: what cannot run is left out, with the reason. A task named in full
    must be able to run.

    Args:
        asked: lmms-eval's comma-separated list.
        recorded: The model replays answers, so that absent images do not matter.

    Returns:
        Tasks with their item counts, names that are not ours, and what was left out.

    Raises:
        SafecotError: unknown task, a named task that cannot run, or nothing left.
    """
    ours = registry.task_names()
    task_names: dict[str, int] = {}
    others: list[str] = []
    left_out: dict[str, str] = {}
    for name in filter(None, (part.strip() for part in asked.split(","))):
        wildcard = name not in ours
        matched = task_names_of(name)
        if not matched and name.startswith(registry.TASK_PREFIX):
            prefix = registry.TASK_PREFIX  # what all names share says nothing of how close they are
            known = [task_name.removeprefix(prefix) for task_name in ours]
            near = [prefix + found for found in near_names(name.removeprefix(prefix), known, cutoff=0.5)]
            hint = f"did you mean {' or '.join(near)}?" if near else "`safecot data list` shows all."
            raise SafecotError(f"--tasks: there is no task {name!r}; {hint}")
        if not matched or ("*" in name and not name.startswith(registry.TASK_PREFIX)):
            others.append(name)
        for task_name in matched:
            reason = why_not(task_name, recorded=recorded)
            if reason is None:
                task_names[task_name] = len(item_list.chosen(task_name, catalogue.items_of(task_name)))
            elif wildcard:
                left_out[task_name] = reason
            else:
                raise SafecotError(f"{task_name}: {reason}")
    item_list.require_used({name: {item.item_id for item in catalogue.items_of(name)} for name in task_names})
    if not task_names and not others:
        raise SafecotError(
            "\n  ".join([f"--tasks {asked}: nothing of it can run here.", *by_reason(left_out)])
        )
    return task_names, tuple(others), left_out


def by_reason(left_out: Mapping[str, str]) -> list[str]:
    """One line for each reason, with the tasks that it holds for.

    >>> by_reason({"a_x": "no data.", "a_y": "no data.", "a_z": "no data.", "b": "no images."})
    ['a_x and 2 more: no data.', 'b: no images.']
    """
    task_names: dict[str, list[str]] = {}
    for task_name, reason in left_out.items():
        task_names.setdefault(reason, []).append(task_name)
    return [
        f"{found[0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}: {reason}"
        for reason, found in task_names.items()
    ]


def why_not(task_name: str, *, recorded: bool) -> str | None:
    """One sentence that says why a task cannot run here, or None.

    Args:
        task_name: A task.
        recorded: The model replays answers, so that absent images do not matter.
    """
    return (
        catalogue.why_not_ready(task_name)
        or _lacks_files(task_name)
        or (None if recorded else catalogue.lacking_images(task_name))
    )


def _lacks_files(task_name: str) -> str | None:
    """What lmms-eval would miss in a task folder of the user's own (ours are complete)."""
    folder = registry.task_parts(task_name)[0].folder
    if folder.parent not in extra_tasks_dirs():
        return None
    if not (folder / f"{task_name}.yaml").is_file():
        return f"{folder} has no {task_name}.yaml; docs/add-a-benchmark.md, step 4, shows one."
    if not all((folder.parent / name).is_file() for name in ("_safecot_leaf", "_stub.json")):
        return (
            f"{folder.parent} lacks _safecot_leaf or _stub.json; copy both from the folder that "
            "`safecot tasks-path` prints."
        )
    return None
