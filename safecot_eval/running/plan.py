"""What a run will do: arguments as lmms-eval spells them, expanded to leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from safecot_eval import benchmarks, catalogue, selections
from safecot_eval.records.samples import ImageSource
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import extra_tasks_dirs
from safecot_eval.util.secrets import is_secret, secret_free

RECORDED = ("safecot_replay", "safecot_baseline")
"""Models that never look at an image."""


@dataclass(frozen=True)
class Plan:
    """One call of lmms-eval.

    Attributes:
        model: lmms-eval's model id.
        model_args: Its arguments, parsed.
        leaves: Our leaves, with the number of items each.
        other_tasks: Task names that are not ours.
        left_out: Leaves that a wildcard asked for and that cannot run here, with the reason.
        output: Folder for the results.
        limit: ``--limit``, if given.
        notes: Further lines for the description.
        labels: What to keep in ``<stamp>_run.json`` beside the provenance (display name, model card, preset, settings).
    """

    model: str
    model_args: Mapping[str, str]
    leaves: Mapping[str, int]
    other_tasks: tuple[str, ...]
    left_out: Mapping[str, str]
    output: Path
    limit: str | None = None
    notes: tuple[str, ...] = field(default=())
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task_argument(self) -> str:
        """The value for lmms-eval's ``--tasks``."""
        return ",".join([*self.leaves, *self.other_tasks])

    def describe(self) -> str:
        """The lines printed before a run; secrets in the model arguments are masked."""
        arguments = ",".join(
            f"{key}={'***' if is_secret(key) else value}" for key, value in self.model_args.items()
        )
        (arguments,) = secret_free([arguments])
        lines = [f"model   {self.model} ({arguments})" if arguments else f"model   {self.model}"]
        count = sum(self.leaves.values())
        limited = f", at most {self.limit} items each" if self.limit else ""
        tasks = [f"{leaf} ({items})" for leaf, items in self.leaves.items()] + list(self.other_tasks)
        lines.append(
            f"tasks   {', '.join(tasks)}{limited}; {count} items in all" if tasks else "tasks   none"
        )
        lines += [f"left out  {reason}" for reason in by_reason(self.left_out)]
        lines += list(self.notes)
        lines.append(f"output  {self.output}")
        return "\n".join(lines)


def parse_model_args(text: str) -> dict[str, str]:
    """Split lmms-eval's ``key=value,key=value``.

    Raises:
        SafecotError: a part without ``=``.

    >>> parse_model_args("pretrained=./m,dtype=float32")
    {'pretrained': './m', 'dtype': 'float32'}
    """
    pairs = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise SafecotError(
                f"--model_args: {part!r} is not key=value (arguments are separated by commas)."
            )
        pairs[key.strip()] = value.strip()
    return pairs


def expand_tasks(asked: str, *, recorded: bool) -> tuple[dict[str, int], tuple[str, ...], dict[str, str]]:
    """Expand ``--tasks`` to leaves that can run here.

    A wildcard, a tag or the group asks for what is there: what cannot run is left out, with the reason. A leaf named in full
    must be able to run.

    Args:
        asked: lmms-eval's comma-separated list.
        recorded: The model replays answers, so that absent images do not matter.

    Returns:
        Leaves with their item counts, names that are not ours, and what was left out.

    Raises:
        SafecotError: unknown leaf, a named leaf that cannot run, or nothing left.
    """
    ours = benchmarks.leaves()
    leaves: dict[str, int] = {}
    others: list[str] = []
    left_out: dict[str, str] = {}
    for name in filter(None, (part.strip() for part in asked.split(","))):
        wildcard = name not in ours
        matched = selections.leaves_of(name)
        if not matched and name.startswith(benchmarks.LEAF_PREFIX):
            prefix = benchmarks.LEAF_PREFIX  # what all names share says nothing of how close they are
            known = [leaf.removeprefix(prefix) for leaf in ours]
            close = get_close_matches(name.removeprefix(prefix), known, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{close[0]}?" if close else "`safecot data list` shows all."
            raise SafecotError(f"--tasks: there is no task {name!r}; {hint}")
        if not matched or ("*" in name and not name.startswith(benchmarks.LEAF_PREFIX)):
            others.append(name)
        for leaf in matched:
            reason = why_not(leaf, recorded=recorded)
            if reason is None:
                leaves[leaf] = len(catalogue.items_of(leaf))
            elif wildcard:
                left_out[leaf] = reason
            else:
                raise SafecotError(f"{leaf}: {reason}")
    if not leaves and not others:
        raise SafecotError(
            "\n  ".join([f"--tasks {asked}: nothing of it can run here.", *by_reason(left_out)])
        )
    return leaves, tuple(others), left_out


def by_reason(left_out: Mapping[str, str]) -> list[str]:
    """One line for each reason, with the leaves that it holds for.

    >>> by_reason({"a_x": "no data.", "a_y": "no data.", "a_z": "no data.", "b": "no images."})
    ['a_x and 2 more: no data.', 'b: no images.']
    """
    leaves: dict[str, list[str]] = {}
    for leaf, reason in left_out.items():
        leaves.setdefault(reason, []).append(leaf)
    return [
        f"{found[0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}: {reason}"
        for reason, found in leaves.items()
    ]


def why_not(leaf: str, *, recorded: bool) -> str | None:
    """One sentence that says why a leaf cannot run here, or None.

    Args:
        leaf: A leaf.
        recorded: The model replays answers, so that absent images do not matter.
    """
    if reason := catalogue.why_not_ready(leaf) or _lacks_files(leaf):
        return reason
    items = catalogue.items_of(leaf)
    if not recorded and all(item.image_source is ImageSource.ABSENT for item in items):
        return (
            "its images are not on disk, so only recorded answers can be scored "
            "(--model safecot_replay); see `safecot data list`."
        )
    return None


def _lacks_files(leaf: str) -> str | None:
    """What lmms-eval would miss in a task folder of the user's own (ours are complete)."""
    folder = benchmarks.leaf_parts(leaf)[0].folder
    if folder.parent not in extra_tasks_dirs():
        return None
    if not (folder / f"{leaf}.yaml").is_file():
        return f"{folder} has no {leaf}.yaml; docs/add-a-benchmark.md, step 4, shows one."
    if not all((folder.parent / name).is_file() for name in ("_safecot_leaf", "_stub.json")):
        return (
            f"{folder.parent} lacks _safecot_leaf or _stub.json; copy both from the folder that "
            "`safecot tasks-path` prints."
        )
    return None
