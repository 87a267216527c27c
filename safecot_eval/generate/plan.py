"""What a run will do: arguments as lmms-eval spells them, expanded to tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import catalogue
from safecot_eval.benchmarks.selection import by_reason
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.secrets import is_secret, secret_free
from safecot_eval.util.wording import counted

RECORDED = ("safecot_replay", "safecot_baseline")
"""Models that never look at an image."""


@dataclass(frozen=True)
class Plan:
    """One call of lmms-eval.

    Attributes:
        model: lmms-eval's model id.
        model_args: Its arguments, parsed.
        task_names: Our tasks, with the number of items each.
        other_tasks: Task names that are not ours.
        left_out: Tasks that a wildcard asked for and that cannot run here, with the reason.
        output: Folder for the results.
        limit: ``--limit``, if given.
        notes: Further lines for the description.
        labels: What to keep in ``<timestamp>_run.json`` beside the provenance (display name, model card, preset, settings).
    """

    model: str
    model_args: Mapping[str, str]
    task_names: Mapping[str, int]
    other_tasks: tuple[str, ...]
    left_out: Mapping[str, str]
    output: Path
    limit: str | None = None
    notes: tuple[str, ...] = field(default=())
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task_argument(self) -> str:
        """The value for lmms-eval's ``--tasks``."""
        return ",".join([*self.task_names, *self.other_tasks])

    def describe(self) -> str:
        """The lines printed before a run; secrets in the model arguments are masked."""
        arguments = ",".join(
            f"{key}={'***' if is_secret(key) else value}" for key, value in self.model_args.items()
        )
        (arguments,) = secret_free([arguments])
        lines = [f"model   {self.model} ({arguments})" if arguments else f"model   {self.model}"]
        count = sum(self.task_names.values())
        limited = (
            f", at most {self.limit} {'item' if self.limit == '1' else 'items'} each" if self.limit else ""
        )
        tasks = [f"{task_name} ({items})" for task_name, items in self.task_names.items()] + list(
            self.other_tasks
        )
        lines.append(
            f"tasks   {', '.join(tasks)}{limited}; {counted(count, 'item')} in all"
            if tasks
            else "tasks   none"
        )
        lines += [f"left out  {reason}" for reason in by_reason(self.left_out)]
        lines += list(self.notes)
        lines.append(f"output  {self.output}")
        return "\n".join(lines)


def bad_images(task_names: Iterable[str]) -> list[str]:
    """The lines that say which images a model will not be shown; their items count as ``image_unreadable``."""
    told = {task_name: catalogue.bad_images(task_name, opened=False) for task_name in task_names}
    return [f"images  {line}" for line in by_reason({name: bad for name, bad in told.items() if bad})]


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
